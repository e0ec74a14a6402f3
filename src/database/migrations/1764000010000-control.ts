import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What steers a run that is under way, and who did it. */
export class Control1764000010000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE run
        ADD COLUMN revision integer NOT NULL DEFAULT 0,
        ADD COLUMN gate integer,
        ADD COLUMN judged_failed integer NOT NULL DEFAULT 0,
        ADD COLUMN judged_processed integer NOT NULL DEFAULT 0`);
    await runner.query(`
      ALTER TABLE lane
        ADD COLUMN granted smallint NOT NULL DEFAULT 0,
        ADD COLUMN claimed_at timestamptz NOT NULL DEFAULT '-infinity'`);
    await runner.query(AUDIT);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE audit_entry');
    await runner.query('ALTER TABLE lane DROP COLUMN granted, DROP COLUMN claimed_at');
    await runner.query(`
      ALTER TABLE run DROP COLUMN revision, DROP COLUMN gate, DROP COLUMN judged_failed, DROP COLUMN judged_processed`);
  }
}

const AUDIT = `
  CREATE TABLE audit_entry (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    batch_id text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    by text,
    action text NOT NULL,
    details jsonb NOT NULL
  );
  CREATE INDEX audit_entry_of_batch ON audit_entry (batch_id, id);
`;
