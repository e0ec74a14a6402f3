import { type Connection, type Database, run, type Statement } from '../../database/sql.js';
import type { Caller } from '../../common/procedure.js';
import { assertMove, type RunStatus } from '../batch.state.js';
import type { BatchEventRecord, BatchEventType } from '../events/batch.events.js';
import { appendAudit } from './append-audit.js';
import { appendEvent } from './append-event.js';
import { lockBatch, selectBatch } from './lock-batch.js';
import type { BatchRow } from './select-batches.js';
import { settleRunWithin } from './settle-run.js';

const SET_STATUS: Statement = {
  name: 'set-run-status',
  text: `UPDATE run SET status = $2, ends_as = $3, reason = $4, reason_kind = NULL WHERE id = $1`,
};

/** Whoever resumes a run has seen how it stands: a failure threshold judges what comes after, and a finished canary has passed. */
const FORGIVE: Statement = {
  name: 'forgive-run',
  text: `
    UPDATE run r SET judged_failed = done.failed, judged_processed = done.processed,
      gate = CASE WHEN done.processed < r.gate THEN r.gate END
    FROM (
      SELECT sum(failed)::int AS failed, sum(succeeded + failed + skipped)::int AS processed FROM lane WHERE run_id = $1
    ) done
    WHERE r.id = $1`,
};

export interface RunMoveRequest {
  caller: Caller;
  batchId: string;
  move: 'pause' | 'resume' | 'cancel';
  to: RunStatus;
  /** What a stopping run will end as. */
  endsAs?: RunStatus;
  /** Told in the batch as long as it stays in that state. */
  reason?: string;
  /** Written with the move; a stopping run writes its terminal event when it ends. */
  event?: BatchEventType;
  /** Ends the run with the move if nothing is left of it. */
  settles?: boolean;
}

export interface MovedRun {
  row: BatchRow;
  events: BatchEventRecord[];
}

/** One move of the state machine with its event, in one transaction. @throws AppError CONFLICT when the state does not allow it */
export function moveRun(database: Database, request: RunMoveRequest): Promise<MovedRun> {
  const { caller, batchId, move, to, reason } = request;
  return database.transaction(async (connection: Connection) => {
    const batch = await lockBatch(connection, caller.tenant, batchId);
    assertMove(move, batch.status, batchId);
    await run(connection, SET_STATUS, [batch.run_id, to, request.endsAs ?? null, reason ?? null]);
    if (move === 'resume') await run(connection, FORGIVE, [batch.run_id]);
    await appendAudit(connection, { batchId, by: caller.subject ?? null, action: move, details: reason === undefined ? {} : { reason } });
    const events = request.event ? [await appendEvent(connection, batchId, request.event)] : [];
    if (request.settles) events.push(...(await settleRunWithin(connection, batch.run_id)).events);
    return { row: await selectBatch(connection, caller.tenant, batchId), events };
  });
}
