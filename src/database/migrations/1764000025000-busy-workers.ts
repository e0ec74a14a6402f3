import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What a worker does not take at the moment, beside what its slots do not hold. */
export class BusyWorkers1764000025000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE worker
        ADD COLUMN hanging_operations text[] NOT NULL DEFAULT '{}',
        ADD COLUMN full_tenants text[] NOT NULL DEFAULT '{}'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE worker DROP COLUMN hanging_operations, DROP COLUMN full_tenants');
  }
}
