import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Nobody looks into outputs within the database: as text they come back as they were given, and cost less to write and to keep. */
export class OutputsAsTheyAre1764000020000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await changeType(runner, 'json');
  }

  async down(runner: QueryRunner): Promise<void> {
    await changeType(runner, 'jsonb');
  }
}

/** A column of another type has forgotten how it is compressed. */
async function changeType(runner: QueryRunner, type: 'json' | 'jsonb'): Promise<void> {
  await runner.query(`ALTER TABLE outcome ALTER COLUMN output TYPE ${type} USING output::${type}`);
  await runner.query(`
    DO $$ BEGIN
      ALTER TABLE outcome ALTER COLUMN output SET COMPRESSION lz4;
    EXCEPTION WHEN feature_not_supported THEN NULL;
    END $$`);
}
