import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { IsArray, IsIn, IsInt, IsISO8601, IsOptional, IsString, Max, MaxLength, Min } from 'class-validator';
import { type Caller, type Dialect, DIALECTS } from '../../common/procedure.js';
import { FreeSpace } from '../../database/free-space.js';
import { Database, run, type Statement } from '../../database/sql.js';
import { RUN_STATUSES } from '../batch.state.js';
import type { BatchView, Page } from '../batch.view.js';
import { TOTALS } from '../store/ended-totals.js';
import { type BatchRow, SELECT_BATCHES, toBatchView } from '../store/select-batches.js';

const SHOWN_STATUSES = RUN_STATUSES.filter((status) => status !== 'stopping');
const MAX_LIMIT = 100;

/** The tenant's batches, newest first. */
export class ListBatches extends Query<Page<BatchView>> {
  @IsOptional() @IsIn(DIALECTS) dialect?: Dialect;
  @IsOptional() @IsString() @MaxLength(100) operation?: string;
  /** Any of these. */
  @IsOptional() @IsArray() @IsIn(SHOWN_STATUSES, { each: true }) status?: BatchView['status'][];
  @IsOptional() @IsISO8601() createdAfter?: string;
  @IsOptional() @IsISO8601() createdBefore?: string;
  /** The user or key that created it. */
  @IsOptional() @IsString() @MaxLength(200) createdBy?: string;
  /** Part of the name, in any case. */
  @IsOptional() @IsString() @MaxLength(500) name?: string;
  /** Default 50; more than 100 is taken as 100. */
  @IsOptional() @IsInt() @Min(1) limit?: number;
  @IsOptional() @IsInt() @Min(0) @Max(1_000_000) offset?: number;

  caller: Caller;
}

const COUNT_LISTED: Statement = {
  name: 'count-listed-batches',
  text: `
    SELECT coalesce(sum(batches), 0)::int AS total FROM (${TOTALS}) t
    WHERE ($3::text IS NULL OR operation = $3) AND ($4::text[] IS NULL OR status = ANY ($4))`,
};

@QueryHandler(ListBatches)
export class ListBatchesHandler implements IQueryHandler<ListBatches> {
  constructor(
    private readonly database: Database,
    private readonly space: FreeSpace,
  ) {}

  async execute(input: ListBatches): Promise<Page<BatchView>> {
    const limit = Math.min(input.limit ?? 50, MAX_LIMIT);
    const offset = input.offset ?? 0;
    const { where, values } = conditions(input);
    const from = `FROM batch b ${input.status ? 'JOIN run r ON r.id = b.run_id' : ''} WHERE ${where}`;
    // The page is cut before counts are added up: only its own batches cost a look at their lanes.
    const page = `SELECT b.id ${from} ORDER BY b.created_at DESC, b.id DESC LIMIT ${limit} OFFSET ${offset}`;
    const { pool } = this.database;
    const [rows, total] = await Promise.all([
      pool.query<BatchRow>(`${SELECT_BATCHES} WHERE b.id IN (${page}) ORDER BY b.created_at DESC, b.id DESC`, values),
      isTotalled(input)
        ? this.total(input)
        : pool.query<{ total: number }>(`SELECT count(*)::int AS total ${from}`, values).then(({ rows }) => rows[0]!.total),
    ]);
    const shortage = this.space.shortage('database')?.message;
    return { rows: rows.rows.map((row) => toBatchView(row, shortage)), total, limit, offset, hasMore: offset + rows.rows.length < total };
  }

  private async total({ dialect, operation, status, caller }: ListBatches): Promise<number> {
    const [counted] = await run<{ total: number }>(this.database.pool, COUNT_LISTED, [
      caller.tenant,
      dialect ?? null,
      operation ?? null,
      status ?? null,
    ]);
    return counted!.total;
  }
}

/** Whether batches are counted by what they are asked for. */
function isTotalled({ createdAfter, createdBefore, createdBy, name }: ListBatches): boolean {
  return [createdAfter, createdBefore, createdBy, name].every((filter) => filter === undefined);
}

function conditions(input: ListBatches): { where: string; values: unknown[] } {
  const values: unknown[] = [input.caller.tenant];
  const parts = ['b.tenant = $1'];
  const add = (condition: (parameter: string) => string, value: unknown): void => {
    if (value === undefined) return;
    values.push(value);
    parts.push(condition(`$${values.length}`));
  };
  add((p) => `b.dialect = ${p}`, input.dialect);
  add((p) => `b.operation = ${p}`, input.operation);
  add((p) => `(r.status = ANY (${p}::text[]) OR (r.status = 'stopping' AND r.ends_as = ANY (${p}::text[])))`, input.status);
  add((p) => `b.created_at > ${p}::timestamptz`, input.createdAfter);
  add((p) => `b.created_at < ${p}::timestamptz`, input.createdBefore);
  add((p) => `b.created_by = ${p}`, input.createdBy);
  add((p) => `strpos(lower(b.name), lower(${p})) > 0`, input.name);
  return { where: parts.join(' AND '), values };
}
