import { type Connection, run, type Statement } from '../../database/sql.js';
import { BY_SERVICE } from './append-audit.js';
import { isBeforeGate } from './claim-chunks.js';

/**
 * Runs that have work and a lane nobody holds: what lost bells, dead workers and due retries leave behind.
 * Urgent ones first, then the oldest; a run that waits without any lane becomes one class more urgent every `$3` milliseconds, so that
 * none waits for ever. Those that wait for tokens of a rate limit, and those in `$4`, are left alone; `$6`: of the tenants in `$5`, or of
 * all others. Runs of the tenants in `$7` come after all others, in that order.
 */
const FIND_WAITING_RUNS: Statement = {
  name: 'find-waiting-runs',
  text: `
    SELECT r.id AS run_id, b.tenant, free.lanes, free.orphans, free.waited_ms, greatest(1, r.rank - floor(free.waited_ms / $3::float8))::int AS rank
    FROM run r
    JOIN LATERAL (
      SELECT count(*) FILTER (WHERE l.lease_until < clock_timestamp() AND (l.width > 0 OR l.lease_until > '-infinity'))::int AS lanes,
        count(*) FILTER (WHERE l.lease_until > '-infinity' AND l.lease_until < clock_timestamp())::int AS orphans,
        CASE WHEN bool_or(l.lease_until > clock_timestamp()) THEN 0
          ELSE extract(epoch FROM clock_timestamp() - greatest(r.started_at, max(l.claimed_at)))::float8 * 1000 END AS waited_ms
      FROM lane l WHERE l.run_id = r.id
    ) free ON free.lanes > 0
    JOIN batch b ON b.id = r.batch_id AND NOT b.external
    WHERE r.status = 'running' AND r.held_until < clock_timestamp() AND b.operation = ANY ($1::text[]) AND r.id <> ALL ($4::bigint[])
      AND (b.tenant = ANY ($5::text[])) = $6 AND (
      free.orphans > 0
      OR EXISTS (SELECT FROM chunk c WHERE c.run_id = r.id AND c.state = 0 AND ${isBeforeGate('r.gate')})
      OR EXISTS (
        SELECT FROM chunk c JOIN lane l ON l.run_id = c.run_id AND l.no = c.lane
        WHERE c.run_id = r.id AND c.state = 1 AND l.lease_until < clock_timestamp()
      )
      OR (SELECT min(t.due_at) FROM retry t WHERE t.run_id = r.id) <= clock_timestamp()
    )
    ORDER BY coalesce(array_position($7::text[], b.tenant), 0), rank, free.orphans > 0 DESC, r.id LIMIT $2`,
};

export interface WaitingRun {
  run_id: string;
  tenant: string;
  /** With what it has gained by waiting. */
  rank: number;
  /** Free ones. */
  lanes: number;
  /** Of these, the ones that a worker held when it died. */
  orphans: number;
  /** Milliseconds since the last lane of it was claimed, or since it was started; 0 while one is held. */
  waited_ms: number;
}

export interface WaitingRunsSearch {
  /** Those this worker has a handler for: a batch of another release waits for a worker that knows it. */
  operations: string[];
  limit: number;
  /** Milliseconds for which a run waits to become one class more urgent. */
  ageMs: number;
  /** Runs to leave alone. */
  except: string[];
  /** Of these tenants alone, or of all but these; default: of all. */
  tenants?: { names: string[]; alone: boolean };
  /** Tenants whose turn comes after that of all others, in this order. */
  after?: string[];
}

const OF_ALL = { names: [], alone: false };

export function findWaitingRuns(connection: Connection, search: WaitingRunsSearch): Promise<WaitingRun[]> {
  const { operations, limit, ageMs, except, tenants = OF_ALL, after = [] } = search;
  return run<WaitingRun>(connection, FIND_WAITING_RUNS, [operations, limit, ageMs, except, tenants.names, tenants.alone, after]);
}

/**
 * Runs that a crash left where they should not stay: nothing open, a canary that is through, or stopping with no live lane. A minimum is
 * looked up run by run; EXISTS may be answered by reading the open chunks of all runs first.
 */
const FIND_UNENDED_RUNS: Statement = {
  name: 'find-unended-runs',
  text: `
    SELECT r.id AS run_id FROM run r JOIN batch b ON b.id = r.batch_id
    WHERE (r.status IN ('running', 'paused') AND r.sealed AND NOT b.external
        AND (SELECT min(c.no) FROM chunk c WHERE c.run_id = r.id AND c.state < 2) IS NULL
        AND (SELECT min(t.due_at) FROM retry t WHERE t.run_id = r.id) IS NULL)
      OR (r.status = 'running' AND r.gate <= (SELECT sum(l.succeeded + l.failed + l.skipped) FROM lane l WHERE l.run_id = r.id))
      OR (r.status = 'stopping' AND NOT EXISTS (SELECT FROM lane l WHERE l.run_id = r.id AND l.lease_until > clock_timestamp()))
    LIMIT 100`,
};

export async function findUnendedRuns(connection: Connection): Promise<string[]> {
  const rows = await run<{ run_id: string }>(connection, FIND_UNENDED_RUNS, []);
  return rows.map((row) => row.run_id);
}

/** Runs past their deadline begin to stop as timed out. */
const TIME_OUT_RUNS: Statement = {
  name: 'time-out-runs',
  text: `
    WITH late AS (
      UPDATE run SET status = 'stopping', ends_as = 'timed_out', reason = 'Job timeout exceeded', reason_kind = NULL
      WHERE id IN (
        SELECT id FROM run WHERE status IN ('running', 'paused') AND deadline_at < clock_timestamp() FOR UPDATE SKIP LOCKED
      )
      RETURNING id, batch_id
    ), told AS (
      INSERT INTO audit_entry (batch_id, by, action, details) SELECT batch_id, '${BY_SERVICE}', 'time out', '{}' FROM late
    )
    SELECT id AS run_id FROM late`,
};

export async function timeOutRuns(connection: Connection): Promise<string[]> {
  const rows = await run<{ run_id: string }>(connection, TIME_OUT_RUNS, []);
  return rows.map((row) => row.run_id);
}
