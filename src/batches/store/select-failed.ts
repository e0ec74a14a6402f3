import { type Connection, run, type Statement } from '../../database/sql.js';
import { OUTCOME_STATUS } from '../entities/outcome.entity.js';
import type { StoredFigures } from '../tally.js';

/** Failed items of an ended batch: all of them, or those with one of the keys or at one of the positions. */
export interface FailedItems {
  /** All runs of the batch, oldest first. */
  runIds: string[];
  keys: string[] | null;
  seqs: number[] | null;
}

const FAILED = `status = ${OUTCOME_STATUS.failed} AND repeated_in IS NULL`;
/** Of the failed items in `$1` (runs), those asked for in `$2` (keys) or `$3` (positions). */
const CHOSEN = `${FAILED} AND ($2::text[] IS NULL OR key = ANY ($2)) AND ($3::int[] IS NULL OR seq = ANY ($3))`;

const FIND_NOT_FAILED: Statement = {
  name: 'find-not-failed',
  text: `
    SELECT name FROM (
      SELECT k.name FROM unnest($2::text[]) AS k (name)
      WHERE NOT EXISTS (SELECT FROM outcome WHERE run_id = ANY ($1::bigint[]) AND ${FAILED} AND key = k.name)
      UNION ALL
      SELECT s.name::text FROM unnest($3::int[]) AS s (name)
      WHERE NOT EXISTS (SELECT FROM outcome WHERE run_id = ANY ($1::bigint[]) AND ${FAILED} AND seq = s.name)
    ) missing LIMIT 10`,
};

/** @returns up to ten of the named keys or positions that no failed item has */
export async function findNotFailed(connection: Connection, { runIds, keys, seqs }: FailedItems): Promise<string[]> {
  const rows = await run<{ name: string }>(connection, FIND_NOT_FAILED, [runIds, keys, seqs]);
  return rows.map(({ name }) => name);
}

const FIGURES_PAGE = 5_000;

const SELECT_FIGURES: Statement = {
  name: 'select-figures-of-failed',
  text: `
    SELECT f.* FROM unnest($1::bigint[]) AS r (id), LATERAL (
      SELECT seq, duration_ms, quality, error_kind, error FROM outcome
      WHERE run_id = r.id AND seq > $4 AND ${CHOSEN} ORDER BY seq LIMIT ${FIGURES_PAGE}
    ) f ORDER BY seq LIMIT ${FIGURES_PAGE}`,
};

/** What the failed items' outcomes tell to a tally, in pages. */
export async function* figuresOfFailed(connection: Connection, items: FailedItems): AsyncGenerator<StoredFigures[]> {
  let after = -1;
  for (;;) {
    const values = [items.runIds, items.keys, items.seqs, after];
    const page = await run<StoredFigures & { seq: number }>(connection, SELECT_FIGURES, values);
    if (page.length > 0) yield page;
    if (page.length < FIGURES_PAGE) return;
    after = page.at(-1)!.seq;
  }
}

/** Chunks of the first run that hold failed items; a page ends after about so many of them, or so many bytes of all items. */
const SELECT_CHUNKS_OF_FAILED: Statement = {
  name: 'select-chunks-of-failed',
  text: `
    SELECT no, items, seqs, keys, attempts FROM (
      SELECT c.no, c.seqs, c.keys, c.attempts, i.items,
        sum(octet_length(i.items)) OVER (ORDER BY c.no) - octet_length(i.items) AS bytes_before,
        sum(cardinality(c.seqs)) OVER (ORDER BY c.no) - cardinality(c.seqs) AS items_before
      FROM (
        SELECT c.no, f.seqs, f.keys, f.attempts FROM chunk c, LATERAL (
          SELECT array_agg(seq ORDER BY seq) AS seqs, array_agg(key ORDER BY seq) AS keys, array_agg(attempts ORDER BY seq) AS attempts
          FROM outcome WHERE run_id = ANY ($1::bigint[]) AND seq >= c.no AND seq < c.no + c.size AND ${CHOSEN}
        ) f
        WHERE c.run_id = ($1::bigint[])[1] AND c.no > $4 AND c.no >= 0 AND c.state <> 3 AND f.seqs IS NOT NULL
        ORDER BY c.no LIMIT 500
      ) c
      JOIN chunk_items i ON i.run_id = ($1::bigint[])[1] AND i.no = c.no
    ) page WHERE bytes_before < 4000000 AND items_before < 10000 ORDER BY no`,
};

/** A chunk of the batch's first run, and which of its items failed. The three arrays run side by side. */
export interface ChunkOfFailed {
  no: string;
  /** JSON array of `{ key?, payload? }` */
  items: string;
  seqs: number[];
  keys: string[];
  attempts: number[];
}

/** The failed items where they came in, in pages of a few megabytes. */
export async function* chunksOfFailed(connection: Connection, items: FailedItems): AsyncGenerator<ChunkOfFailed[]> {
  let after = '-1';
  for (;;) {
    const values = [items.runIds, items.keys, items.seqs, after];
    const page = await run<ChunkOfFailed>(connection, SELECT_CHUNKS_OF_FAILED, values);
    if (page.length === 0) return;
    yield page;
    after = page.at(-1)!.no;
  }
}

const MARK_REPEATED: Statement = {
  name: 'mark-repeated',
  text: `UPDATE outcome SET repeated_in = $4 WHERE run_id = ANY ($1::bigint[]) AND ${CHOSEN}`,
};

/** From now on the failed items count as what the new run makes of them. */
export async function markRepeated(connection: Connection, items: FailedItems, runId: string): Promise<void> {
  await run(connection, MARK_REPEATED, [items.runIds, items.keys, items.seqs, runId]);
}

const EXPECT_AGAIN: Statement = {
  name: 'expect-external-keys-again',
  text: `
    INSERT INTO external_result (run_id, key, recorded, seq)
    SELECT $4::bigint, key, false, seq FROM outcome WHERE run_id = ANY ($1::bigint[]) AND ${CHOSEN}`,
};

/** The new run waits for results from outside for the failed items' keys; each takes its item's place. */
export async function expectAgain(connection: Connection, items: FailedItems, runId: string): Promise<void> {
  await run(connection, EXPECT_AGAIN, [items.runIds, items.keys, items.seqs, runId]);
}
