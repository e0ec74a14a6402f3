import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Requests that are carried out once, however often they are sent. */
export class IdempotencyKeys1764000012000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(KEYS);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE idempotency_key');
  }
}

const KEYS = `
  -- output: of the procedure, written by the transaction that made something; answer: what the client got, written after it
  CREATE TABLE idempotency_key (
    tenant text NOT NULL,
    key text NOT NULL,
    hash bytea NOT NULL,
    token uuid NOT NULL,
    claimed_until timestamptz NOT NULL,
    procedure text,
    output json,
    answer json,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, key)
  );
  CREATE INDEX idempotency_key_age ON idempotency_key (created_at);
`;
