import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Files that came as an upload belong to it, and are kept for as long as the batch that names it in its parameters. */
export class Uploads1764000004000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(FILES);
    await runner.query(UPLOADS);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE upload');
    await runner.query('DROP INDEX batch_by_upload');
    await runner.query('ALTER TABLE file DROP COLUMN upload_id');
  }
}

const FILES = `
  ALTER TABLE file ADD COLUMN upload_id uuid;
  CREATE INDEX file_by_upload ON file (upload_id) WHERE upload_id IS NOT NULL;
  CREATE INDEX batch_by_upload ON batch ((parameters ->> 'uploadId')) WHERE parameters ? 'uploadId';
`;

const UPLOADS = `
  -- an accepted upload: how many a user had in the last hour, and that its batch was made or is about to be
  CREATE TABLE upload (
    id uuid PRIMARY KEY,
    tenant text NOT NULL,
    user_key text NOT NULL,
    accepted_at timestamptz NOT NULL DEFAULT clock_timestamp()
  );
  CREATE INDEX upload_by_user ON upload (tenant, user_key, accepted_at);
`;
