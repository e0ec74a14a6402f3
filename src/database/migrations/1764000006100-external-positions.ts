import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A listed item whose result comes from outside keeps its place in the list: its outcome is found by position like any other. */
export class ExternalPositions1764000006100 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE external_result ADD COLUMN seq integer');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE external_result DROP COLUMN seq');
  }
}
