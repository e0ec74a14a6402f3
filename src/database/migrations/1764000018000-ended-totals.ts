import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What the batches that have ended add up to, so that nobody who asks for totals has to look at each of them. Rows are only added, each with
 * what one batch changes, and are added up now and then: no two ends wait for each other.
 */
export class EndedTotals1764000018000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(TOTALS);
    await runner.query(COUNT_WHAT_IS_THERE);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE ended_total');
  }
}

const TOTALS = `
  CREATE TABLE ended_total (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text NOT NULL,
    dialect text NOT NULL,
    operation text NOT NULL,
    status text NOT NULL,
    priority text NOT NULL,
    batches bigint NOT NULL,
    total bigint NOT NULL,
    succeeded bigint NOT NULL,
    failed bigint NOT NULL,
    skipped bigint NOT NULL,
    timed bigint NOT NULL,
    duration_us bigint NOT NULL,
    processed bigint NOT NULL
  );
  CREATE INDEX ended_total_of_tenant ON ended_total (tenant);
`;

const COUNT_WHAT_IS_THERE = `
  INSERT INTO ended_total (tenant, dialect, operation, status, priority, batches, total, succeeded, failed, skipped, timed, duration_us, processed)
  SELECT b.tenant, b.dialect, b.operation, r.status, b.options ->> 'priority', count(*),
    sum(r.total + r.carried_succeeded + r.carried_failed + r.carried_skipped + r.carried_cancelled),
    sum(r.succeeded + r.carried_succeeded), sum(r.failed + r.carried_failed), sum(r.skipped + r.carried_skipped),
    count(r.started_at), coalesce(sum(extract(epoch FROM r.ended_at - r.started_at) * 1000000), 0)::bigint,
    coalesce(sum(r.succeeded + r.failed + r.skipped) FILTER (WHERE r.started_at IS NOT NULL), 0)
  FROM batch b JOIN run r ON r.id = b.run_id WHERE r.ended_at IS NOT NULL GROUP BY 1, 2, 3, 4, 5`;
