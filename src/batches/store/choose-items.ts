import { type Connection, run, type Statement } from '../../database/sql.js';
import { OUTCOME_STATUS } from '../entities/outcome.entity.js';
import type { RepeatChoice } from '../repeat-choice.js';
import type { StoredFigures } from '../tally.js';

/** Items of an ended batch that are to be repeated. Nothing of it changes before a new run begins, so that every look finds the same. */
export interface ChosenItems {
  /** All runs of the batch, oldest first. */
  runIds: string[];
  choice: RepeatChoice;
  /** Only those at these positions. */
  seqs: number[] | null;
}

/** Of the outcomes of `$1` (runs), those that count and are chosen; `$2` to `$7` are {@link choiceValues}. */
export const CHOSEN_OUTCOME = `
  run_id = ANY ($1::bigint[]) AND status > 1 AND repeated_in IS NULL AND ($2::int[] IS NULL OR seq = ANY ($2))
  AND (status = ANY ($3::smallint[]) OR ($4 AND status = ${OUTCOME_STATUS.failed} AND error_kind = 'timeout'))
  AND ($5::text IS NULL OR error_kind = $5)
  AND ($6::text IS NULL OR CASE WHEN $7 THEN strpos(error, $6) > 0 ELSE error = $6 END)`;

/** The values of `$1` to `$7` in {@link CHOSEN_OUTCOME}. */
export function choiceValues({ runIds, seqs, choice: { outcomes, timeouts, error } }: ChosenItems): unknown[] {
  return [runIds, seqs, outcomes, timeouts, error.kind, error.message, error.part];
}

/** Of `s.seq`, an item's position: the run that had it last. A run gets a higher id than those before it. */
const LAST_RUN = `
  coalesce((SELECT max(p.repeated_in) FROM outcome p WHERE p.run_id = ANY ($1::bigint[]) AND p.seq = s.seq), ($1::bigint[])[1])`;

/** Whether the item at `s.seq` has no outcome that counts, and its run ended as one of `$8`. */
const CHOSEN_UNPROCESSED = `
  NOT EXISTS (SELECT FROM outcome p WHERE p.run_id = ANY ($1::bigint[]) AND p.seq = s.seq AND p.repeated_in IS NULL)
  AND EXISTS (SELECT FROM run r WHERE r.id = ANY ($1::bigint[]) AND r.id = ${LAST_RUN} AND r.status = ANY ($8::text[]))`;

/** Chunks of the first run that hold one of the positions in `$2`, or all of them. */
const CHUNKS_OF_POSITIONS = `
  c.run_id = ($1::bigint[])[1] AND c.no >= 0 AND c.state <> 3 AND ($2::int[] IS NULL OR c.no IN (
    SELECT (SELECT max(h.no) FROM chunk h WHERE h.run_id = ($1::bigint[])[1] AND h.no BETWEEN 0 AND n.seq AND h.state <> 3)
    FROM unnest($2) AS n (seq)
  ))`;

const FIND_OUTCOMES: Statement = {
  name: 'find-chosen-outcomes',
  text: `SELECT seq, key FROM outcome WHERE ${CHOSEN_OUTCOME} AND ($8::text[] IS NULL OR key = ANY ($8)) LIMIT $9`,
};

export interface NamedItem {
  seq: number;
  key: string;
}

/** Chosen items that have an outcome, of those with one of the keys; at most `limit`, in no order. */
export function findOutcomes(connection: Connection, items: ChosenItems, keys: string[] | null, limit: number): Promise<NamedItem[]> {
  return run<NamedItem>(connection, FIND_OUTCOMES, [...choiceValues(items), keys, limit]);
}

const FIGURES_PAGE = 5_000;

