import { type Connection, run, type Statement } from '../../database/sql.js';
import { OUTCOME_STATUS } from '../entities/outcome.entity.js';
import { CHOSEN_OUTCOME, type ChosenItems, choiceValues } from './choose-items.js';

const MARK: Statement = {
  name: 'mark-repeated',
  text: `
    WITH marked AS (UPDATE outcome SET repeated_in = $8 WHERE ${CHOSEN_OUTCOME} RETURNING status)
    SELECT count(*) FILTER (WHERE status = ${OUTCOME_STATUS.failed})::int AS failed,
      count(*) FILTER (WHERE status = ${OUTCOME_STATUS.skipped})::int AS skipped FROM marked`,
};

/**
 * Of the new run's items those that no outcome was marked for get one as history, of the run that left them undone.
 * LIMIT 1 has retries looked up one by one, not joined with all that wait in the run.
 * @param items which have `seq` and `key`; `$1` are the runs, `$2` is the new one
 */
const markUndone = (name: string, items: string): Statement => ({
  name,
  text: `
    WITH undone AS (
      INSERT INTO outcome (run_id, seq, status, attempts, key, error_kind, error, recorded_at, repeated_in)
      SELECT r.id, i.seq, ${OUTCOME_STATUS.cancelled}, coalesce(t.attempt - 1, 0), i.key, t.error_kind, t.error, r.ended_at, $2::bigint
      FROM ${items}
      CROSS JOIN LATERAL (SELECT max(repeated_in) AS run_id FROM outcome WHERE run_id = ANY ($1::bigint[]) AND seq = i.seq) last
      JOIN run r ON r.id = coalesce(last.run_id, ($1::bigint[])[1])
      LEFT JOIN LATERAL (SELECT attempt, error_kind, error FROM retry WHERE run_id = r.id AND seq = i.seq LIMIT 1) t ON true
      WHERE last.run_id IS DISTINCT FROM $2
      RETURNING 1
    )
    SELECT count(*)::int AS unprocessed FROM undone`,
});

const MARK_UNDONE = markUndone('mark-undone-items', `unnest($3::int[], $4::text[]) AS i (seq, key)`);
const MARK_UNDONE_KEYS = markUndone('mark-undone-keys', `(SELECT seq, key FROM external_result WHERE run_id = $2) i`);

const SELECT_PACKED: Statement = {
  name: 'select-packed-items',
  text: `
    SELECT no, items FROM (
      SELECT no, items, sum(octet_length(items)) OVER (ORDER BY no) - octet_length(items) AS bytes_before
      FROM (SELECT no, items FROM chunk_items WHERE run_id = $1 AND no > $2 ORDER BY no LIMIT 500) i
    ) page WHERE bytes_before < 4000000 ORDER BY no`,
};

/** Items that the new run repeats, by how they ended before. */
export interface Repeated {
  failed: number;
  skipped: number;
  /** Had no outcome. */
  unprocessed: number;
}

/** From now on the chosen items count as what the new run makes of them: its chunks, or expected keys, are there already. */
export async function markRepeated(
  connection: Connection,
  items: ChosenItems,
  to: { runId: string; external: boolean },
): Promise<Repeated> {
  const [marked] = await run<Omit<Repeated, 'unprocessed'>>(connection, MARK, [...choiceValues(items), to.runId]);
  if (items.choice.unprocessedOf.length === 0) return { ...marked!, unprocessed: 0 };
  if (!to.external) return { ...marked!, unprocessed: await markUndoneItems(connection, items.runIds, to.runId) };
  const [undone] = await run<Pick<Repeated, 'unprocessed'>>(connection, MARK_UNDONE_KEYS, [items.runIds, to.runId]);
  return { ...marked!, ...undone! };
}

/** Their keys are read here: PostgreSQL would stumble over a NUL or half a surrogate in a payload beside them. */
async function markUndoneItems(connection: Connection, runIds: string[], runId: string): Promise<number> {
  let unprocessed = 0;
  let after = '-1';
  for (;;) {
    const chunks = await run<{ no: string; items: string }>(connection, SELECT_PACKED, [runId, after]);
    if (chunks.length === 0) return unprocessed;
    const packed = chunks.flatMap((chunk) => JSON.parse(chunk.items) as { seq: number; key: string }[]);
    const values = [runIds, runId, packed.map(({ seq }) => seq), packed.map(({ key }) => key)];
    const [undone] = await run<Pick<Repeated, 'unprocessed'>>(connection, MARK_UNDONE, values);
    unprocessed += undone!.unprocessed;
    after = chunks.at(-1)!.no;
  }
}
