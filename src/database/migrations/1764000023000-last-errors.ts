import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What an item last ran into is kept with it, and what it waits for is a column: who waits for a provider, and by which rule a batch was
 * paused, was read from messages before.
 */
export class LastErrors1764000023000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // `now()` fills the rows that are there without writing the table anew; new rows have a clock of their own.
    await runner.query(`
      ALTER TABLE retry
        ADD COLUMN waits_for text,
        ADD COLUMN waited_ms double precision NOT NULL DEFAULT 0,
        ADD COLUMN failed_at timestamptz NOT NULL DEFAULT now();
      ALTER TABLE retry ALTER COLUMN failed_at SET DEFAULT clock_timestamp();
      UPDATE retry SET waits_for = substring(error FROM '^provider ([[:alnum:]_.:-]+): ') WHERE error_kind = 'rate-limited';
      ALTER TABLE run ADD COLUMN reason_kind text;
      UPDATE run SET reason_kind = CASE WHEN reason LIKE 'canary: %' THEN 'canary' ELSE 'failure-threshold' END
        WHERE status = 'paused' AND (reason LIKE 'canary: %' OR reason LIKE 'failure threshold: %');
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE run DROP COLUMN reason_kind;
      ALTER TABLE retry DROP COLUMN waits_for, DROP COLUMN waited_ms, DROP COLUMN failed_at;
    `);
  }
}
