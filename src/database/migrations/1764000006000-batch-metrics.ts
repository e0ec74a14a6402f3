import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Figures of a batch over time, written by the processes that work it and by its callers. */
export class BatchMetrics1764000006000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(METRICS);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE batch_metric');
  }
}

const METRICS = `
  CREATE TABLE batch_metric (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    batch_id text NOT NULL,
    source text NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    data json NOT NULL
  );
  CREATE INDEX batch_metric_of_batch ON batch_metric (batch_id, source, id);
`;
