import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { Type } from 'class-transformer';
import { IsIn, IsInt, IsOptional, IsString, Max, MaxLength, Min } from 'class-validator';
import type { Caller } from '../../common/procedure.js';
import { Database } from '../../database/sql.js';
import type { OutcomeView, Page } from '../batch.view.js';
import { OUTCOME_STATUS } from '../entities/outcome.entity.js';
import { selectBatch } from '../store/lock-batch.js';

/** A page ends after about so many bytes of outputs, however many rows were asked for. */
const MAX_PAGE_BYTES = 16_000_000;

type OutcomeStatus = OutcomeView['status'];

/** What a batch's items ended as so far, in the items' order. */
export class ListOutcomes extends Query<Page<OutcomeView>> {
  @IsString() batchId: string;
  @IsOptional() @IsIn(Object.keys(OUTCOME_STATUS)) status?: OutcomeStatus;
  @IsOptional() @IsString() @MaxLength(512) key?: string;
  /** Default 100. */
  @IsOptional() @Type(() => Number) @IsInt() @Min(1) @Max(10_000) limit?: number;
  @IsOptional() @Type(() => Number) @IsInt() @Min(0) @Max(2_000_000_000) offset?: number;

  caller: Caller;
}

interface OutcomeRow {
  seq: number;
  key: string;
  status: number;
  output: unknown;
  error_kind: string | null;
  error: string | null;
  attempts: number;
  duration_ms: number | null;
  quality: number | null;
  recorded_at: Date;
}

@QueryHandler(ListOutcomes)
export class ListOutcomesHandler implements IQueryHandler<ListOutcomes> {
  constructor(private readonly database: Database) {}

  async execute(input: ListOutcomes): Promise<Page<OutcomeView>> {
    const batch = await selectBatch(this.database.pool, input.caller.tenant, input.batchId);
    const limit = input.limit ?? 100;
    const offset = input.offset ?? 0;
    const where = `run_id = $1 AND ($2::smallint IS NULL OR status = $2) AND ($3::text IS NULL OR key = $3)`;
    const values = [batch.run_id, input.status ? OUTCOME_STATUS[input.status] : null, input.key ?? null];
    const { pool } = this.database;
    const found = await pool.query<OutcomeRow>(
      `SELECT * FROM (
         SELECT p.*, sum(size) OVER (ORDER BY seq) - size AS before FROM (
           SELECT seq, key, status, output, error_kind, error, attempts, duration_ms, quality, recorded_at,
             coalesce(octet_length(output::text), 0) AS size
           FROM outcome WHERE ${where} ORDER BY seq LIMIT ${limit} OFFSET ${offset}
         ) p
       ) page WHERE before < ${MAX_PAGE_BYTES} ORDER BY seq`,
      values,
    );
    const total = await this.total(input, batch, values, where);
    return { rows: found.rows.map(toOutcomeView), total, limit, offset, hasMore: offset + found.rows.length < total };
  }

  /** The lanes' own counts answer without looking at the outcomes, except for one key. */
  private async total(input: ListOutcomes, counts: Record<OutcomeStatus, number>, values: unknown[], where: string): Promise<number> {
    if (input.key !== undefined) {
      const counted = await this.database.pool.query<{ total: number }>(
        `SELECT count(*)::int AS total FROM outcome WHERE ${where}`,
        values,
      );
      return counted.rows[0]!.total;
    }
    return input.status ? counts[input.status] : counts.succeeded + counts.failed + counts.skipped;
  }
}

const STATUS_NAMES = Object.fromEntries(Object.entries(OUTCOME_STATUS).map(([name, number]) => [number, name])) as Record<
  number,
  OutcomeStatus
>;

function toOutcomeView(row: OutcomeRow): OutcomeView {
  return {
    seq: row.seq,
    key: row.key,
    status: STATUS_NAMES[row.status]!,
    output: row.output,
    error: row.error === null ? null : { kind: row.error_kind!, message: row.error },
    attempts: row.attempts,
    durationMs: row.duration_ms,
    quality: row.quality,
    recordedAt: row.recorded_at.toISOString(),
  };
}
