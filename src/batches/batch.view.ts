import type { BatchOptions, Priority } from './batch.options.js';
import type { RunStatus } from './batch.state.js';
import type { Dialect } from '../common/procedure.js';
import type { ItemFailureView, ItemOutputView } from './item.view.js';
import type { RollbackView } from './rollback.view.js';
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
  /** Why it failed, timed out, was cancelled, is paused, or stands still although it runs: no space is left. */
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
  /** What whoever created it should know: settings without effect, rows that were read otherwise than written, a batch that did nothing. */
  warnings: string[];
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
  /** Most frequent first; of a stopped batch also what the items that it left undone last ran into. */
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

/** A batch's first items, failures and outputs: as many as were asked for and fit. */
export interface BatchPreview {
  payloads: unknown[];
  failures: ItemFailureView[];
  /** There are more items that were left undone after a failure than are shown. */
  moreUndone: boolean;
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
