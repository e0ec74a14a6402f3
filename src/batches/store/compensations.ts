import { type Connection, run, type Statement } from '../../database/sql.js';
import type { RollbackTurn } from './rollback-turn.js';

/** The newest run of batch $1 that has a compensation left. */
const NEWEST_RUN = `
  (SELECT r.id FROM run r WHERE r.batch_id = $1 AND EXISTS (SELECT FROM compensation c WHERE c.run_id = r.id AND c.outcome IS NULL)
   ORDER BY r.id DESC LIMIT 1)`;

/** Newest first. Begins below the last one done, because the index still holds those that are done until it is vacuumed. */
const NEXT: Statement = {
  name: 'next-compensations',
  text: `
    SELECT c.run_id AS "runId", c.no, c.seq, c.value, c.attempts, r.no AS "runNo", o.key
    FROM compensation c JOIN run r ON r.id = c.run_id LEFT JOIN outcome o ON o.run_id = c.run_id AND o.seq = c.seq
    WHERE c.run_id = ${NEWEST_RUN} AND c.outcome IS NULL AND ($2::bigint IS NULL OR c.no < $2)
    ORDER BY c.no DESC LIMIT $3`,
};

export interface LeftCompensation {
  runId: string;
  no: string;
  runNo: number;
  seq: number;
  /** The item's key. */
  key: string;
  value: unknown;
  /** Tries that have failed. */
  attempts: number;
}

/** @param before the number of the last one that was done in this turn */
export function nextCompensations(
  connection: Connection,
  batchId: string,
  before: string | null,
  limit: number,
): Promise<LeftCompensation[]> {
  return run<LeftCompensation>(connection, NEXT, [batchId, before, limit]);
}

/** Nothing happens when the turn is another's by now. */
const END: Statement = {
  name: 'end-compensation',
  text: `
    WITH held AS (
      UPDATE rollback_turn SET
        lease_until = CASE WHEN $8::float8 IS NULL THEN clock_timestamp() + $3 * interval '1 millisecond' ELSE '-infinity' END,
        due_at = CASE WHEN $8 IS NULL THEN '-infinity' ELSE clock_timestamp() + $8 * interval '1 millisecond' END
      WHERE batch_id = $1 AND fence = $2 RETURNING 1
    )
    UPDATE compensation SET attempts = $6, outcome = $7, error = $9
    WHERE run_id = $4 AND no = $5 AND EXISTS (SELECT FROM held)
    RETURNING 1`,
};

export interface CompensationEnd {
  attempts: number;
  /** null: it is tried again. */
  outcome: 'compensated' | 'failed' | null;
  error: string | null;
  /** Milliseconds until it is tried again; the turn is given back until then. */
  retryMs: number | null;
  /** How long the turn is kept otherwise. */
  leaseMs: number;
}

/** Marks what came of a try, and renews the lease. @returns false when nothing was marked: the turn is another's by now */
export async function endCompensation(
  connection: Connection,
  { batchId, fence }: RollbackTurn,
  { runId, no }: LeftCompensation,
  end: CompensationEnd,
): Promise<boolean> {
  const values = [batchId, fence, end.leaseMs, runId, no, end.attempts, end.outcome, end.retryMs, end.error];
  return (await run(connection, END, values)).length > 0;
}

const FAIL_ALL: Statement = {
  name: 'fail-compensations',
  text: `
    UPDATE compensation c SET outcome = 'failed', error = $2
    FROM run r WHERE r.batch_id = $1 AND c.run_id = r.id AND c.outcome IS NULL`,
};

/** None of those that are left can be done. */
export async function failCompensations(connection: Connection, batchId: string, error: string): Promise<void> {
  await run(connection, FAIL_ALL, [batchId, error]);
}

const MAX_CRASHES = 3;

const NOTE_CRASH: Statement = {
  name: 'note-crash-of-compensation',
  text: `
    UPDATE compensation SET crashes = crashes + 1,
      outcome = CASE WHEN crashes + 1 >= ${MAX_CRASHES} THEN 'failed' END,
      error = CASE WHEN crashes + 1 >= ${MAX_CRASHES} THEN 'its worker died ${MAX_CRASHES} times while it was tried' ELSE error END
    WHERE (run_id, no) = (
      SELECT run_id, no FROM compensation c WHERE c.run_id = ${NEWEST_RUN} AND c.outcome IS NULL ORDER BY c.no DESC LIMIT 1
    )`,
};

/** A process died at the batch's next compensation. One that takes its worker down again and again is given up. */
export async function noteCrashOfCompensation(connection: Connection, batchId: string): Promise<void> {
  await run(connection, NOTE_CRASH, [batchId]);
}

const TRY_AGAIN: Statement = {
  name: 'try-compensations-again',
  text: `
    WITH hurried AS (UPDATE rollback_turn SET due_at = '-infinity' WHERE batch_id = $1)
    UPDATE compensation c SET outcome = NULL, attempts = 0, crashes = 0
    FROM run r WHERE r.batch_id = $1 AND c.run_id = r.id AND c.outcome = 'failed'`,
};

/** Those that failed have all of their tries again, and what waits for a try is tried now. */
export async function tryCompensationsAgain(connection: Connection, batchId: string): Promise<void> {
  await run(connection, TRY_AGAIN, [batchId]);
}
