import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * A later run repeats some items of a batch: what they ended as before stays as history, and the run knows how the items ended
 * that it does not touch. Columns with constant defaults: nothing is rewritten.
 */
export class Repeats1764000005000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE outcome ADD COLUMN repeated_in bigint');
    await runner.query(`
      ALTER TABLE run
        ADD COLUMN carried_succeeded integer NOT NULL DEFAULT 0,
        ADD COLUMN carried_failed integer NOT NULL DEFAULT 0,
        ADD COLUMN carried_skipped integer NOT NULL DEFAULT 0,
        ADD COLUMN carried_cancelled integer NOT NULL DEFAULT 0,
        ADD COLUMN carried_tally json
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE outcome DROP COLUMN repeated_in');
    await runner.query(`
      ALTER TABLE run DROP COLUMN carried_succeeded, DROP COLUMN carried_failed, DROP COLUMN carried_skipped,
        DROP COLUMN carried_cancelled, DROP COLUMN carried_tally
    `);
  }
}
