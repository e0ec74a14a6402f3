import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { IsIn, IsOptional } from 'class-validator';
import { type Caller, type Dialect, DIALECTS } from '../../common/procedure.js';
import { Database, run, type Statement } from '../../database/sql.js';
import type { BatchStats, BatchView } from '../batch.view.js';
import { TOTALS } from '../store/ended-totals.js';

/** How many batches the tenant has, by status and by operation. */
export class GetBatchStats extends Query<BatchStats> {
  /** Default: those of every dialect. */
  @IsOptional() @IsIn(DIALECTS) dialect?: Dialect;

  caller: Caller;
}

const COUNT_BATCHES: Statement = {
  name: 'count-batches',
  text: `SELECT operation, status, sum(batches)::int AS batches FROM (${TOTALS}) t GROUP BY 1, 2 HAVING sum(batches) > 0`,
};

@QueryHandler(GetBatchStats)
export class GetBatchStatsHandler implements IQueryHandler<GetBatchStats> {
  constructor(private readonly database: Database) {}

  async execute({ dialect, caller }: GetBatchStats): Promise<BatchStats> {
    const rows = await run<{ operation: string; status: BatchView['status']; batches: number }>(this.database.pool, COUNT_BATCHES, [
      caller.tenant,
      dialect ?? null,
    ]);
    const byStatus = { pending: 0, running: 0, paused: 0, completed: 0, failed: 0, cancelled: 0, timed_out: 0 };
    const byOperation = new Map<string, number>();
    let total = 0;
    for (const { operation, status, batches } of rows) {
      total += batches;
      byStatus[status] += batches;
      byOperation.set(operation, (byOperation.get(operation) ?? 0) + batches);
    }
    return { total, byStatus, byOperation: Object.fromEntries(byOperation) };
  }
}
