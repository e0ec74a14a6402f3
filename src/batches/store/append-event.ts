import { type Connection, run, type Statement } from '../../database/sql.js';
import type { BatchEventRecord, BatchEventType, BatchNotice, BatchSnapshot } from '../events/batch.events.js';
import { dueNotification } from './due-notification.js';
import { type BatchRow, SELECT_BATCHES, toBatchView } from './select-batches.js';

const NEXT_SEQ: Statement = { name: 'next-event-seq', text: `UPDATE batch SET event_seq = event_seq + 1 WHERE id = $1` };

const SELECT_ONE: Statement = { name: 'select-batch-by-id', text: `${SELECT_BATCHES} WHERE b.id = $1` };

const INSERT: Statement = {
  name: 'insert-event',
  text: `INSERT INTO batch_event (batch_id, seq, run_id, type, data) VALUES ($1, $2, $3, $4, $5) RETURNING at`,
};

/**
 * Writes a batch's next event with a snapshot of the batch, in the transaction that made it true. The batch row's lock puts
 * a batch's events in one order; the snapshot is read after it, so counts never go back from one event to the next.
 * @param also what the event says otherwise than the batch
 */
export async function appendEvent(
  connection: Connection,
  batchId: string,
  type: BatchEventType,
  also: Partial<BatchSnapshot> = {},
): Promise<BatchEventRecord> {
  await run(connection, NEXT_SEQ, [batchId]);
  const [row] = await run<BatchRow>(connection, SELECT_ONE, [batchId]);
  const data = { ...toSnapshot(row!, await dueNotification(connection, row!, type)), ...also };
  const [written] = await run<{ at: Date }>(connection, INSERT, [batchId, row!.event_seq, row!.run_id, type, JSON.stringify(data)]);
  return { tenant: row!.tenant, batchId, seq: row!.event_seq, run: row!.run_no, type, at: written!.at.toISOString(), data };
}

function toSnapshot(row: BatchRow, notification: BatchNotice | null): BatchSnapshot {
  const view = toBatchView(row);
  const { dialect, operation, name, status, reason, progress, counts, meanDurationMs, createdBy, createdAt, startedAt, endedAt } = view;
  const times = { meanDurationMs, createdAt, startedAt, endedAt };
  return { dialect, operation, name, status, reason, progress, counts, createdBy, ...times, notification };
}
