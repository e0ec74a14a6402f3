import { AppError } from '../../common/app-error.js';
import { Overtaken } from '../../database/conflicts.js';
import { type Connection, run, type Statement } from '../../database/sql.js';
import { type BatchRow, SELECT_BATCHES } from './select-batches.js';

const SELECT_BATCH: Statement = { name: 'select-batch', text: `${SELECT_BATCHES} WHERE b.id = $1 AND b.tenant = $2` };

/** Whoever gave the command is to be answered within five seconds, so that no lock is waited for longer in its transaction. */
const LOCK: Statement = {
  name: 'lock-batch',
  text: `
    SELECT r.id FROM (SELECT set_config('lock_timeout', '4000', true)) patience, batch b JOIN run r ON r.id = b.run_id
    WHERE b.id = $1 AND b.tenant = $2 FOR UPDATE OF r`,
};

/** @throws AppError NOT_FOUND, also for another tenant's batch */
export async function selectBatch(connection: Connection, tenant: string, batchId: string): Promise<BatchRow> {
  const [row] = await run<BatchRow>(connection, SELECT_BATCH, [batchId, tenant]);
  if (!row) throw new AppError('NOT_FOUND', `there is no batch ${batchId}`);
  return row;
}

/**
 * The batch with its current run's row locked until the transaction ends: of two commands at once, the second sees the first
 * one's work. Every transaction that locks rows of a batch begins so, and goes on in the order batch, lanes, chunks, whatever else.
 * @throws Overtaken when that work was to begin a new run: whoever held the old one's row while he waits for the new one's could keep
 *   those waiting who delete both. The transaction begins anew.
 */
export async function lockBatch(connection: Connection, tenant: string, batchId: string): Promise<BatchRow> {
  const [locked] = await run<{ id: string }>(connection, LOCK, [batchId, tenant]);
  const batch = await selectBatch(connection, tenant, batchId);
  if (locked?.id !== batch.run_id) throw new Overtaken(`batch ${batchId} has begun a new run meanwhile`);
  return batch;
}

const SELECT_RUN_IDS: Statement = { name: 'select-run-ids', text: `SELECT id FROM run WHERE batch_id = $1 ORDER BY no` };

/** The ids of all of the batch's runs, oldest first. The first one's chunks hold its items. */
export async function selectRunIds(connection: Connection, batch: Pick<BatchRow, 'id' | 'run_id' | 'run_no'>): Promise<string[]> {
  if (batch.run_no === 1) return [batch.run_id];
  const runs = await run<{ id: string }>(connection, SELECT_RUN_IDS, [batch.id]);
  return runs.map(({ id }) => id);
}
