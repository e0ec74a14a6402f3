import { type Connection, run, type Statement } from '../../database/sql.js';
import type { LaneFence } from './record-outcomes.js';

/**
 * Gives a lane back with its unfinished chunks as they were last recorded, when the worker lost track of what the database
 * has (a flush whose answer never came). Nobody died, so no crash is counted.
 */
const SURRENDER_LANE: Statement = {
  name: 'surrender-lane',
  text: `
    WITH held AS (
      UPDATE lane SET lease_until = '-infinity', item_progress = NULL
      WHERE run_id = $1 AND no = $2 AND fence = $3
      RETURNING run_id, no
    )
    UPDATE chunk c SET state = 0, lane = NULL, suspect = NULL FROM held
    WHERE c.run_id = held.run_id AND c.lane = held.no AND c.state = 1`,
};

export async function surrenderLane(connection: Connection, lane: LaneFence): Promise<void> {
  await run(connection, SURRENDER_LANE, [lane.runId, lane.no, lane.fence]);
}
