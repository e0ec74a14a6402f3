import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { IsIn, IsInt, IsOptional, IsString, Max, Min } from 'class-validator';
import { invalidField, unprocessable } from '../../common/app-error.js';
import type { Caller } from '../../common/procedure.js';
import { type Connection, Database, run, type Statement } from '../../database/sql.js';
import { isTerminal } from '../batch.state.js';
import type { Page } from '../batch.view.js';
import { ITEM_STATUSES, type ItemView } from '../item.view.js';
import { CHUNK_STATE } from '../entities/chunk.entity.js';
import { OUTCOME_STATUS } from '../entities/outcome.entity.js';
import { keyOf, type PackedItem } from '../packed-item.js';
import { newestPayloads } from '../store/item-edits.js';
import { rampedWidth } from '../ramp-up.js';
import { selectBatch, selectRunIds } from '../store/lock-batch.js';
import { placeOfItem } from '../store/place-of-item.js';
import type { BatchRow } from '../store/select-batches.js';
import { SELECT_CHUNKS_OF_POSITIONS, selectExternalItems } from '../store/select-external-items.js';

/** A batch's items with their payloads and present states, in order. */
export class ListItems extends Query<Page<ItemView>> {
  @IsString() batchId: string;
  /** Only items that are so, of a batch whose results come from outside. */
  @IsOptional() @IsIn(ITEM_STATUSES) status?: ItemView['status'];
  /** Default 100. */
  @IsOptional() @IsInt() @Min(1) @Max(1_000) limit?: number;
  @IsOptional() @IsInt() @Min(0) @Max(2_000_000_000) offset?: number;
  /** In place of an offset: from this position on. Positions that a refused request had reserved stay empty. */
  @IsOptional() @IsInt() @Min(0) @Max(2_000_000_000) fromSeq?: number;

  caller: Caller;
}

/**
 * Chunks of the first run in order with the number of items before each, so that a page is found without unpacking what is not on it.
 * Where every position that was reserved holds an item, that number is the chunk's own, and no chunk before the page is looked at.
 * LIMIT 1 has their items looked up one by one, not joined with all that a run has.
 * A page ends after about 16 MB of payloads. Chunks of retries hold items that are in a chunk already.
 */
const SELECT_CHUNKS: Statement = {
  name: 'select-chunks-of-page',
  text: `
    WITH list AS MATERIALIZED (
      SELECT gate,
        CASE WHEN total = next_seq THEN coalesce((SELECT max(no) FROM chunk WHERE run_id = $1 AND no BETWEEN 0 AND $2 AND state <> 3), 0)
          ELSE 0 END AS first,
        CASE WHEN total = next_seq THEN $2::bigint + $3::int ELSE 2147483648 END AS beyond
      FROM run WHERE id = $1
    )
    SELECT * FROM (
    SELECT c.no, c.size, c.state, c.settled, c.before, c.lane, i.items, l.item_progress, coalesce(l.busy, least(l.width, l.granted)) AS width,
      (SELECT gate FROM list) AS gate,
      sum(octet_length(i.items)) OVER (ORDER BY c.no) - octet_length(i.items) AS bytes_before
    FROM (
      SELECT no, size, state, settled, lane, ((SELECT first FROM list) + sum(size) OVER (ORDER BY no) - size)::int AS before
      FROM chunk WHERE run_id = $1 AND no >= (SELECT first FROM list) AND no < (SELECT beyond FROM list) AND state <> 3
    ) c
    CROSS JOIN LATERAL (SELECT items FROM chunk_items WHERE run_id = $1 AND no = c.no LIMIT 1) i
    LEFT JOIN lane l ON l.run_id = $1 AND l.no = c.lane
    WHERE c.before < $2::int + $3::int AND c.before + c.size > $2
    ) page WHERE bytes_before < 16000000 ORDER BY no`,
};

/** Chunks of a run that repeats some of the items, as far as they hold items from one position to another. */
const SELECT_REPEATED: Statement = {
  name: 'select-chunks-of-repeated-items',
  text: `
    SELECT c.no, c.size, c.state, c.settled, 0 AS before, c.lane, i.items, l.item_progress, coalesce(l.busy, least(l.width, l.granted)) AS width, NULL AS gate
    FROM chunk c
    JOIN chunk_items i ON i.run_id = $1 AND i.no = c.no
    LEFT JOIN lane l ON l.run_id = $1 AND l.no = c.lane
    WHERE c.run_id = $1 AND c.no <= $3 AND c.no >= coalesce((SELECT max(no) FROM chunk WHERE run_id = $1 AND no BETWEEN 0 AND $2::bigint), 0)
    ORDER BY c.no`,
};

