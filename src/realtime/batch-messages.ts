import type { BatchCounts, BatchView } from '../batches/batch.view.js';
import type { BatchEventRecord, BatchEventType, BatchNotice, BatchSnapshot } from '../batches/events/batch.events.js';

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
  /** Why it is paused, failed, timed out or was cancelled; of `batch.stuck`, what keeps its items from starting. */
  reason: string | null;
  /** Whole percent, 0 to 100. */
  progress: number;
  counts: BatchCounts;
  at: string;
}

/** Sent when a batch starts, passes a mark of its progress, or ends, as its `notify…` options ask. */
export interface BatchNotification {
  batchId: string;
  name: string | null;
  kind: BatchNotice['kind'];
  status: BatchView['status'];
  /** Whole percent, 0 to 100. */
  progress: number;
  /** The same in words. */
  message: string;
}

export function toBatchMessage({ type, batchId, seq, run, at, data }: BatchEventRecord): BatchMessage {
  const { operation, name, status, reason, progress, counts } = data;
  return { type, batchId, seq, run, operation, name, status, reason, progress, counts, at };
}

/** What the batch asked to be notified of, if this event is it. */
export function toNotification({ batchId, data }: BatchEventRecord): BatchNotification | undefined {
  const { notification, name, operation, status, progress } = data;
  if (!notification) return undefined;
  return { batchId, name, kind: notification.kind, status, progress, message: `${name ?? operation} ${inWords(data, notification)}` };
}

function inWords({ status, reason, counts }: BatchSnapshot, notice: BatchNotice): string {
  if (notice.kind === 'started') return 'started';
  if (notice.kind === 'progress') return `has reached ${notice.percent} %`;
  const words = status === 'timed_out' ? 'timed out' : `was ${status}`;
  const end = status === 'completed' || status === 'failed' ? status : words;
  const results = `${counts.succeeded + counts.skipped} of ${counts.total} succeeded, ${counts.failed} failed`;
  return `${end}: ${results}${reason ? ` (${reason})` : ''}`;
}
