import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { ArrayMaxSize, IsArray, IsBoolean, IsInt, IsString, Max, Min } from 'class-validator';
import type { Caller } from '../../common/procedure.js';
import { Database, run, type Statement } from '../../database/sql.js';
import type { BatchPreview } from '../batch.view.js';
import type { ItemFailureView, ItemOutputView } from '../item.view.js';
import { OUTCOME_STATUS } from '../entities/outcome.entity.js';
import { selectNewestEdits } from '../store/item-edits.js';
import { IS_UNDONE_AFTER_ERROR } from '../store/undone-items.js';

/** Payloads, and likewise outputs, of all the batches together. */
const MAX_BYTES = 8_000_000;

/** What the batches hold, by id: their first items, failures and outputs, with four statements for all of them. */
export class PreviewBatches extends Query<Map<string, BatchPreview>> {
  @IsArray() @ArrayMaxSize(100) @IsString({ each: true }) batchIds: string[];
  /** So many of each batch. They end earlier when they have several megabytes. */
  @IsInt() @Min(0) @Max(1_000) items: number;
  @IsInt() @Min(0) @Max(1_000) failures: number;
  @IsInt() @Min(0) @Max(1_000) outputs: number;
  /** Failures with their stacks: some kilobytes each. */
  @IsBoolean() stacks: boolean;

  caller: Caller;
}

/**
 * A chunk has at least one item, so that no batch needs more chunks than items. LIMIT 1 has their items looked up one by one, not joined
 * with all that a run has.
 */
const FIRST_ITEMS: Statement = {
  name: 'first-items-of-batches',
  text: `
    SELECT batch_id, no, shown, items FROM (
      SELECT r.batch_id, c.no, c.shown, i.items,
        sum(octet_length(i.items)) OVER (ORDER BY r.id, c.no) - octet_length(i.items) AS bytes_before
      FROM batch b JOIN run r ON r.batch_id = b.id AND r.no = 1
      CROSS JOIN LATERAL (
        SELECT no, least(size, $3 - before)::int AS shown FROM (
          SELECT no, size, sum(size) OVER (ORDER BY no) - size AS before
          FROM (SELECT no, size FROM chunk WHERE run_id = r.id AND no >= 0 AND state <> 3 ORDER BY no LIMIT $3) first
        ) counted WHERE before < $3
      ) c
      CROSS JOIN LATERAL (SELECT items FROM chunk_items WHERE run_id = r.id AND no = c.no LIMIT 1) i
      WHERE b.tenant = $1 AND b.id = ANY ($2::text[])
    ) page WHERE bytes_before < ${MAX_BYTES} ORDER BY batch_id, no`,
};

const FIRST_FAILURES: Statement = {
  name: 'first-failures-of-batches',
  text: `
    SELECT r.batch_id, o.* FROM batch b JOIN run r ON r.batch_id = b.id
    CROSS JOIN LATERAL (
      SELECT seq, key, error_kind AS kind, error AS message, CASE WHEN $4 THEN error_stack END AS stack, attempts, recorded_at FROM outcome
      WHERE run_id = r.id AND status = ${OUTCOME_STATUS.failed} AND repeated_in IS NULL ORDER BY seq LIMIT $3
    ) o
    WHERE b.tenant = $1 AND b.id = ANY ($2::text[]) ORDER BY o.seq`,
};

/** Of stopped batches: what the items last ran into that were left undone. */
const FIRST_UNDONE: Statement = {
  name: 'first-undone-items-of-batches',
  text: `
    SELECT b.id AS batch_id, u.*, NULL AS stack FROM batch b JOIN run r ON r.id = b.run_id
    CROSS JOIN LATERAL (
      SELECT t.seq, t.key, t.error_kind AS kind, t.error AS message, t.attempt - 1 AS attempts, t.failed_at AS recorded_at
      FROM retry t WHERE ${IS_UNDONE_AFTER_ERROR} ORDER BY t.seq LIMIT $3 + 1
    ) u
    WHERE b.tenant = $1 AND b.id = ANY ($2::text[]) ORDER BY u.seq`,
};

const FIRST_OUTPUTS: Statement = {
  name: 'first-outputs-of-batches',
  text: `
    SELECT batch_id, seq, key, output FROM (
      SELECT r.batch_id, o.*, sum(o.size) OVER (ORDER BY r.id, o.seq) - o.size AS bytes_before
      FROM batch b JOIN run r ON r.batch_id = b.id
      CROSS JOIN LATERAL (
        SELECT seq, key, output, coalesce(octet_length(output::text), 0) AS size FROM outcome
        WHERE run_id = r.id AND status = ${OUTCOME_STATUS.succeeded} AND repeated_in IS NULL ORDER BY seq LIMIT $3
      ) o
      WHERE b.tenant = $1 AND b.id = ANY ($2::text[])
    ) page WHERE bytes_before < ${MAX_BYTES} ORDER BY seq`,
};