const SELECT_STATES: Statement = {
  name: 'select-item-states',
  text: `
    SELECT seq, status, attempts, error_kind, error FROM outcome
    WHERE run_id = ANY ($1::bigint[]) AND seq = ANY ($3::int[]) AND repeated_in IS NULL
    UNION ALL
    SELECT seq, 0, attempt - 1, error_kind, error FROM retry WHERE run_id = $2 AND seq = ANY ($3::int[])`,
};

/** Those that a result from outside is still to come of have the status -1. */
const SELECT_EXTERNAL_STATES: Statement = {
  name: 'select-external-item-states',
  text: `
    SELECT seq, status, attempts, error_kind, error FROM outcome
    WHERE run_id = ANY ($1::bigint[]) AND seq = ANY ($3::int[]) AND repeated_in IS NULL
    UNION ALL
    SELECT seq, -1, 0, NULL, NULL FROM external_result WHERE run_id = $2 AND seq = ANY ($3::int[]) AND NOT recorded`,
};

interface ChunkRow {
  no: string;
  size: number;
  state: number;
  settled: number[];
  before: number;
  items: string;
  item_progress: Record<string, number> | null;
  lane: number | null;
  /** Items that the chunk's lane runs side by side. */
  width: number | null;
  /** Position of the first item that a canary keeps back. */
  gate: number | null;
}

interface StateRow {
  seq: number;
  status: number;
  attempts: number;
  error_kind: string | null;
  error: string | null;
}

const STATE_NAMES: Record<number, ItemView['status']> = {
  '-1': 'pending',
  0: 'retrying',
  [OUTCOME_STATUS.succeeded]: 'succeeded',
  [OUTCOME_STATUS.failed]: 'failed',
  [OUTCOME_STATUS.skipped]: 'skipped',
};

@QueryHandler(ListItems)
export class ListItemsHandler implements IQueryHandler<ListItems> {
  constructor(private readonly database: Database) {}

  /** @throws AppError UNPROCESSABLE for a status of items that are worked here: they change it while they are listed */
  async execute(input: ListItems): Promise<Page<ItemView>> {
    const { pool } = this.database;
    const batch = await selectBatch(pool, input.caller.tenant, input.batchId);
    const runIds = await selectRunIds(pool, batch);
    const ended = isTerminal(batch.status);
    const { total, limit, offset, chunks, isOnPage } = await this.findPage(input, batch, runIds);
    // A run that another one followed has ended: what it left undone was cancelled, unless it is repeated.
    const busy = new Map<number, number>();
    const items = chunks
      .flatMap((chunk) => unpack(chunk, ended || runIds.length > 1, busy))
      .filter(isOnPage)
      .map(({ view }) => view);
    const repeated = runIds.length > 1 ? await repeatedItems(pool, batch, items, ended) : new Map<number, ItemView>();
    const statement = batch.external ? SELECT_EXTERNAL_STATES : SELECT_STATES;
    const states = await run<StateRow>(pool, statement, [runIds, batch.run_id, items.map(({ seq }) => seq)]);
    const bySeq = new Map(states.map((state) => [state.seq, state]));
    const edited = items.length > 0 ? await newestPayloads(pool, batch.id, items[0]!.seq, items.at(-1)!.seq) : new Map<number, string>();
    const rows = items.map((item) =>
      withPayload(withState(repeated.get(item.seq) ?? item, bySeq.get(item.seq), ended), edited.get(item.seq)),
    );
    // A batch whose results come from outside may have announced more items than it can name: their page is empty, and the last.
    return { rows, total, limit, offset, hasMore: rows.length > 0 && offset + rows.length < total };
  }

  private async findPage(input: ListItems, batch: BatchRow, runIds: string[]): Promise<FoundPage> {
    const { pool } = this.database;
    const { status, fromSeq, limit = 100, offset: given = 0 } = input;
    if (fromSeq !== undefined && input.offset !== undefined) throw invalidField('fromSeq', 'is in place of an offset; give one of them');
    if (status === undefined) {
      const offset = fromSeq === undefined ? given : await placeOfItem(pool, runIds[0]!, fromSeq);
      const chunks = await selectChunks(pool, SELECT_CHUNKS, [runIds[0]!, offset, limit], batch);
      return { total: batch.total, limit, offset, chunks, isOnPage: ({ place }) => place >= offset && place < offset + limit };
    }
    if (!batch.external) throw unprocessable('status', `finds items of batches whose results come from outside; ${ITEMS_WORKED_HERE}`);
    if (fromSeq !== undefined) throw invalidField('fromSeq', 'does not go with status; give an offset');
    const { seqs, total } = await selectExternalItems(pool, { batch, runIds }, status, { limit, offset: given });
    const chunks = await run<ChunkRow>(pool, SELECT_CHUNKS_OF_POSITIONS, [runIds[0]!, seqs]);
    const wanted = new Set(seqs);
    return { total, limit, offset: given, chunks, isOnPage: ({ view }) => wanted.has(view.seq) };
  }
}

