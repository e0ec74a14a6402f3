import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which processes work items, and of which operations: so that a batch can say whether anybody will take it up. */
export class Workers1764000016000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(WORKERS);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE worker');
  }
}

/** Unlogged: after a crash of the database every process is back in it within two seconds. */
const WORKERS = `
  CREATE UNLOGGED TABLE worker (
    id uuid PRIMARY KEY,
    operations text[] NOT NULL,
    full_operations text[] NOT NULL,
    lanes integer NOT NULL,
    free_lanes integer NOT NULL,
    seen_at timestamptz NOT NULL
  );
`;
