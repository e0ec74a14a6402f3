import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Listed items that wait for their results from outside are found by position. */
export class OpenExternalResults1764000030000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('CREATE INDEX external_result_open ON external_result (run_id, seq) WHERE NOT recorded');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX external_result_open');
  }
}
