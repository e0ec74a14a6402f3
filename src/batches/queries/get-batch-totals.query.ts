import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { IsIn, IsOptional } from 'class-validator';
import { type Caller, type Dialect, DIALECTS } from '../../common/procedure.js';
import { Database, run, type Statement } from '../../database/sql.js';
import type { Priority } from '../batch.options.js';
import type { BatchTotals, BatchView } from '../batch.view.js';
import { TOTALS } from '../store/ended-totals.js';

/** The tenant's batches and their items, added up. */
export class GetBatchTotals extends Query<BatchTotals> {
  /** Default: those of every dialect. */
  @IsOptional() @IsIn(DIALECTS) dialect?: Dialect;

  caller: Caller;
}

const SUM_BATCHES: Statement = {
  name: 'sum-batches',
  text: `
    SELECT status, priority, sum(batches)::int AS batches, sum(total)::float8 AS total, sum(succeeded)::float8 AS succeeded,
      sum(failed)::float8 AS failed, sum(skipped)::float8 AS skipped,
      sum(timed)::int AS ended, sum(duration_us)::float8 / 1000 AS duration_ms, sum(processed)::float8 AS processed,
      count(*) FILTER (WHERE running_run IS NOT NULL AND NOT EXISTS (SELECT FROM chunk c WHERE c.run_id = running_run AND c.state < 2)
        AND EXISTS (SELECT FROM retry r WHERE r.run_id = running_run))::int AS retrying
    FROM (${TOTALS}) t GROUP BY 1, 2`,
};

const COUNT_OPERATIONS: Statement = {
  name: 'count-operations',
  text: `
    SELECT operation, sum(batches)::int AS batches FROM (${TOTALS}) t
    GROUP BY 1 HAVING sum(batches) > 0 ORDER BY 2 DESC, 1 LIMIT 100`,
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
