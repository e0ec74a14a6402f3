import { type Connection, run, type Statement } from '../../database/sql.js';
import type { CompensationCounts, CurrentCompensation, FailedCompensation } from '../rollback.view.js';
import { nextCompensations } from './compensations.js';

const COUNT: Statement = {
  name: 'count-compensations',
  text: `
    SELECT count(*)::int AS total, count(*) FILTER (WHERE c.outcome = 'compensated')::int AS compensated,
      count(*) FILTER (WHERE c.outcome = 'failed')::int AS failed, count(*) FILTER (WHERE c.outcome IS NULL)::int AS left
    FROM run r JOIN compensation c ON c.run_id = r.id WHERE r.batch_id = $1`,
};

/** Over all runs of the batch. */
export async function countCompensations(connection: Connection, batchId: string): Promise<CompensationCounts> {
  const [counts] = await run<CompensationCounts>(connection, COUNT, [batchId]);
  return counts!;
}

const SELECT_ERROR: Statement = {
  name: 'select-current-compensation',
  text: `
    SELECT c.error, nullif(t.due_at, '-infinity') AS due_at
    FROM compensation c LEFT JOIN rollback_turn t ON t.batch_id = $1 WHERE c.run_id = $2 AND c.no = $3`,
};

/** The one that a rollback is at, or comes to next. */
export async function selectCurrentCompensation(connection: Connection, batchId: string): Promise<CurrentCompensation | null> {
  const [next] = await nextCompensations(connection, batchId, null, 1);
  if (!next) return null;
  const [state] = await run<{ error: string | null; due_at: Date | null }>(connection, SELECT_ERROR, [batchId, next.runId, next.no]);
  const { runNo, seq, key, attempts } = next;
  return { run: runNo, seq, key, attempts, error: state?.error ?? null, dueAt: state?.due_at?.toISOString() ?? null };
}

const SELECT_FAILED: Statement = {
  name: 'select-failed-compensations',
  text: `
    SELECT r.no AS run, c.seq, o.key, c.error AS message, c.attempts
    FROM run r JOIN compensation c ON c.run_id = r.id LEFT JOIN outcome o ON o.run_id = c.run_id AND o.seq = c.seq
    WHERE r.batch_id = $1 AND c.outcome = 'failed' ORDER BY c.no DESC LIMIT $2`,
};

/** In the order in which they were tried. */
export function selectFailedCompensations(connection: Connection, batchId: string, limit: number): Promise<FailedCompensation[]> {
  return run<FailedCompensation>(connection, SELECT_FAILED, [batchId, limit]);
}
