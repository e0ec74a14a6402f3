import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The latest time that the database's clock was seen to show: an earlier one means that it was set back. */
export class Clock1764000028000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE clock (
        id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
        seen_at timestamptz NOT NULL
      )`);
    await runner.query('INSERT INTO clock (seen_at) VALUES (clock_timestamp())');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE clock');
  }
}
