import { isTerminal, type ReasonKind, type RunStatus } from '../batch.state.js';
import type { BatchOptions } from '../batch.options.js';
import type { BatchCounts, BatchView } from '../batch.view.js';
import type { RollbackView } from '../rollback.view.js';
import { concurrencyAt } from '../ramp-up.js';
import type { Dialect } from '../../common/procedure.js';

const MINUTE_MS = 60_000;

/**
 * A batch with its current run and live counts, all from one snapshot. Until a run has ended its counts are the sums over
 * its lanes (at most a few dozen rows); items in flight are bounded by what their lane runs, and by a canary. A run that repeats some of the
 * batch's items carries the counts of the others.
 */
export const SELECT_BATCHES = `
  SELECT b.id, b.tenant, b.dialect, b.operation, b.name, b.description, b.filters, b.parameters, b.options, b.external, b.warnings,
    b.created_by, b.created_at, b.event_seq, r.id AS run_id, r.no AS run_no, r.status, r.ends_as, r.reason, r.reason_kind, r.sealed,
    r.total + r.carried_succeeded + r.carried_failed + r.carried_skipped + r.carried_cancelled AS total,
    r.started_at, r.ended_at, r.cancelled + r.carried_cancelled AS cancelled,
    coalesce(done.succeeded, r.succeeded) + r.carried_succeeded AS succeeded,
    coalesce(done.failed, r.failed) + r.carried_failed AS failed, coalesce(done.skipped, r.skipped) + r.carried_skipped AS skipped,
    r.carried_succeeded + r.carried_failed + r.carried_skipped AS processed_before,
    coalesce(active.items, 0) AS running, timed.mean_duration_ms,
    CASE WHEN (b.rollback ->> 'runId')::bigint = r.id OR b.rollback ->> 'status' = 'done' THEN b.rollback END AS rollback,
    r.status = 'running' AND NOT EXISTS (SELECT FROM chunk c WHERE c.run_id = r.id AND c.state < 2)
      AND EXISTS (SELECT FROM retry t WHERE t.run_id = r.id) AS retrying
  FROM batch b
  JOIN run r ON r.id = b.run_id
  LEFT JOIN LATERAL (
    SELECT sum(l.succeeded)::int AS succeeded, sum(l.failed)::int AS failed, sum(l.skipped)::int AS skipped
    FROM lane l WHERE l.run_id = r.id AND r.ended_at IS NULL
  ) done ON true
  LEFT JOIN LATERAL (
    SELECT sum((t.tally #>> '{durations,sum}')::float8) / nullif(sum((t.tally #>> '{durations,count}')::float8), 0) AS mean_duration_ms
    FROM (SELECT l.tally FROM lane l WHERE l.run_id = r.id AND l.tally IS NOT NULL UNION ALL SELECT r.carried_tally) t
  ) timed ON true
  LEFT JOIN LATERAL (
    SELECT sum(least(coalesce(l.busy, least(l.width, l.granted)), held.items))::int AS items
    FROM lane l
    JOIN (
      SELECT c.lane, sum(greatest(0, least(c.size, r.gate - c.no) - cardinality(c.settled))) AS items
      FROM chunk c WHERE c.run_id = r.id AND c.state = 1 GROUP BY c.lane
    ) held ON held.lane = l.no
    WHERE l.run_id = r.id AND r.status IN ('running', 'paused', 'stopping')
  ) active ON true`;

export interface BatchRow {
  id: string;
  tenant: string;
  dialect: Dialect;
  operation: string;
  name: string | null;
  description: string | null;
  filters: Record<string, unknown>;
  parameters: Record<string, unknown>;
  options: BatchOptions;
  external: boolean;
  warnings: string[];
  created_by: string | null;
  created_at: Date;
  event_seq: number;
  run_id: string;
  run_no: number;
  status: RunStatus;
  ends_as: BatchView['status'] | null;
  reason: string | null;
  reason_kind: ReasonKind | null;
  sealed: boolean;
  total: number;
  started_at: Date | null;
  ended_at: Date | null;
  succeeded: number;
  failed: number;
  skipped: number;
  cancelled: number;
  /** Succeeded, failed or skipped in earlier runs and not repeated in this one. */
  processed_before: number;
  running: number;
  mean_duration_ms: number | null;
  retrying: boolean;
  /** That of the current run, or what was taken back of an earlier one. */
  rollback: RollbackView | null;
}

