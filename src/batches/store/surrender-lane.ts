import { type Database, run, type Statement } from '../../database/sql.js';
import type { LaneFence } from './record-outcomes.js';

const RELEASE_LANE: Statement = {
  name: 'release-lane',
  text: `UPDATE lane SET lease_until = '-infinity', item_progress = NULL WHERE run_id = $1 AND no = $2 AND fence = $3 RETURNING no`,
};

const RELEASE_CHUNKS: Statement = {
  name: 'release-chunks',
  text: `UPDATE chunk SET state = 0, lane = NULL, suspect = NULL WHERE run_id = $1 AND lane = ANY ($2::smallint[]) AND state = 1`,
};

/**
 * Gives a lane back with its unfinished chunks as they were last recorded, when the worker lost track of what the database
 * has (a flush whose answer never came). Nobody died, so no crash is counted. Two statements: that flush may still be under
 * way, and only a look after it has ended sees the chunks that it claimed.
 */
export function surrenderLane(database: Database, lane: LaneFence): Promise<void> {
  return database.transaction(async (connection) => {
    const released = await run<{ no: number }>(connection, RELEASE_LANE, [lane.runId, lane.no, lane.fence]);
    await run(connection, RELEASE_CHUNKS, [lane.runId, released.map(({ no }) => no)]);
  });
}

const EVICT_DEAD: Statement = {
  name: 'evict-dead-lanes',
  text: `
    UPDATE lane SET fence = fence + 1, lease_until = '-infinity', item_progress = NULL
    WHERE run_id = $1 AND lease_until > '-infinity' AND lease_until < clock_timestamp()
    RETURNING no`,
};

/**
 * Takes a stopping run's lanes from workers that are presumed dead, before it ends: one that only slept must not record
 * anything afterwards. Waits for a flush that is under way; a lane that it renewed is left alone.
 */
export async function evictDeadLanes(connection: Parameters<typeof run>[0], runId: string): Promise<void> {
  const evicted = await run<{ no: number }>(connection, EVICT_DEAD, [runId]);
  await run(connection, RELEASE_CHUNKS, [runId, evicted.map(({ no }) => no)]);
}