const SELECT_FIGURES: Statement = {
  name: 'select-figures-of-chosen',
  text: `
    SELECT f.* FROM unnest($1::bigint[]) AS r (id), LATERAL (
      SELECT seq, duration_ms, quality, error_kind, CASE WHEN status = ${OUTCOME_STATUS.failed} THEN error END AS error FROM outcome
      WHERE run_id = r.id AND seq > $8 AND ${CHOSEN_OUTCOME} ORDER BY seq LIMIT ${FIGURES_PAGE}
    ) f ORDER BY seq LIMIT ${FIGURES_PAGE}`,
};

/** What the chosen items' outcomes told to a tally, in pages. Why an item was skipped was no error. */
export async function* figuresOfChosen(connection: Connection, items: ChosenItems): AsyncGenerator<StoredFigures[]> {
  let after = -1;
  for (;;) {
    const page = await run<StoredFigures & { seq: number }>(connection, SELECT_FIGURES, [...choiceValues(items), after]);
    if (page.length > 0) yield page;
    if (page.length < FIGURES_PAGE) return;
    after = page.at(-1)!.seq;
  }
}

/** The next chunks of the first run, up to about so many items or bytes, each with its chosen items. LIMIT 1: as in find-item. */
const SELECT_CHUNKS: Statement = {
  name: 'select-chunks-of-chosen',
  text: `
    WITH page AS MATERIALIZED (
      SELECT no, size FROM (
        SELECT c.no, c.size, sum(c.size) OVER w - c.size AS items_before,
          sum(i.bytes) OVER w - i.bytes AS bytes_before
        FROM (
          SELECT no, size FROM chunk c WHERE c.no > $9 AND ${CHUNKS_OF_POSITIONS} ORDER BY no LIMIT 500
        ) c CROSS JOIN LATERAL (
          SELECT octet_length(items) AS bytes FROM chunk_items WHERE run_id = ($1::bigint[])[1] AND no = c.no LIMIT 1
        ) i WINDOW w AS (ORDER BY c.no)
      ) sized WHERE items_before < 10000 AND bytes_before < 4000000
    )
    SELECT c.no, f.seqs, f.attempts, CASE WHEN f.seqs IS NOT NULL THEN
        (SELECT items FROM chunk_items i WHERE i.run_id = ($1::bigint[])[1] AND i.no = c.no) END AS items
    FROM page c CROSS JOIN LATERAL (
      SELECT array_agg(seq ORDER BY seq) AS seqs, array_agg(attempts ORDER BY seq) AS attempts FROM (
        SELECT seq, attempts FROM outcome WHERE seq >= c.no AND seq < c.no + c.size AND ${CHOSEN_OUTCOME}
        UNION ALL
        SELECT s.seq, coalesce((SELECT t.attempt - 1 FROM retry t WHERE t.run_id = ${LAST_RUN} AND t.seq = s.seq), 0)
        FROM generate_series(c.no::int, c.no::int + c.size - 1) AS s (seq)
        WHERE $8::text[] <> '{}' AND ($2::int[] IS NULL OR s.seq = ANY ($2)) AND ${CHOSEN_UNPROCESSED}
      ) chosen
    ) f ORDER BY c.no`,
};

/** A chunk of the batch's first run, and which of its items are chosen. The two arrays run side by side. */
export interface ChunkOfChosen {
  no: string;
  /** JSON array of `{ key?, payload? }` */
  items: string;
  seqs: number[];
  /** Executions so far. */
  attempts: number[];
}

/** The chosen items where they came in, in pages of a few megabytes. */
export async function* chunksOfChosen(connection: Connection, items: ChosenItems): AsyncGenerator<ChunkOfChosen[]> {
  let after = '-1';
  for (;;) {
    const values = [...choiceValues(items), items.choice.unprocessedOf, after];
    const page = await run<{ no: string } & (ChunkOfChosen | { seqs: null })>(connection, SELECT_CHUNKS, values);
    if (page.length === 0) return;
    const chunks = page.filter((chunk): chunk is ChunkOfChosen => chunk.seqs !== null);
    if (chunks.length > 0) yield chunks;
    after = page.at(-1)!.no;
  }
}
