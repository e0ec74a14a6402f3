import type { MigrationInterface, QueryRunner } from 'typeorm';

const FIGURES = ['duration_ms', 'quality'];

/** A duration or quality that a caller gives comes back as it was given; a real keeps seven digits of it. */
export class ExactFigures1764000021000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    // By way of text: 0.1 as a real is 0.10000000149 as a double.
    await changeType(runner, (figure) => `double precision USING ${figure}::text::double precision`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await changeType(runner, () => 'real');
  }
}

/** One statement writes the table once. */
async function changeType(runner: QueryRunner, type: (figure: string) => string): Promise<void> {
  await runner.query(`ALTER TABLE outcome ${FIGURES.map((figure) => `ALTER COLUMN ${figure} TYPE ${type(figure)}`).join(', ')}`);
}
