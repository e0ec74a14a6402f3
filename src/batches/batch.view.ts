import { AnyJson } from '../common/any-json.js';
import { BatchOptions, type Priority } from './batch.options.js';
import type { RunStatus } from './batch.state.js';
import type { Dialect } from '../common/procedure.js';
import type { AuditAction } from './entities/audit-entry.entity.js';

// What replies consist of is a class, and not an interface, because /docs describes it from there.

/** Every item in exactly one of these; their sum is `total` in every snapshot. */
export class BatchCounts {
  total: number;
  succeeded: number;
  failed: number;
  skipped: number;
  cancelled: number;
  running: number;
  pending: number;
}

/** How what a batch did is taken back: by compensations of its items' handler, and in records. */
export class RollbackView {
  /** `due`: under way, or about to be. */
  status: 'due' | 'done';
  /** Items whose work their handler has undone; 0 until it is done, as all that follow. */
  compensated: number;
  /** Items whose work could not be undone; `GET /api/batches/:id/rollback` says why. */
  compensationsFailed: number;
  /** Records that got their earlier version back. */
  restored: number;
  /** Records that the batch had created, removed. */
  removed: number;
  /** Records that somebody else has changed since. */
  leftAlone: number;
  /** When it became due, or was done. */
  at: string;
}

/** Items whose handler said what would undo them; `compensated + failed + left` is `total`. */
export class CompensationCounts {
  total: number;
  compensated: number;
  failed: number;
  /** Waiting, or being undone. */
  left: number;
}

/** The item that a rollback is at, or comes to next. */
export class CurrentCompensation {
  /** Number of the run that worked the item. */
  run: number;
  seq: number;
  key: string;
  /** Tries that have failed. */
  attempts: number;
  /** Why the last try failed. */
  error: string | null;
  /** When it is tried again; null: now. */
  dueAt: string | null;
}

/** An item whose work could not be undone. */
export class FailedCompensation {
  run: number;
  seq: number;
  key: string;
  message: string;
  attempts: number;
}

/** How far the rollback of a batch has come. */
export class RollbackReport {
  /** `none`: the batch is not rolled back. `due`: under way, or about to be. */
  status: 'none' | RollbackView['status'];
  /** When it became due, or was done. */
  at: string | null;
  compensations: CompensationCounts;
  current: CurrentCompensation | null;
  /** The first hundred, in the order in which they were tried. */
  failures: FailedCompensation[];
  /** Records, as in the batch's `rollback`: 0 until it is done. */
  restored: number;
  removed: number;
  leftAlone: number;
}

/**
 * A batch as JSON in one snapshot: the state and times of its current run, and the counts of all its items, with those that the current
 * run does not repeat. Times are ISO 8601.
 */
export class BatchView {
  id: string;
  dialect: Dialect;
  operation: string;
  name: string | null;
  description: string | null;
  /** A stopping run shows what it will end as. */
  status: Exclude<RunStatus, 'stopping'>;
  /** True while items in flight of a cancelled or timed-out run may still finish. */
  stopping: boolean;
  /** Why it failed, timed out, was cancelled or is paused. */
  reason: string | null;
  /** 0 to 100, floored; 100 only at the end. */
  progress: number;
  counts: BatchCounts;
  /** False while more items may be added; an external batch without a known total is never sealed. */
  sealed: boolean;
  /** Results come from outside (`recordResult`), not from an item handler. */
  external: boolean;
  options: BatchOptions;
  filters: Record<string, unknown>;
  parameters: Record<string, unknown>;
  /** Number of the current run, from 1. */
  run: number;
  /** Milliseconds until the end at the run's mean speed, and within its rate limit; null when unknown. */
  etaMs: number | null;
  /** Mean duration of the items that have one, in milliseconds; null when none has. */
  meanDurationMs: number | null;
  /** True while nothing is left but items that wait for another try. */
  retrying: boolean;
  /** Set when what the batch did is taken back, because it failed or somebody asked for it. */
  rollback: RollbackView | null;
  /** Sequence number of its newest event. */
  lastEventSeq: number;
  createdBy: string | null;
  createdAt: string;
  startedAt: string | null;
  endedAt: string | null;
}

/** Why an item failed. */
export class ItemErrorView {
  kind: string;
  message: string;
}

