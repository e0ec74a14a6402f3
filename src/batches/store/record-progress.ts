import { type Connection, run, type Statement } from '../../database/sql.js';
import type { BatchEventRecord } from '../events/batch.events.js';
import { appendEvent } from './append-event.js';

/** At most one progress event a batch in this time, over all processes. */
const INTERVAL_MS = 500;

const TAKE_TURN: Statement = {
  name: 'take-progress-turn',
  text: `
    UPDATE run SET progress_at = clock_timestamp()
    WHERE id = $1 AND status = 'running' AND progress_at < clock_timestamp() - $2 * interval '1 millisecond'
    RETURNING batch_id`,
};

/** Writes a progress event, in the caller's transaction, unless one was written a moment ago. */
export async function recordProgress(connection: Connection, runId: string): Promise<BatchEventRecord | undefined> {
  const [turn] = await run<{ batch_id: string }>(connection, TAKE_TURN, [runId, INTERVAL_MS]);
  return turn && appendEvent(connection, turn.batch_id, 'batch.progress');
}
