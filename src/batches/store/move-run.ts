import { type Connection, type Database, run, type Statement } from '../../database/sql.js';
import { assertMove, type RunMove, type RunStatus } from '../batch.state.js';
import type { BatchEventRecord, BatchEventType } from '../events/batch.events.js';
import { appendEvent } from './append-event.js';
import { lockBatch, selectBatch } from './lock-batch.js';
import type { BatchRow } from './select-batches.js';

const SET_STATUS: Statement = {
  name: 'set-run-status',
  text: `UPDATE run SET status = $2, ends_as = $3, reason = coalesce($4, reason) WHERE id = $1`,
};

export interface RunMoveRequest {
  tenant: string;
  batchId: string;
  move: RunMove;
  to: RunStatus;
  /** What a stopping run will end as. */
  endsAs?: RunStatus;
  reason?: string;
  /** Written with the move; a stopping run writes its terminal event when it ends. */
  event?: BatchEventType;
}

export interface MovedRun {
  row: BatchRow;
  event: BatchEventRecord | undefined;
}

/** One move of the state machine with its event, in one transaction. @throws AppError CONFLICT when the state does not allow it */
export function moveRun(database: Database, request: RunMoveRequest): Promise<MovedRun> {
  const { tenant, batchId, move, to } = request;
  return database.transaction(async (connection: Connection) => {
    const batch = await lockBatch(connection, tenant, batchId);
    assertMove(move, batch.status, batchId);
    await run(connection, SET_STATUS, [batch.run_id, to, request.endsAs ?? null, request.reason ?? null]);
    const event = request.event && (await appendEvent(connection, batchId, request.event));
    return { row: await selectBatch(connection, tenant, batchId), event };
  });
}
