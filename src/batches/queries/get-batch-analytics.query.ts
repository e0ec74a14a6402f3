import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { IsString } from 'class-validator';
import type { Caller } from '../../common/procedure.js';
import { Database, run, type Statement } from '../../database/sql.js';
import type { BatchAnalytics } from '../batch.view.js';
import type { BatchEventRecord } from '../events/batch.events.js';
import { selectBatch, selectRunIds } from '../store/lock-batch.js';
import { type BatchRow, toBatchView } from '../store/select-batches.js';
import { selectTally } from '../store/select-tally.js';
import { countErrorsOfUndone, mayHaveUndone } from '../store/undone-items.js';
import type { Tally } from '../tally.js';

/** Up to this many outcomes percentiles are read from the rows themselves (about 5 ms); beyond, from the lanes' sketches. */
const EXACT_UP_TO = 10_000;

/** A batch's durations, quality and errors, of the outcomes that count, and the progress of its current run over time. */
export class GetBatchAnalytics extends Query<BatchAnalytics> {
  @IsString() batchId: string;

  caller: Caller;
}

const EXACT_PERCENTILES: Statement = {
  name: 'exact-percentiles',
  text: `
    SELECT percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY duration_ms) AS percentiles
    FROM outcome WHERE run_id = ANY ($1::bigint[]) AND repeated_in IS NULL AND duration_ms IS NOT NULL`,
};

const SELECT_TIMELINE: Statement = {
  name: 'select-timeline',
  text: `
    SELECT at, data FROM (
      SELECT seq, at, data, row_number() OVER (ORDER BY seq) AS n, count(*) OVER () AS events
      FROM batch_event WHERE batch_id = $1 AND run_id = $2
    ) e
    WHERE n % greatest(1, events / 200) = 0 OR n = events ORDER BY seq`,
};

@QueryHandler(GetBatchAnalytics)
export class GetBatchAnalyticsHandler implements IQueryHandler<GetBatchAnalytics> {
  constructor(private readonly database: Database) {}

  async execute({ batchId, caller }: GetBatchAnalytics): Promise<BatchAnalytics> {
    const { pool } = this.database;
    const batch = await selectBatch(pool, caller.tenant, batchId);
    const view = toBatchView(batch);
    const tally = await selectTally(pool, batch.run_id);
    const undone = mayHaveUndone(batch) ? await countErrorsOfUndone(pool, batch.run_id) : [];
    for (const { kind, message, count: times } of undone) tally.addError(kind, message, times);
    const { count, sum } = tally.durations;
    const [p50, p95, p99] = await this.percentiles(batch, tally);
    const { quality } = tally;
    return {
      batchId,
      status: view.status,
      counts: view.counts,
      durations: { count, sum, average: count === 0 ? 0 : sum / count, p50, p95, p99 },
      quality: {
        count: quality.count,
        average: quality.count === 0 ? null : quality.sum / quality.count,
        histogram: [...quality.histogram],
      },
      errors: tally.errors,
      timeline: await this.timeline(batchId, batch.run_id),
    };
  }

  private async percentiles(batch: BatchRow, tally: Tally): Promise<[number, number, number]> {
    if (tally.durations.count > EXACT_UP_TO) return [tally.percentile(0.5), tally.percentile(0.95), tally.percentile(0.99)];
    const { pool } = this.database;
    const [row] = await run<{ percentiles: [number, number, number] | null }>(pool, EXACT_PERCENTILES, [await selectRunIds(pool, batch)]);
    return row?.percentiles ?? [0, 0, 0];
  }

  private async timeline(batchId: string, runId: string): Promise<BatchAnalytics['timeline']> {
    const rows = await run<{ at: Date; data: BatchEventRecord['data'] }>(this.database.pool, SELECT_TIMELINE, [batchId, runId]);
    return rows.map(({ at, data: { counts, progress } }) => ({
      at: at.toISOString(),
      processed: counts.succeeded + counts.failed + counts.skipped,
      failed: counts.failed,
      progress,
    }));
  }
}
