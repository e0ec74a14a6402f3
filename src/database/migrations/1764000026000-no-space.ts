import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Why a worker begins no work when the database has no space for it: so that every process can say so of batches that stand still. */
export class NoSpace1764000026000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE worker ADD COLUMN no_space text');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE worker DROP COLUMN no_space');
  }
}