/** @param shortage why no item begins at the moment, in any batch */
export function toBatchView(row: BatchRow, shortage?: string): BatchView {
  const counts = toCounts(row);
  const standstill = row.status === 'running' && !row.external ? shortage : undefined;
  return {
    id: row.id,
    dialect: row.dialect,
    operation: row.operation,
    name: row.name,
    description: row.description,
    status: shownStatus(row),
    stopping: row.status === 'stopping',
    reason: row.reason ?? standstill ?? null,
    progress: toProgress(row, counts),
    counts,
    sealed: row.sealed,
    external: row.external,
    options: row.options,
    filters: row.filters,
    parameters: row.parameters,
    warnings: toWarnings(row, counts),
    run: row.run_no,
    etaMs: standstill === undefined ? toEta(row, counts) : null,
    meanDurationMs: row.mean_duration_ms,
    retrying: row.retrying,
    rollback: row.rollback && toRollback(row.rollback),
    lastEventSeq: row.event_seq,
    createdBy: row.created_by,
    createdAt: row.created_at.toISOString(),
    startedAt: row.started_at?.toISOString() ?? null,
    endedAt: row.ended_at?.toISOString() ?? null,
  };
}

/** One of an earlier version of the service tells nothing of compensations. */
function toRollback({ status, compensated = 0, compensationsFailed = 0, restored, removed, leftAlone, at }: RollbackView): RollbackView {
  return { status, compensated, compensationsFailed, restored, removed, leftAlone, at: new Date(at).toISOString() };
}

/** Those of its creation, and that it came to its end without having done anything. */
function toWarnings({ warnings, status }: BatchRow, { total, skipped }: BatchCounts): string[] {
  const didNothing = status === 'completed' && total > 0 && skipped === total;
  return didNothing ? [...warnings, `nothing was done: all ${total} items were skipped`] : warnings;
}

function shownStatus(row: BatchRow): BatchView['status'] {
  return row.status === 'stopping' ? row.ends_as! : row.status;
}

function toCounts(row: BatchRow): BatchCounts {
  const { total, succeeded, failed, skipped, cancelled } = row;
  const running = runningItems(row);
  const pending = Math.max(0, total - succeeded - failed - skipped - cancelled - running);
  return { total, succeeded, failed, skipped, cancelled, running, pending };
}

/** Items in flight. Of a concurrency that still grows, lanes hold more than may start. */
export function runningItems({ running, options, started_at: startedAt }: BatchRow): number {
  if (!options.rampUp || !startedAt) return running;
  return Math.min(running, concurrencyAt(options, Date.now() - startedAt.getTime()));
}

/** Floored, and 100 only for a batch that has ended with nothing cancelled: 999 of 1,000 is 99. */
function toProgress(row: BatchRow, counts: BatchCounts): number {
  const processed = counts.succeeded + counts.failed + counts.skipped;
  if (row.status === 'completed' && counts.cancelled === 0) return 100;
  if (counts.total === 0) return 0;
  const percent = Math.floor((100 * processed) / counts.total);
  return isTerminal(row.status) ? percent : Math.min(99, percent);
}

/** At the run's speed so far, but no sooner than its rate lets the last item start: a minute's worth at once, the others as they come. */
function toEta(row: BatchRow, counts: BatchCounts): number | null {
  const processed = counts.succeeded + counts.failed + counts.skipped - row.processed_before;
  if (row.status !== 'running' || processed === 0 || !row.started_at) return null;
  const elapsed = Date.now() - row.started_at.getTime();
  const left = counts.running + counts.pending;
  const { rateLimitPerMinute, rateLimitPool } = row.options;
  const perMinute = Math.min(rateLimitPerMinute ?? Infinity, rateLimitPool?.perMinute ?? Infinity);
  const untilLastStart = ((processed + left) / perMinute - 1) * MINUTE_MS - elapsed;
  return Math.max(0, Math.round((elapsed / processed) * left), Math.ceil(untilLastStart));
}