const ITEMS_WORKED_HERE = 'of this one, which is worked here, list the results by status';

interface UnpackedItem {
  /** Items of the list before it. */
  place: number;
  view: ItemView;
}

interface FoundPage {
  total: number;
  limit: number;
  offset: number;
  /** They hold the page's items, and others. */
  chunks: ChunkRow[];
  isOnPage: (item: UnpackedItem) => boolean;
}

/** With what each chunk's lane may run while the batch's concurrency still grows. */
async function selectChunks(pool: Connection, statement: Statement, values: unknown[], batch: BatchRow): Promise<ChunkRow[]> {
  const chunks = await run<ChunkRow>(pool, statement, values);
  const { options, started_at: startedAt } = batch;
  if (!options.rampUp || !startedAt) return chunks;
  const elapsedMs = Date.now() - startedAt.getTime();
  return chunks.map((chunk) => ({ ...chunk, width: Math.min(chunk.width ?? 0, rampedWidth(options, chunk.lane ?? 0, elapsedMs)) }));
}

/** Those of the items that the run works again, by position. */
async function repeatedItems(pool: Connection, batch: BatchRow, items: ItemView[], ended: boolean): Promise<Map<number, ItemView>> {
  if (items.length === 0) return new Map();
  const chunks = await selectChunks(pool, SELECT_REPEATED, [batch.run_id, items[0]!.seq, items.at(-1)!.seq], batch);
  const busy = new Map<number, number>();
  return new Map(chunks.flatMap((chunk) => unpack(chunk, ended, busy)).map(({ view }) => [view.seq, view]));
}

/** @param busy items that each lane is known to run so far; it takes its chunks in order, and holds more of them than it can run */
function unpack(chunk: ChunkRow, ended: boolean, busy: Map<number, number>): UnpackedItem[] {
  const firstSeq = Number(chunk.no);
  const packed = JSON.parse(chunk.items) as PackedItem[];
  return packed.map((item, index) => {
    const seq = item.seq ?? firstSeq + index;
    const state = openStatus(chunk, index, ended);
    const isKeptBack = chunk.gate !== null && seq >= chunk.gate;
    const status = state === 'running' && (isKeptBack || !takesSlot(chunk, busy)) ? 'pending' : state;
    const progress = status === 'running' ? (chunk.item_progress?.[String(seq)] ?? 0) : null;
    const view: ItemView = {
      seq,
      key: keyOf(item, seq),
      payload: item.payload ?? null,
      status,
      progress,
      attempts: (item.attempt ?? 1) - 1,
      error: null,
    };
    return { place: chunk.before + index, view };
  });
}

/** A lane runs so many items at a time; the others of its chunks still wait. */
function takesSlot({ lane, width }: ChunkRow, busy: Map<number, number>): boolean {
  const taken = busy.get(lane ?? 0) ?? 0;
  busy.set(lane ?? 0, taken + 1);
  return taken < (width ?? 0);
}

/** The state of an item without an outcome. An item that was settled without one waits in a chunk of retries. */
function openStatus(chunk: ChunkRow, index: number, ended: boolean): ItemView['status'] {
  if (ended) return 'cancelled';
  if (chunk.state === CHUNK_STATE.pending) return 'pending';
  if (chunk.state === CHUNK_STATE.done || chunk.settled.includes(index)) return 'retrying';
  return 'running';
}

function withState(item: ItemView, state: StateRow | undefined, ended: boolean): ItemView {
  if (!state) return item;
  const status = state.status <= 0 && ended ? 'cancelled' : STATE_NAMES[state.status]!;
  const error = state.error === null ? null : { kind: state.error_kind!, message: state.error };
  return { ...item, status, progress: null, attempts: state.attempts, error };
}

/** @param edited JSON text of what the item was given last */
function withPayload(item: ItemView, edited: string | undefined): ItemView {
  return edited === undefined ? item : { ...item, payload: JSON.parse(edited) };
}
