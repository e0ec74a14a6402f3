import { isTerminal } from '../batches/batch.state.js';
import type { BatchCounts, BatchView } from '../batches/batch.view.js';
import type { BatchEventRecord, BatchEventType } from '../batches/events/batch.events.js';

/** What a socket is sent. */
export interface SocketMessage {
  name: string;
  payload: object;
}

/** One event of a batch: the message of its name on sockets, and an entry of what `batch.catchUp` answers. */
export interface BatchMessage {
  type: BatchEventType;
  batchId: string;
  /** Counts a batch's events from 1 without a gap: a hole means that messages were missed. */
  seq: number;
  run: number;
  operation: string;
  name: string | null;
  status: BatchView['status'];
  /** Why it failed, timed out or was cancelled. */
  reason: string | null;
  /** Whole percent, 0 to 100. */
  progress: number;
  counts: BatchCounts;
  at: string;
}

/** Sent at the end of a batch that was created with `notifyOnComplete`. */
export interface BatchNotification {
  batchId: string;
  name: string | null;
  status: BatchView['status'];
  message: string;
}

export function toBatchMessage({ type, batchId, seq, run, at, data }: BatchEventRecord): BatchMessage {
  const { operation, name, status, reason, progress, counts } = data;
  return { type, batchId, seq, run, operation, name, status, reason, progress, counts, at };
}

/** The event under its own name, and the notification that its batch asked for. */
export function toBatchMessages(record: BatchEventRecord): SocketMessage[] {
  const messages: SocketMessage[] = [{ name: record.type, payload: toBatchMessage(record) }];
  if (isEnd(record) && record.data.notifyOnComplete) messages.push({ name: 'batch.notification', payload: toNotification(record) });
  return messages;
}

/** The event that ends a run. A cancelled batch reads "cancelled" in events before that one, while items in flight finish. */
export function isEnd({ type, data }: BatchEventRecord): boolean {
  return isTerminal(data.status) && (type === 'batch.completed' || type === 'batch.failed' || type === 'batch.cancelled');
}

function toNotification({ batchId, data: { name, operation, status, reason, counts } }: BatchEventRecord): BatchNotification {
  const words = status === 'timed_out' ? 'timed out' : `was ${status}`;
  const end = status === 'completed' || status === 'failed' ? status : words;
  const results = `${counts.succeeded + counts.skipped} of ${counts.total} succeeded, ${counts.failed} failed`;
  return { batchId, name, status, message: `${name ?? operation} ${end}: ${results}${reason ? ` (${reason})` : ''}` };
}
