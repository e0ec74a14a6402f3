import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { IsBoolean, IsIn, IsInt, IsOptional, IsString, Max, MaxLength, Min } from 'class-validator';
import { invalidField } from '../../common/app-error.js';
import type { Caller } from '../../common/procedure.js';
import { Database } from '../../database/sql.js';
import type { Page } from '../batch.view.js';
import type { OutcomeView } from '../item.view.js';
import { OUTCOME_STATUS } from '../entities/outcome.entity.js';
import { selectBatch, selectRunIds } from '../store/lock-batch.js';
import { positionsOfKey } from '../store/positions-of-key.js';
import { startOfPage } from '../store/start-of-page.js';
import { mayHaveUndone, selectUndone } from '../store/undone-items.js';
import { OUTCOME_COLUMNS, type OutcomeRow, toOutcomeView } from '../store/outcome-rows.js';
import type { BatchRow } from '../store/select-batches.js';

/** A page ends after about so many bytes of outputs, however many rows were asked for. */
const MAX_PAGE_BYTES = 16_000_000;

/** So many outcomes are passed over as fast as anything else could find the page. */
const SHORT_WAY = 1_000;

const STATUSES: OutcomeView['status'][] = ['succeeded', 'failed', 'skipped', 'cancelled'];

/**
 * What a batch's items ended as so far, in the items' order: of an item that was repeated what counts, or all of it. Those with the status
 * `cancelled` are told only when they are asked for: items that a stopped batch left undone, as far as they had run into an error.
 */
export class ListOutcomes extends Query<Page<OutcomeView>> {
  @IsString() batchId: string;
  @IsOptional() @IsIn(STATUSES) status?: OutcomeView['status'];
  @IsOptional() @IsString() @MaxLength(512) key?: string;
  /** Also what repeated items ended as before, by run. */
  @IsOptional() @IsBoolean() history?: boolean;
  /** Default 100. */
  @IsOptional() @IsInt() @Min(1) @Max(10_000) limit?: number;
  @IsOptional() @IsInt() @Min(0) @Max(2_000_000_000) offset?: number;

  caller: Caller;
}

@QueryHandler(ListOutcomes)
export class ListOutcomesHandler implements IQueryHandler<ListOutcomes> {
  constructor(private readonly database: Database) {}

  async execute(input: ListOutcomes): Promise<Page<OutcomeView>> {
    const { pool } = this.database;
    const batch = await selectBatch(pool, input.caller.tenant, input.batchId);
    const limit = input.limit ?? 100;
    const offset = input.offset ?? 0;
    if (input.status === 'cancelled') return this.undone(input, batch, { limit, offset });
    const runIds = await selectRunIds(pool, batch);
    const positions = input.key === undefined || batch.external ? null : await positionsOfKey(pool, runIds, input.key);
    const status = input.status ? OUTCOME_STATUS[input.status] : null;
    const values = [runIds, status, input.key ?? null, input.history ?? false, positions];
    const isAll = input.status === undefined && input.key === undefined && !(input.history && runIds.length > 1);
    const start = isAll && !batch.external && offset >= SHORT_WAY ? startOfPage(offset) : `SELECT 0 AS seq, ${offset} AS skipped`;
    const page = runIds.length === 1 ? pageOfOne(limit, offset) : pageOfSeveral(limit);
    const found = await pool.query<OutcomeRow>(
      `WITH start AS MATERIALIZED (${start})
       SELECT page.*, r.no AS run FROM (
         SELECT p.*, sum(size) OVER (ORDER BY seq, run_id) - size AS before FROM (${page}) p
       ) page JOIN run r ON r.id = page.run_id AND r.id = ANY ($1::bigint[]) WHERE before < ${MAX_PAGE_BYTES} ORDER BY seq, run_id`,
      values,
    );
    const total = await this.total(input, batch, values);
    return { rows: found.rows.map(toOutcomeView), total, limit, offset, hasMore: offset + found.rows.length < total };
  }

  private async undone(
    { key, history }: ListOutcomes,
    batch: BatchRow,
    page: { limit: number; offset: number },
  ): Promise<Page<OutcomeView>> {
    if (key !== undefined || history) throw invalidField('status', 'cancelled goes with neither key nor history; leave them out');
    if (!mayHaveUndone(batch)) return { rows: [], total: 0, ...page, hasMore: false };
    const { rows, total } = await selectUndone(this.database.pool, batch, page);
    return { rows, total, ...page, hasMore: page.offset + rows.length < total };
  }

  /** The lanes' own counts answer without looking at the outcomes, except for one key or for history. */
  private async total(input: ListOutcomes, batch: BatchRow, values: unknown[]): Promise<number> {
    if (input.key === undefined && (!input.history || batch.run_no === 1)) {
      return input.status && input.status !== 'cancelled' ? batch[input.status] : batch.succeeded + batch.failed + batch.skipped;
    }
    const counted = await this.database.pool.query<{ total: number }>(
      `SELECT count(*)::int AS total FROM outcome o WHERE run_id = ANY ($1::bigint[]) AND ${WANTED}`,
      values,
    );
    return counted.rows[0]!.total;
  }
}

const WANTED = `($2::smallint IS NULL OR o.status = $2) AND ($3::text IS NULL OR o.key = $3) AND ($4::boolean OR o.repeated_in IS NULL)
  AND ($5::int[] IS NULL OR o.seq = ANY ($5))`;

/** One run's outcomes lie in their index in the items' order. Those that are passed over are counted, and nothing else is made of them. */
function pageOfOne(limit: number, offset: number): string {
  const ofRun = `FROM outcome o WHERE o.run_id = ($1::bigint[])[1] AND ${WANTED}`;
  const first = `SELECT o.seq ${ofRun} AND o.seq >= (SELECT seq FROM start) ORDER BY o.seq LIMIT 1 OFFSET (SELECT skipped FROM start)`;
  return `SELECT ${OUTCOME_COLUMNS} ${ofRun} ${offset > 0 ? `AND o.seq >= (${first})` : ''} ORDER BY o.seq LIMIT ${limit}`;
}

/** Of each run the first ones in that order, merged; outputs are read only of those on the page. */
function pageOfSeveral(limit: number): string {
  return `
    SELECT ${OUTCOME_COLUMNS} FROM (
      SELECT f.run_id, f.seq FROM unnest($1::bigint[]) AS r (id), LATERAL (
        SELECT o.run_id, o.seq FROM outcome o WHERE o.run_id = r.id AND ${WANTED} AND o.seq >= (SELECT seq FROM start)
        ORDER BY o.seq LIMIT ${limit} + (SELECT skipped FROM start)
      ) f ORDER BY f.seq, f.run_id LIMIT ${limit} OFFSET (SELECT skipped FROM start)
    ) place JOIN outcome o ON o.run_id = place.run_id AND o.seq = place.seq`;
}
