import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Uploads of an hour are counted for the credential too: one API key may name ever new users. */
export class UploadsByCredential1764000024000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE upload ADD COLUMN credential_key text NOT NULL DEFAULT ''`);
    await runner.query('CREATE INDEX upload_by_credential ON upload (tenant, credential_key, accepted_at)');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE upload DROP COLUMN credential_key');
  }
}
