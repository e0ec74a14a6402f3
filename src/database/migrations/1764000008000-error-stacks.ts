import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Where an item's error was thrown, for those who run the service. */
export class ErrorStacks1764000008000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE outcome ADD COLUMN error_stack text');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE outcome DROP COLUMN error_stack');
  }
}
