import type { BatchCounts, BatchView } from '../batch.view.js';
import type { Caller, Dialect } from '../../common/procedure.js';

export type BatchEventType =
  | 'batch.created'
  | 'batch.started'
  | 'batch.progress'
  | 'batch.paused'
  | 'batch.resumed'
  | 'batch.stuck'
  | 'batch.completed'
  | 'batch.failed'
  | 'batch.cancelled';

/** The batch as it was at the event, in the transaction that made it. Times are ISO 8601. */
export class BatchSnapshot {
  dialect: Dialect;
  operation: string;
  name: string | null;
  status: BatchView['status'];
  /** Why it is paused, failed, timed out or was cancelled; of `batch.stuck`, what keeps its items from starting. */
  reason: string | null;
  progress: number;
  counts: BatchCounts;
  meanDurationMs: number | null;
  createdBy: string | null;
  createdAt: string;
  startedAt: string | null;
  endedAt: string | null;
  /** What the batch asked to be notified of, when this event is it. */
  notification: BatchNotice | null;
}

/** `percent` is the highest of the wanted marks that was passed since the event before. */
export type BatchNotice = { kind: 'started' } | { kind: 'progress'; percent: number } | { kind: 'ended' };

/** One row of a batch's event log. `seq` counts from 1 without a gap within the batch. */
export class BatchEventRecord {
  tenant: Caller['tenant'];
  batchId: string;
  seq: number;
  run: number;
  type: BatchEventType;
  at: string;
  data: BatchSnapshot;
}

/** The event that ends a run. A cancelled batch reads "cancelled" in events before that one, while items in flight finish. */
export function isEnd({ type }: Pick<BatchEventRecord, 'type'>): boolean {
  return type === 'batch.completed' || type === 'batch.failed' || type === 'batch.cancelled';
}

/** What is published on the EventBus of every process, once in each. A notice for those who like to know: it carries no duty. */
export abstract class BatchEvent {
  constructor(readonly record: BatchEventRecord) {}
}

export class BatchCreated extends BatchEvent {}
export class BatchStarted extends BatchEvent {}
export class BatchProgressed extends BatchEvent {}
export class BatchPaused extends BatchEvent {}
export class BatchResumed extends BatchEvent {}
/** Nothing was heard of a running batch for STUCK_AFTER_MS. Told once, until something is heard again. */
export class BatchStuck extends BatchEvent {}
export class BatchCompleted extends BatchEvent {}
/** Ended without success: every item failed, a fatal error, or (status `timed_out`) the batch's time limit. */
export class BatchFailed extends BatchEvent {}
export class BatchCancelled extends BatchEvent {}

/** Every event's class, for `@EventsHandler(...BATCH_EVENTS)`. */
export const BATCH_EVENTS = [
  BatchCreated,
  BatchStarted,
  BatchProgressed,
  BatchPaused,
  BatchResumed,
  BatchStuck,
  BatchCompleted,
  BatchFailed,
  BatchCancelled,
];

const EVENT_CLASSES: Record<BatchEventType, new (record: BatchEventRecord) => BatchEvent> = {
  'batch.created': BatchCreated,
  'batch.started': BatchStarted,
  'batch.progress': BatchProgressed,
  'batch.paused': BatchPaused,
  'batch.resumed': BatchResumed,
  'batch.stuck': BatchStuck,
  'batch.completed': BatchCompleted,
  'batch.failed': BatchFailed,
  'batch.cancelled': BatchCancelled,
};

export function toBatchEvent(record: BatchEventRecord): BatchEvent {
  return new EVENT_CLASSES[record.type](record);
}
