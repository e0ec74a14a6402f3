import { type Connection, run, type Statement } from '../../database/sql.js';

const COUNT_BEFORE: Statement = {
  name: 'count-items-before-position',
  text: `
    SELECT CASE WHEN r.total = r.next_seq AND (SELECT max(no) FROM chunk WHERE run_id = $1) >= 0 THEN least($2::int, r.total)
      ELSE (
        SELECT coalesce(sum(least(size, $2::bigint - no)), 0)::int FROM chunk WHERE run_id = $1 AND no >= 0 AND no < $2::bigint AND state <> 3
      ) END AS place
    FROM run r WHERE r.id = $1`,
};

/** How many items of a batch's list come before a position: positions that a refused request had reserved hold none. Without these, it is the position. */
export async function placeOfItem(connection: Connection, firstRunId: string, seq: number): Promise<number> {
  const [before] = await run<{ place: number }>(connection, COUNT_BEFORE, [firstRunId, seq]);
  return before!.place;
}
