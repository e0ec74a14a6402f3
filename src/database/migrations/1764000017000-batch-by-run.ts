import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which batch a run is the current one of: without it every look from runs to their batches reads all batches. */
export class BatchByRun1764000017000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE UNIQUE INDEX batch_by_run ON batch (run_id)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX batch_by_run');
  }
}
