import { type Connection, run, type Statement } from '../../database/sql.js';
import type { BatchEventRecord, BatchEventType, BatchNotice, BatchSnapshot } from '../events/batch.events.js';
import { dueNotification } from './due-notification.js';
import { type BatchRow, SELECT_BATCHES, toBatchView } from './select-batches.js';

const NEXT_SEQ: Statement = { name: 'next-event-seq', text: `UPDATE batch SET event_seq = event_seq + 1 WHERE id = ANY ($1::text[])` };

const SELECT: Statement = { name: 'select-batches-by-id', text: `${SELECT_BATCHES} WHERE b.id = ANY ($1::text[])` };

const INSERT: Statement = {
  name: 'insert-events',
  text: `
    INSERT INTO batch_event (batch_id, seq, run_id, type, data)
    SELECT e.batch_id, e.seq, e.run_id, $1, e.data
    FROM unnest($2::text[], $3::int[], $4::bigint[], $5::json[]) AS e (batch_id, seq, run_id, data)
    RETURNING batch_id, at`,
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
  return (await appendEvents(connection, [batchId], type, also))[0]!.event;
}

/** The same for several batches whose runs the transaction has locked. @returns each event with the batch that it shows */
export async function appendEvents(
  connection: Connection,
  batchIds: string[],
  type: BatchEventType,
  also: Partial<BatchSnapshot> = {},
): Promise<{ event: BatchEventRecord; batch: BatchRow }[]> {
  await run(connection, NEXT_SEQ, [batchIds]);
  const rows = await run<BatchRow>(connection, SELECT, [batchIds]);
  const data: BatchSnapshot[] = [];
  for (const row of rows) data.push({ ...toSnapshot(row, await dueNotification(connection, row, type)), ...also });
  const written = await run<{ batch_id: string; at: Date }>(connection, INSERT, [
    type,
    rows.map((row) => row.id),
    rows.map((row) => row.event_seq),
    rows.map((row) => row.run_id),
    data.map((snapshot) => JSON.stringify(snapshot)),
  ]);
  const times = new Map(written.map(({ batch_id: id, at }) => [id, at.toISOString()]));
  return rows.map((batch, index) => {
    const { tenant, id: batchId, event_seq: seq, run_no } = batch;
    return { event: { tenant, batchId, seq, run: run_no, type, at: times.get(batchId)!, data: data[index]! }, batch };
  });
}

function toSnapshot(row: BatchRow, notification: BatchNotice | null): BatchSnapshot {
  const view = toBatchView(row);
  const { dialect, operation, name, status, reason, progress, counts, meanDurationMs, createdBy, createdAt, startedAt, endedAt } = view;
  const times = { meanDurationMs, createdAt, startedAt, endedAt };
  return { dialect, operation, name, status, reason, progress, counts, createdBy, ...times, notification };
}
