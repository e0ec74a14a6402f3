import { type Connection, run, type Statement } from '../../database/sql.js';
import type { BatchEventRecord } from '../events/batch.events.js';
import { appendEvents } from './append-event.js';

/** At most one progress event a batch in this time, over all processes. */
const INTERVAL_MS = 500;

/** A run that somebody has locked is about to be told of anyway. */
const TAKE_TURNS: Statement = {
  name: 'take-progress-turns',
  text: `
    UPDATE run SET progress_at = clock_timestamp()
    WHERE id IN (
      SELECT id FROM run
      WHERE id = ANY ($1::bigint[]) AND status = 'running' AND progress_at < clock_timestamp() - $2 * interval '1 millisecond'
      FOR UPDATE SKIP LOCKED
    )
    RETURNING batch_id`,
};

/** Writes a progress event for each of the runs, in the caller's transaction, unless one was written a moment ago. */
export async function recordProgress(connection: Connection, runIds: string[]): Promise<BatchEventRecord[]> {
  const turns = await run<{ batch_id: string }>(connection, TAKE_TURNS, [runIds, INTERVAL_MS]);
  if (turns.length === 0) return [];
  return appendEvents(
    connection,
    turns.map(({ batch_id: batchId }) => batchId),
    'batch.progress',
  );
}
