import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { IsIn, IsOptional } from 'class-validator';
import { type Caller, type Dialect, DIALECTS } from '../../common/procedure.js';
import { Database, run, type Statement } from '../../database/sql.js';
import type { Priority } from '../batch.options.js';
import type { BatchTotals, BatchView } from '../batch.view.js';

/** The tenant's batches and their items, added up. */
export class GetBatchTotals extends Query<BatchTotals> {
  /** Default: those of every dialect. */
  @IsOptional() @IsIn(DIALECTS) dialect?: Dialect;

  caller: Caller;
}

const SUM_BATCHES: Statement = {
  name: 'sum-batches',
  text: `
    SELECT CASE r.status WHEN 'stopping' THEN r.ends_as ELSE r.status END AS status, b.options ->> 'priority' AS priority,
      count(*)::int AS batches,
      sum(r.total + r.carried_succeeded + r.carried_failed + r.carried_skipped + r.carried_cancelled)::float8 AS total,
      sum(coalesce(done.succeeded, r.succeeded) + r.carried_succeeded)::float8 AS succeeded,
      sum(coalesce(done.failed, r.failed) + r.carried_failed)::float8 AS failed,
      sum(coalesce(done.skipped, r.skipped) + r.carried_skipped)::float8 AS skipped,
      count(*) FILTER (WHERE timed.ms IS NOT NULL)::int AS ended, coalesce(sum(timed.ms), 0)::float8 AS duration_ms,
      coalesce(sum(r.succeeded + r.failed + r.skipped) FILTER (WHERE timed.ms IS NOT NULL), 0)::float8 AS processed,
      count(*) FILTER (WHERE r.status = 'running' AND NOT EXISTS (SELECT FROM chunk c WHERE c.run_id = r.id AND c.state < 2)
        AND EXISTS (SELECT FROM retry t WHERE t.run_id = r.id))::int AS retrying
    FROM batch b JOIN run r ON r.id = b.run_id
    LEFT JOIN LATERAL (
      SELECT sum(l.succeeded) AS succeeded, sum(l.failed) AS failed, sum(l.skipped) AS skipped
      FROM lane l WHERE l.run_id = r.id AND r.ended_at IS NULL
    ) done ON true
    CROSS JOIN LATERAL (SELECT extract(epoch FROM r.ended_at - r.started_at) * 1000 AS ms) timed
    WHERE b.tenant = $1 AND ($2::text IS NULL OR b.dialect = $2)
    GROUP BY 1, 2`,
};

const COUNT_OPERATIONS: Statement = {
  name: 'count-operations',
  text: `
    SELECT operation, count(*)::int AS batches FROM batch WHERE tenant = $1 AND ($2::text IS NULL OR dialect = $2)
    GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 100`,
};

interface SumRow {
  status: BatchView['status'];
  priority: Priority;
  batches: number;
  total: number;
  succeeded: number;
  failed: number;
  skipped: number;
  ended: number;
  duration_ms: number;
  processed: number;
  retrying: number;
}

@QueryHandler(GetBatchTotals)
export class GetBatchTotalsHandler implements IQueryHandler<GetBatchTotals> {
  constructor(private readonly database: Database) {}

  async execute({ dialect, caller }: GetBatchTotals): Promise<BatchTotals> {
    const { pool } = this.database;
    const values = [caller.tenant, dialect ?? null];
    const [rows, operations] = await Promise.all([
      run<SumRow>(pool, SUM_BATCHES, values),
      run<{ operation: string; batches: number }>(pool, COUNT_OPERATIONS, values),
    ]);
    const sum = (value: (row: SumRow) => number): number => rows.reduce((total, row) => total + value(row), 0);
    const byStatus = { pending: 0, running: 0, paused: 0, completed: 0, failed: 0, cancelled: 0, timed_out: 0 };
    const byPriority = { critical: 0, high: 0, normal: 0, low: 0 };
    for (const { status, priority, batches } of rows) {
      byStatus[status] += batches;
      byPriority[priority] += batches;
    }
    return {
      batches: sum((row) => row.batches),
      retrying: sum((row) => row.retrying),
      byStatus,
      byPriority,
      byOperation: Object.fromEntries(operations.map(({ operation, batches }) => [operation, batches])),
      items: {
        total: sum((row) => row.total),
        succeeded: sum((row) => row.succeeded),
        failed: sum((row) => row.failed),
        skipped: sum((row) => row.skipped),
      },
      ended: { batches: sum((row) => row.ended), durationMs: sum((row) => row.duration_ms), processed: sum((row) => row.processed) },
    };
  }
}
