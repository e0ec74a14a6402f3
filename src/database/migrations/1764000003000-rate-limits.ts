import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Token buckets, and until when a run without tokens is left alone. */
export class RateLimits1764000003000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(BUCKETS);
    await runner.query(`ALTER TABLE run ADD COLUMN held_until timestamptz NOT NULL DEFAULT '-infinity'`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE run DROP COLUMN held_until');
    await runner.query('DROP TABLE rate_bucket');
  }
}

const BUCKETS = `
  -- scope: 'batch' (name is the batch's id) or 'pool'; a bucket that is not there is full
  CREATE TABLE rate_bucket (
    tenant text NOT NULL,
    scope text NOT NULL,
    name text NOT NULL,
    tokens double precision NOT NULL,
    refilled_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant, scope, name)
  ) WITH (fillfactor = 50);
`;
