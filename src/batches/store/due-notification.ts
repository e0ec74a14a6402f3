import { type Connection, run, type Statement } from '../../database/sql.js';
import { isTerminal } from '../batch.state.js';
import type { BatchEventType, BatchNotice } from '../events/batch.events.js';
import { type BatchRow, toBatchView } from './select-batches.js';

const PERCENT_BEFORE: Statement = {
  name: 'percent-before-event',
  text: `SELECT (data ->> 'progress')::int AS progress FROM batch_event WHERE batch_id = $1 AND seq = $2 AND run_id = $3`,
};

/**
 * What the batch asked to be notified of at its next event. Decided with the event, under the lock that numbers it, so that of all
 * processes one decides it once. Asks the database nothing unless the batch wants to hear of its progress.
 */
export async function dueNotification(connection: Connection, row: BatchRow, type: BatchEventType): Promise<BatchNotice | null> {
  const { notifyOnStart, notifyOnComplete, notifyOnError, notifyProgressInterval } = row.options;
  const { status, progress } = toBatchView(row);
  if (type === 'batch.started' && notifyOnStart) return { kind: 'started' };
  const ends = isTerminal(row.status);
  const failed = status === 'failed' || status === 'timed_out';
  if (ends && (notifyOnComplete || (notifyOnError && failed))) return { kind: 'ended' };
  if (!notifyProgressInterval) return null;
  const [before] = await run<{ progress: number }>(connection, PERCENT_BEFORE, [row.id, row.event_seq - 1, row.run_id]);
  const steps = Math.floor(progress / notifyProgressInterval);
  // A run's first event passes nothing: what it begins with was achieved before.
  const told = before ? Math.floor(before.progress / notifyProgressInterval) : steps;
  return steps > told ? { kind: 'progress', percent: steps * notifyProgressInterval } : null;
}
