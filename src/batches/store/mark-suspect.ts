import { type Connection, run, type Statement } from '../../database/sql.js';
import type { LaneFence } from './record-outcomes.js';

/** Names the one item that runs next in a chunk that saw a crash, so that a second crash has a culprit. */
const MARK_SUSPECT: Statement = {
  name: 'mark-suspect',
  text: `
    UPDATE chunk c SET suspect = $5 FROM lane l
    WHERE c.run_id = $1 AND c.no = $4 AND c.state = 1 AND c.lane = $2
      AND l.run_id = $1 AND l.no = $2 AND l.fence = $3
    RETURNING c.no`,
};

/** @returns false when the lane was taken over */
export async function markSuspect(connection: Connection, lane: LaneFence, chunkNo: string, index: number): Promise<boolean> {
  const marked = await run(connection, MARK_SUSPECT, [lane.runId, lane.no, lane.fence, chunkNo, index]);
  return marked.length === 1;
}
