import { isBeforeGate } from '../../batches/store/claim-chunks.js';
import { type Connection, run, type Statement } from '../../database/sql.js';

/**
 * A running run with work that could be done, whose batch's newest event is older than `$1` milliseconds, and than what its items may
 * take while a worker holds some. Waiting for a try at a known time is no work that could be done; waiting for a provider is, because
 * that may go on for ever.
 */
const IS_STUCK = `
  r.status = 'running' AND NOT b.external AND e.type <> 'batch.stuck'
  AND e.at < clock_timestamp() - interval '1 millisecond' * ($1 + CASE
    WHEN EXISTS (
      SELECT FROM chunk c JOIN lane l ON l.run_id = c.run_id AND l.no = c.lane AND l.lease_until > clock_timestamp()
      WHERE c.run_id = r.id AND c.state = 1
    ) THEN (b.options ->> 'timeout')::float8 ELSE 0 END)
  AND (
    EXISTS (SELECT FROM chunk c WHERE c.run_id = r.id AND c.state < 2 AND ${isBeforeGate('r.gate')})
    OR EXISTS (SELECT FROM retry t WHERE t.run_id = r.id AND (t.due_at <= clock_timestamp() OR t.error_kind = 'rate-limited'))
  )`;

const FROM_RUNS = `
  FROM run r JOIN batch b ON b.id = r.batch_id JOIN batch_event e ON e.batch_id = b.id AND e.seq = b.event_seq`;

const FIND: Statement = { name: 'find-stuck-runs', text: `SELECT r.id AS run_id ${FROM_RUNS} WHERE ${IS_STUCK} ORDER BY r.id LIMIT 20` };

/** Runs of which nothing was heard for so long, as far as nobody has said so. */
export async function findStuckRuns(connection: Connection, afterMs: number): Promise<string[]> {
  const rows = await run<{ run_id: string }>(connection, FIND, [afterMs]);
  return rows.map((row) => row.run_id);
}

const LOCK: Statement = {
  name: 'lock-stuck-run',
  text: `SELECT b.id, b.tenant ${FROM_RUNS} WHERE r.id = $2 AND ${IS_STUCK} FOR UPDATE OF r, b SKIP LOCKED`,
};

/** The batch, if its run is stuck and nobody else is about to say so. Its event log is the caller's until the transaction ends. */
export async function lockStuckRun(
  connection: Connection,
  afterMs: number,
  runId: string,
): Promise<{ id: string; tenant: string } | undefined> {
  const [batch] = await run<{ id: string; tenant: string }>(connection, LOCK, [afterMs, runId]);
  return batch;
}
