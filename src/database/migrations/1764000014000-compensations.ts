import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What would undo the work of items, and how far a rollback has come with it. */
export class Compensations1764000014000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(COMPENSATIONS);
    await runner.query(ROLLBACK_TURNS);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE rollback_turn');
    await runner.query('DROP TABLE compensation');
  }
}

const COMPENSATIONS = `
  -- no: the order of recording, over all runs. outcome null: a rollback has not come to it.
  CREATE TABLE compensation (
    run_id bigint NOT NULL,
    no bigint GENERATED ALWAYS AS IDENTITY,
    seq integer NOT NULL,
    value jsonb NOT NULL,
    attempts smallint NOT NULL DEFAULT 0,
    crashes smallint NOT NULL DEFAULT 0,
    outcome text CHECK (outcome IN ('compensated', 'failed')),
    error text,
    PRIMARY KEY (run_id, no)
  );
  CREATE INDEX compensation_left ON compensation (run_id, no) WHERE outcome IS NULL;
`;

const ROLLBACK_TURNS = `
  -- lease_until '-infinity': given back. due_at: not before then, because a compensation is to be tried again.
  CREATE TABLE rollback_turn (
    batch_id text PRIMARY KEY,
    fence bigint NOT NULL DEFAULT 1,
    lease_until timestamptz NOT NULL,
    due_at timestamptz NOT NULL DEFAULT '-infinity',
    crashed boolean NOT NULL DEFAULT false
  );
`;
