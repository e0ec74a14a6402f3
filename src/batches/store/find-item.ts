import { AppError, invalidField } from '../../common/app-error.js';
import { type Connection, run, type Statement } from '../../database/sql.js';
import { hashesOf } from '../key-summary.js';
import { keyOf, type PackedItem } from '../packed-item.js';
import { mayHoldKey, placeOfKey } from './positions-of-key.js';

/** By its key or by its position. */
export interface ItemName {
  key?: string;
  seq?: number;
}

/** An item as it came in. */
export interface FoundItem {
  seq: number;
  key: string;
  payload: unknown;
}

/**
 * The next chunks in which an item of the key `$3` may be: of those whose summary may hold it, the ones whose text has the key, or an
 * escape that may spell it; and the one with the item that is called so by its number, `$4`. LIMIT 1 has the items
 * looked up chunk by chunk: in a join of a large run's chunks with their items PostgreSQL may compare each with each.
 */
const MAY_HOLD_KEY: Statement = {
  name: 'select-chunks-that-may-hold-key',
  text: `
    SELECT c.no, i.items FROM chunk c CROSS JOIN LATERAL (
      SELECT items FROM chunk_items i WHERE i.run_id = c.run_id AND i.no = c.no AND ${mayHoldKey({ first: '$5', step: '$6', place: '$4' })} LIMIT 1
    ) i
    WHERE c.run_id = $1 AND c.no > $2 AND c.no >= 0 AND c.state <> 3
      AND (strpos(i.items, $3) > 0 OR strpos(i.items, '\\') > 0 OR ($4::bigint >= c.no AND $4 < c.no + c.size))
    ORDER BY c.no LIMIT 10`,
};

const AT_POSITION: Statement = {
  name: 'select-chunk-at-position',
  text: `
    SELECT c.no, i.items FROM (
      SELECT run_id, no FROM chunk WHERE run_id = $1 AND no BETWEEN 0 AND $2 AND state <> 3 ORDER BY no DESC LIMIT 1
    ) c JOIN chunk_items i ON i.run_id = c.run_id AND i.no = c.no`,
};

interface ChunkRow {
  no: string;
  items: string;
}

/**
 * The one item of the name in the batch's list of items.
 * @param runId the batch's first run
 * @throws AppError NOT_FOUND, and CONFLICT when several have the key
 */
export async function findItem(connection: Connection, batchId: string, runId: string, name: ItemName): Promise<FoundItem> {
  const { key, seq } = name;
  if ((key === undefined) === (seq === undefined)) throw invalidField('key', 'name the item either by it or by its seq');
  const found = seq === undefined ? await findByKey(connection, runId, key!) : await findBySeq(connection, runId, seq);
  const [item] = found;
  if (!item)
    throw new AppError('NOT_FOUND', `batch ${batchId} has no item with the ${seq === undefined ? `key ${key}` : `seq ${seq}`} in its list`);
  if (found.length > 1) {
    throw new AppError(
      'CONFLICT',
      `several items of batch ${batchId} have the key ${key}: those at ${found.map((each) => each.seq).join(', ')}; name one by its seq`,
    );
  }
  return item;
}

async function findBySeq(connection: Connection, runId: string, seq: number): Promise<FoundItem[]> {
  const chunks = await run<ChunkRow>(connection, AT_POSITION, [runId, seq]);
  return chunks.flatMap(unpack).filter((item) => item.seq === seq);
}

/** @returns at most some of them */
async function findByKey(connection: Connection, runId: string, key: string): Promise<FoundItem[]> {
  const found: FoundItem[] = [];
  const names = [key, placeOfKey(key), ...hashesOf(key)];
  let after = '-1';
  for (;;) {
    const chunks = await run<ChunkRow>(connection, MAY_HOLD_KEY, [runId, after, ...names]);
    found.push(...chunks.flatMap(unpack).filter((item) => item.key === key));
    if (chunks.length === 0 || found.length > 1) return found;
    after = chunks.at(-1)!.no;
  }
}

function unpack({ no, items }: ChunkRow): FoundItem[] {
  return (JSON.parse(items) as PackedItem[]).map((item, index) => {
    const seq = Number(no) + index;
    return { seq, key: keyOf(item, seq), payload: item.payload ?? null };
  });
}
