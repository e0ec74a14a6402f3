import { type Connection, run, type Statement } from '../../database/sql.js';

/**
 * Runs that have work and a lane nobody holds: what lost bells, dead workers and due retries leave behind.
 * Urgent ones first, then those that have waited longest; those that wait for tokens of a rate limit are left alone.
 */
const FIND_WAITING_RUNS: Statement = {
  name: 'find-waiting-runs',
  text: `
    SELECT r.id AS run_id, r.rank, free.lanes FROM run r
    JOIN LATERAL (
      SELECT count(*)::int AS lanes, bool_or(l.lease_until > '-infinity') AS orphaned
      FROM lane l WHERE l.run_id = r.id AND l.lease_until < clock_timestamp()
    ) free ON free.lanes > 0
    JOIN batch b ON b.id = r.batch_id AND NOT b.external
    WHERE r.status = 'running' AND r.held_until < clock_timestamp() AND b.operation = ANY ($1::text[]) AND (
      free.orphaned
      OR EXISTS (SELECT FROM chunk c WHERE c.run_id = r.id AND c.state = 0)
      OR EXISTS (
        SELECT FROM chunk c JOIN lane l ON l.run_id = c.run_id AND l.no = c.lane
        WHERE c.run_id = r.id AND c.state = 1 AND l.lease_until < clock_timestamp()
      )
      OR EXISTS (SELECT FROM retry t WHERE t.run_id = r.id AND t.due_at <= clock_timestamp())
    )
    ORDER BY r.rank, r.id LIMIT $2`,
};

export interface WaitingRun {
  run_id: string;
  rank: number;
  /** Free ones. */
  lanes: number;
}

/** @param operations those this worker has a handler for: a batch of another release waits for a worker that knows it */
export function findWaitingRuns(connection: Connection, operations: string[], limit: number): Promise<WaitingRun[]> {
  return run<WaitingRun>(connection, FIND_WAITING_RUNS, [operations, limit]);
}

/** Runs that a crash left unended: nothing open, or stopping with no live lane. */
const FIND_UNENDED_RUNS: Statement = {
  name: 'find-unended-runs',
  text: `
    SELECT r.id AS run_id FROM run r JOIN batch b ON b.id = r.batch_id
    WHERE (r.status = 'running' AND r.sealed AND NOT b.external
        AND NOT EXISTS (SELECT FROM chunk c WHERE c.run_id = r.id AND c.state < 2)
        AND NOT EXISTS (SELECT FROM retry t WHERE t.run_id = r.id))
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
    UPDATE run SET status = 'stopping', ends_as = 'timed_out', reason = 'Job timeout exceeded'
    WHERE id IN (
      SELECT id FROM run WHERE status IN ('running', 'paused') AND deadline_at < clock_timestamp() FOR UPDATE SKIP LOCKED
    )
    RETURNING id AS run_id`,
};

export async function timeOutRuns(connection: Connection): Promise<string[]> {
  const rows = await run<{ run_id: string }>(connection, TIME_OUT_RUNS, []);
  return rows.map((row) => row.run_id);
}
