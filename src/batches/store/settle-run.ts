import type { RunStatus } from '../batch.state.js';
import type { BatchView } from '../batch.view.js';
import type { BatchEventRecord, BatchEventType } from '../events/batch.events.js';
import { type Connection, type Database, run, type Statement } from '../../database/sql.js';
import { appendEvent } from './append-event.js';
import { demandRollbackOfFailure } from './demand-rollback.js';
import { countEnded } from './ended-totals.js';
import { judgeRun, type Verdict } from './judge-run.js';
import { keepLastErrors } from './keep-last-errors.js';
import { evictDeadLanes } from './surrender-lane.js';

const LOCK_RUN: Statement = {
  name: 'lock-run',
  text: `
    SELECT r.status, r.gate IS NOT NULL OR jsonb_typeof(b.options -> 'failureThreshold') = 'object' AS has_rules
    FROM run r JOIN batch b ON b.id = r.batch_id WHERE r.id = $1 FOR UPDATE OF r`,
};

/**
 * Ends a run that has nothing left to do, also a paused one: nobody could see what its resume would be good for. It is decided by looking,
 * never by counting down: no open chunk and no waiting retry (an external run: as many results as items); a stopping run ends when no
 * lane is held any more, nor its lease over without having been taken away: its worker may wake and record. The caller holds the run's
 * row lock, so of two lanes that finish at the same moment the second one sees the first one's work. Success is the whole batch's:
 * what earlier runs achieved counts too.
 */
const END_RUN: Statement = {
  name: 'end-run',
  text: `
    WITH ended AS (
      UPDATE run r SET
        status = CASE
          WHEN r.status = 'stopping' THEN r.ends_as
          WHEN done.succeeded + done.skipped + r.carried_succeeded + r.carried_skipped > 0 OR r.total = 0 THEN 'completed'
          ELSE 'failed' END,
        reason = CASE
          WHEN r.status = 'stopping' THEN r.reason
          WHEN done.succeeded + done.skipped + r.carried_succeeded + r.carried_skipped = 0 AND r.total > 0 THEN 'every item failed' END,
        succeeded = done.succeeded, failed = done.failed, skipped = done.skipped,
        cancelled = r.total - done.succeeded - done.failed - done.skipped,
        sealed = true, ended_at = clock_timestamp()
      FROM (
        SELECT coalesce(sum(succeeded), 0)::int AS succeeded, coalesce(sum(failed), 0)::int AS failed,
          coalesce(sum(skipped), 0)::int AS skipped, coalesce(bool_or(lease_until > '-infinity'), false) AS held
        FROM lane WHERE run_id = $1
      ) done, batch b
      WHERE r.id = $1 AND b.id = r.batch_id AND (
        (r.status = 'stopping' AND NOT done.held)
        OR (r.status IN ('running', 'paused') AND r.sealed AND b.external AND done.succeeded + done.failed + done.skipped >= r.total)
        OR (r.status IN ('running', 'paused') AND r.sealed AND NOT b.external
          AND NOT EXISTS (SELECT FROM chunk c WHERE c.run_id = r.id AND c.state < 2)
          AND NOT EXISTS (SELECT FROM retry t WHERE t.run_id = r.id))
      )
      RETURNING r.*, b.tenant, b.dialect, b.operation, b.options
    ), counted AS (${countEnded(1, 'SELECT * FROM ended')})
    SELECT batch_id, status FROM ended`,
};

const END_EVENTS: Partial<Record<BatchView['status'], BatchEventType>> = {
  completed: 'batch.completed',
  failed: 'batch.failed',
  timed_out: 'batch.failed',
  cancelled: 'batch.cancelled',
};

export interface Settled {
  /** To publish after the commit. */
  events: BatchEventRecord[];
  /** What the run's own rules made of it. */
  verdict?: Verdict;
}

/** Moves a run on that its rules stop or that is over: of several callers at once, one does it. */
export function settleRun(database: Database, runId: string): Promise<Settled> {
  return database.transaction((connection) => settleRunWithin(connection, runId));
}

/** The same inside a transaction that is under way. */
export async function settleRunWithin(connection: Connection, runId: string): Promise<Settled> {
  const [locked] = await run<{ status: RunStatus; has_rules: boolean }>(connection, LOCK_RUN, [runId]);
  const { verdict, event } = locked?.has_rules ? await judgeRun(connection, runId) : {};
  const isStopped = locked?.status === 'stopping' || verdict?.to === 'failed';
  if (isStopped) await evictDeadLanes(connection, runId);
  const [ended] = await run<{ batch_id: string; status: BatchView['status'] }>(connection, END_RUN, [runId]);
  if (ended && isStopped) await keepLastErrors(connection, runId);
  if (ended) await demandRollbackOfFailure(connection, ended.batch_id, ended.status);
  const end = ended && (await appendEvent(connection, ended.batch_id, END_EVENTS[ended.status]!));
  return { events: [event, end].filter((each) => each !== undefined), verdict };
}