interface OfBatch {
  batch_id: string;
}

interface ChunkRow extends OfBatch {
  no: string;
  /** So many of its first items are asked for. */
  shown: number;
  items: string;
}

/** What items were given last. */
interface Edits {
  /** JSON texts, by batch and position. */
  payloads: Map<string, string>;
  /** The position of a batch from which on there is no room for them. */
  ends: Map<string, number>;
}

type FailureRow = OfBatch & Omit<ItemFailureView, 'recordedAt'> & { recorded_at: Date };

@QueryHandler(PreviewBatches)
export class PreviewBatchesHandler implements IQueryHandler<PreviewBatches> {
  constructor(private readonly database: Database) {}

  async execute(input: PreviewBatches): Promise<Map<string, BatchPreview>> {
    // A stack tells how the service is built: programs of the tenant are shown it, people with a token are not.
    const stacks = input.stacks && !input.caller.personal;
    const [items, failures, undone, outputs] = await Promise.all([
      this.read<ChunkRow>(FIRST_ITEMS, input, input.items),
      this.read<FailureRow>(FIRST_FAILURES, input, input.failures, stacks),
      this.read<FailureRow>(FIRST_UNDONE, input, input.failures),
      this.read<OfBatch & ItemOutputView>(FIRST_OUTPUTS, input, input.outputs),
    ]);
    const previews = new Map(
      input.batchIds.map((id): [string, BatchPreview] => [id, { payloads: [], failures: [], moreUndone: false, outputs: [] }]),
    );
    const edited = await this.editsOf(items);
    for (const row of items) pushUpTo(input.items, previews.get(row.batch_id)!.payloads, payloadsOf(row, edited));
    for (const { batch_id, ...row } of failures) pushUpTo(input.failures, previews.get(batch_id)!.failures, [toFailure(row)]);
    for (const { batch_id, ...row } of undone) {
      const preview = previews.get(batch_id)!;
      if (preview.failures.length < input.failures) preview.failures.push(toFailure(row));
      else preview.moreUndone = true;
    }
    for (const { batch_id, ...row } of outputs) pushUpTo(input.outputs, previews.get(batch_id)!.outputs, [row]);
    return previews;
  }

  /** Of the items asked for in the caller's chunks. */
  private async editsOf(chunks: ChunkRow[]): Promise<Edits> {
    const edited: Edits = { payloads: new Map(), ends: new Map() };
    if (chunks.length === 0) return edited;
    const positions = chunks.map(({ batch_id: batchId, no, shown }) => ({ batchId, first: Number(no), last: Number(no) + shown - 1 }));
    const edits = await selectNewestEdits(this.database.pool, positions, MAX_BYTES);
    for (const { batch_id, seq, payload } of edits) {
      if (payload !== null) edited.payloads.set(`${batch_id}:${seq}`, payload);
      else if (!edited.ends.has(batch_id)) edited.ends.set(batch_id, seq);
    }
    return edited;
  }

  private async read<Row extends object>(
    statement: Statement,
    { batchIds, caller }: PreviewBatches,
    limit: number,
    ...more: unknown[]
  ): Promise<Row[]> {
    if (limit === 0 || batchIds.length === 0) return [];
    return run<Row>(this.database.pool, statement, [caller.tenant, batchIds, limit, ...more]);
  }
}

function toFailure({ recorded_at, ...row }: Omit<FailureRow, 'batch_id'>): ItemFailureView {
  return { ...row, recordedAt: recorded_at.toISOString() };
}

function payloadsOf({ batch_id, no, items }: ChunkRow, { payloads, ends }: Edits): unknown[] {
  const first = Number(no);
  const shown = Math.max(0, (ends.get(batch_id) ?? Infinity) - first);
  return (JSON.parse(items) as { payload?: unknown }[]).slice(0, shown).map(({ payload }, index) => {
    const edit = payloads.get(`${batch_id}:${first + index}`);
    return edit === undefined ? (payload ?? null) : (JSON.parse(edit) as unknown);
  });
}

function pushUpTo<T>(limit: number, list: T[], more: T[]): void {
  list.push(...more.slice(0, limit - list.length));
}
