import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which keys a chunk may hold, so that whoever looks for one unpacks a few chunks. Those that are there have no summary and are all looked through. */
export class KeySummaries1764000019000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE chunk_items ADD COLUMN keys bytea');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE chunk_items DROP COLUMN keys');
  }
}
