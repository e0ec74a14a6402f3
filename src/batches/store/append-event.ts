import { type Connection, run, type Statement } from '../../database/sql.js';
import type { BatchEventRecord, BatchEventType, BatchNotice, BatchSnapshot } from '../events/batch.events.js';
import { dueNotification } from './due-notification.js';
import { type BatchRow, SELECT_BATCHES, toBatchView } from './select-batches.js';

/** The number of the last of `$2` new events is the batch's, as it is shown with them. */
const NUMBER_EVENTS: Statement = {
  name: 'number-events',
  text: `
    WITH numbered AS (UPDATE batch SET event_seq = event_seq + $2 WHERE id = ANY ($1::text[]) RETURNING id, event_seq AS last_seq)
    SELECT shown.*, numbered.last_seq FROM (${SELECT_BATCHES} WHERE b.id = ANY ($1::text[])) shown JOIN numbered USING (id)`,
};

const INSERT: Statement = {
  name: 'insert-events',
  text: `
    INSERT INTO batch_event (batch_id, seq, run_id, type, data)
    SELECT e.* FROM unnest($1::text[], $2::int[], $3::bigint[], $4::text[], $5::json[]) AS e (batch_id, seq, run_id, type, data)
    RETURNING batch_id, seq, at`,
};

/** An event that is told of a batch as it is. */
interface NewEvent {
  type: BatchEventType;
  batch: BatchRow;
  /** What the event says otherwise than the batch. */
  also?: Partial<BatchSnapshot>;
}

/**
 * Writes a batch's next event with a snapshot of the batch, in the transaction that made it true. That transaction has locked the run with
 * an earlier statement: so a batch's events come in one order, and each snapshot is taken after the event before was committed; counts never
 * go back from one event to the next.
 * @param also what the event says otherwise than the batch
 */
export async function appendEvent(
  connection: Connection,
  batchId: string,
  type: BatchEventType,
  also: Partial<BatchSnapshot> = {},
): Promise<BatchEventRecord> {
  const [batch] = await numberEvents(connection, [batchId], 1);
  return (await insertEvents(connection, [{ type, batch: batch!, also }]))[0]!;
}

/** The same of several batches. */
export async function appendEvents(connection: Connection, batchIds: string[], type: BatchEventType): Promise<BatchEventRecord[]> {
  const batches = await numberEvents(connection, batchIds, 1);
  return insertEvents(
    connection,
    batches.map((batch) => ({ type, batch })),
  );
}

/** A batch's first events, of one that its transaction has made, and perhaps has started. @returns them, and the batch as it was made */
export async function appendFirstEvents(
  connection: Connection,
  batchId: string,
  isStarted: boolean,
): Promise<{ made: BatchRow; events: BatchEventRecord[] }> {
  const [batch] = await numberEvents(connection, [batchId], isStarted ? 2 : 1);
  const made: BatchRow = { ...batch!, status: 'pending', started_at: null, event_seq: 1 };
  const created: NewEvent = { type: 'batch.created', batch: made };
  const events = await insertEvents(connection, isStarted ? [created, { type: 'batch.started', batch: batch! }] : [created]);
  return { made, events };
}

async function numberEvents(connection: Connection, batchIds: string[], count: number): Promise<BatchRow[]> {
  const rows = await run<BatchRow & { last_seq: number }>(connection, NUMBER_EVENTS, [batchIds, count]);
  return rows.map(({ last_seq: lastSeq, ...row }) => ({ ...row, event_seq: lastSeq }));
}

async function insertEvents(connection: Connection, events: NewEvent[]): Promise<BatchEventRecord[]> {
  const data: BatchSnapshot[] = [];
  for (const { type, batch, also } of events) data.push({ ...toSnapshot(batch, await dueNotification(connection, batch, type)), ...also });
  const written = await run<{ batch_id: string; seq: number; at: Date }>(connection, INSERT, [
    events.map(({ batch }) => batch.id),
    events.map(({ batch }) => batch.event_seq),
    events.map(({ batch }) => batch.run_id),
    events.map(({ type }) => type),
    data.map((snapshot) => JSON.stringify(snapshot)),
  ]);
  const times = new Map(written.map(({ batch_id: id, seq, at }) => [`${id} ${seq}`, at.toISOString()]));
  return events.map(({ type, batch: { tenant, id: batchId, event_seq: seq, run_no } }, index) => {
    return { tenant, batchId, seq, run: run_no, type, at: times.get(`${batchId} ${seq}`)!, data: data[index]! };
  });
}

function toSnapshot(row: BatchRow, notification: BatchNotice | null): BatchSnapshot {
  const view = toBatchView(row);
  const { dialect, operation, name, status, reason, progress, counts, meanDurationMs, createdBy, createdAt, startedAt, endedAt } = view;
  const times = { meanDurationMs, createdAt, startedAt, endedAt };
  return { dialect, operation, name, status, reason, progress, counts, createdBy, ...times, notification };
}
