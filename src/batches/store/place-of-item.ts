import { type Connection, run, type Statement } from '../../database/sql.js';

const COUNT_BEFORE: Statement = {
  name: 'count-items-before-position',
  text: `
    SELECT coalesce(sum(least(size, $2::bigint - no)), 0)::int AS place
    FROM chunk WHERE run_id = $1 AND no >= 0 AND no < $2::bigint AND state <> 3`,
};

/** How many items of a batch's list come before a position: positions that a refused request had reserved hold none. */
export async function placeOfItem(connection: Connection, firstRunId: string, seq: number): Promise<number> {
  const [before] = await run<{ place: number }>(connection, COUNT_BEFORE, [firstRunId, seq]);
  return before!.place;
}
