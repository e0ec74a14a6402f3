import { AppError } from '../../common/app-error.js';
import { type Connection, run, type Statement } from '../../database/sql.js';
import { type BatchRow, SELECT_BATCHES } from './select-batches.js';

const SELECT_BATCH: Statement = { name: 'select-batch', text: `${SELECT_BATCHES} WHERE b.id = $1 AND b.tenant = $2` };

const LOCK: Statement = {
  name: 'lock-batch',
  text: `SELECT r.id FROM batch b JOIN run r ON r.id = b.run_id WHERE b.id = $1 AND b.tenant = $2 FOR UPDATE OF r`,
};

/** @throws AppError NOT_FOUND, also for another tenant's batch */
export async function selectBatch(connection: Connection, tenant: string, batchId: string): Promise<BatchRow> {
  const [row] = await run<BatchRow>(connection, SELECT_BATCH, [batchId, tenant]);
  if (!row) throw new AppError('NOT_FOUND', `there is no batch ${batchId}`);
  return row;
}

/** The batch with its run's row locked until the transaction ends: of two commands at once, the second sees the first one's work. */
export async function lockBatch(connection: Connection, tenant: string, batchId: string): Promise<BatchRow> {
  await run(connection, LOCK, [batchId, tenant]);
  return selectBatch(connection, tenant, batchId);
}