/** One item's outcome as JSON. */
export class OutcomeView {
  /** Position in the batch, from 0. */
  seq: number;
  /** Number of the run that recorded it, from 1. */
  run: number;
  key: string;
  /** `cancelled` only in history: the run left the item undone, and a later one repeats it. */
  status: 'succeeded' | 'failed' | 'skipped' | 'cancelled';
  @AnyJson() output: unknown;
  error: ItemErrorView | null;
  /** Executions, 1 for success at once. */
  attempts: number;
  durationMs: number | null;
  /** 0 to 1 */
  quality: number | null;
  recordedAt: string;
}

/** One item as JSON, with its outcome when it has one. */
export class ItemView {
  seq: number;
  key: string;
  @AnyJson() payload: unknown;
  status: 'pending' | 'running' | 'retrying' | 'succeeded' | 'failed' | 'skipped' | 'cancelled';
  /** 0 to 100 while running, as its handler reported it. */
  progress: number | null;
  attempts: number;
  error: ItemErrorView | null;
}

/** A payload that an item has or had. */
export class ItemPayloadView {
  /** 0 for what it came with. */
  no: number;
  @AnyJson() payload: unknown;
  /** Who gave it to the item; null for what it came with, and when it is not known who called. */
  editedBy: string | null;
  editedAt: string;
}

/** What became of one item over the runs of its batch. Of very many or large payloads and outcomes the newest. */
export class ItemHistory {
  seq: number;
  key: string;
  /** Oldest first; the last one is what the item is repeated with. */
  payloads: ItemPayloadView[];
  /** Oldest first, by run. */
  outcomes: OutcomeView[];
}

export interface Page<Row> {
  rows: Row[];
  total: number;
  limit: number;
  offset: number;
  hasMore: boolean;
}

/** Durations in milliseconds, exact up to 10,000 outcomes, else from sketches of 1 % relative error. */
export class BatchAnalytics {
  batchId: string;
  status: BatchView['status'];
  counts: BatchCounts;
  durations: { count: number; sum: number; average: number; p50: number; p95: number; p99: number };
  quality: { count: number; average: number | null; /** 20 buckets of 0.05, from 0 */ histogram: number[] };
  /** Most frequent first. */
  errors: { message: string; kind: string; count: number }[];
  /** Progress over time, oldest first. */
  timeline: { at: string; processed: number; failed: number; progress: number }[];
}

export interface BatchStats {
  total: number;
  byStatus: Record<BatchView['status'], number>;
  byOperation: Record<string, number>;
}

/** Items over many batches; `succeeded + failed + skipped + open + cancelled` is `total`. */
export interface ItemTotals {
  /** Batches that are pending, running or paused. */
  activeBatches: number;
  total: number;
  succeeded: number;
  failed: number;
  skipped: number;
  /** Of active batches: waiting or being worked. */
  open: number;
  cancelled: number;
}

/** How many batches there are, and what became of their items. */
export interface BatchTotals {
  batches: number;
  /** Batches of which nothing is left but items that wait for another try; `byStatus` counts them as running. */
  retrying: number;
  byStatus: Record<BatchView['status'], number>;
  byPriority: Record<Priority, number>;
  /** The hundred most frequent. */
  byOperation: Record<string, number>;
  items: { total: number; succeeded: number; failed: number; skipped: number };
  /** Of the last runs of the batches that were started and have ended: how many, how long they took together, and their finished items. */
  ended: { batches: number; durationMs: number; processed: number };
}

/** An item that failed for good. */
export interface ItemFailureView {
  seq: number;
  key: string;
  kind: string;
  message: string;
  /** Where it was thrown; null where that is not known or was not asked for, and for a token's bearer. */
  stack: string | null;
  attempts: number;
  recordedAt: string;
}

export interface ItemOutputView {
  seq: number;
  key: string;
  output: unknown;
}

/** A batch's first items, failures and outputs: as many as were asked for and fit. */
export interface BatchPreview {
  payloads: unknown[];
  failures: ItemFailureView[];
  outputs: ItemOutputView[];
}

/** Figures of a batch at one moment. */
export interface MetricView {
  /** A process that worked the batch, or a caller. */
  source: 'worker' | 'caller';
  at: string;
  data: Record<string, unknown>;
}

/** One thing that was done to a batch. */
export class AuditView {
  at: string;
  /** The caller's subject; null for callers without one, and `service` for what the service did by a rule of the batch. */
  by: string | null;
  action: AuditAction;
  /** What changed, `{ from, to }` by field, or why it was done. */
  details: Record<string, unknown>;
}

/** A line, or an entry of a list, that is no item. */
export class LineProblem {
  /** From 1. */
  line: number;
  message: string;
}

/** What became of the items that were sent to a batch. */
export class IntakeReport {
  added: number;
  skipped: number;
  /** The first hundred. */
  problems: LineProblem[];
}
