import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { IsIn, IsInt, IsOptional, IsString, Max, Min } from 'class-validator';
import type { Caller } from '../../common/procedure.js';
import { Database, run, type Statement } from '../../database/sql.js';
import type { MetricView, Page } from '../batch.view.js';
import { METRIC_SOURCES, type MetricSource } from '../entities/batch-metric.entity.js';
import { selectBatch } from '../store/lock-batch.js';

const DEFAULT_LIMIT = 1_000;

/** A batch's figures over time, oldest first. */
export class ListMetrics extends Query<Page<MetricView>> {
  @IsString() batchId: string;
  /** Default: of both. */
  @IsOptional() @IsIn(METRIC_SOURCES) source?: MetricSource;
  /** Default 1,000. */
  @IsOptional() @IsInt() @Min(1) @Max(2_000) limit?: number;
  @IsOptional() @IsInt() @Min(0) @Max(1_000_000) offset?: number;

  caller: Caller;
}

const SELECT_METRICS: Statement = {
  name: 'select-metrics',
  text: `
    SELECT source, at, data FROM batch_metric
    WHERE batch_id = $1 AND ($2::text IS NULL OR source = $2) ORDER BY at, id LIMIT $3 OFFSET $4`,
};

const COUNT_METRICS: Statement = {
  name: 'count-metrics',
  text: `SELECT count(*)::int AS total FROM batch_metric WHERE batch_id = $1 AND ($2::text IS NULL OR source = $2)`,
};

interface MetricRow {
  source: MetricSource;
  at: Date;
  data: MetricView['data'];
}

@QueryHandler(ListMetrics)
export class ListMetricsHandler implements IQueryHandler<ListMetrics> {
  constructor(private readonly database: Database) {}

  async execute({ batchId, source, limit = DEFAULT_LIMIT, offset = 0, caller }: ListMetrics): Promise<Page<MetricView>> {
    const { pool } = this.database;
    await selectBatch(pool, caller.tenant, batchId);
    const found = await run<MetricRow>(pool, SELECT_METRICS, [batchId, source ?? null, limit, offset]);
    const [counted] = await run<{ total: number }>(pool, COUNT_METRICS, [batchId, source ?? null]);
    const rows = found.map(({ source, at, data }) => ({ source, at: at.toISOString(), data }));
    return { rows, total: counted!.total, limit, offset, hasMore: offset + rows.length < counted!.total };
  }
}
