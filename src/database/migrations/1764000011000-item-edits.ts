import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Payloads that items of an ended batch were given, to be repeated with. The one they came with stays in its chunk. */
export class ItemEdits1764000011000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(EDITS);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE item_edit');
  }
}

const EDITS = `
  CREATE TABLE item_edit (
    batch_id text NOT NULL,
    seq integer NOT NULL,
    no integer NOT NULL,
    payload json NOT NULL,
    edited_by text,
    edited_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (batch_id, seq, no)
  );
`;
