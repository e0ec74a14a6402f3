import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A lane may hold more items than it can start: how many it works is written down where that does not follow from its width. */
export class BusyLanes1764000023100 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE lane ADD COLUMN busy smallint');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE lane DROP COLUMN busy');
  }
}
