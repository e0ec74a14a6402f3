import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What whoever created a batch should know of it. */
export class BatchWarnings1764000020500 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE batch ADD COLUMN warnings text[] NOT NULL DEFAULT '{}'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE batch DROP COLUMN warnings');
  }
}
