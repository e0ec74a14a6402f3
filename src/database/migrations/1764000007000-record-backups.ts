import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What records were before a batch wrote them, so that the batch's changes can be taken back. */
export class RecordBackups1764000007000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE record ADD COLUMN written_by text');
    await runner.query(BACKUPS);
    await runner.query(ROLLBACKS);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE batch DROP COLUMN rollback');
    await runner.query('DROP TABLE record_backup');
    await runner.query('ALTER TABLE record DROP COLUMN written_by');
  }
}

const BACKUPS = `
  -- fields, updated_at null: the record was not there. version: the updated_at that the batch itself wrote last.
  CREATE TABLE record_backup (
    batch_id text NOT NULL,
    collection text NOT NULL,
    key text COLLATE "C" NOT NULL,
    tenant text NOT NULL,
    fields jsonb,
    file_id uuid,
    updated_at timestamptz,
    written_by text,
    version timestamptz NOT NULL,
    outcome text,
    PRIMARY KEY (batch_id, collection, key)
  );
`;

const ROLLBACKS = `
  ALTER TABLE batch ADD COLUMN rollback jsonb;
  CREATE INDEX batch_rollback_due ON batch (id) WHERE rollback ->> 'status' = 'due';
`;
