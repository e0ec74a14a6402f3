import type { BatchView } from '../batch.view.js';
import { type Connection, run, type Statement } from '../../database/sql.js';

const DUE = `
  rollback = jsonb_build_object('status', 'due', 'runId', run_id, 'restored', 0, 'removed', 0, 'leftAlone', 0, 'at', clock_timestamp())`;

const DEMAND: Statement = { name: 'demand-rollback', text: `UPDATE batch SET ${DUE} WHERE id = $1` };

const DEMAND_WHEN_WANTED: Statement = {
  name: 'demand-wanted-rollback',
  text: `UPDATE batch SET ${DUE} WHERE id = $1 AND (options ->> 'rollbackOnFailure')::boolean`,
};

/**
 * From now on the ended run's changes to records are to be taken back, and none of its late writes is accepted. A worker does it,
 * and so does whoever asked for it; it waits for writes of the batch that are under way.
 */
export async function demandRollback(connection: Connection, batchId: string): Promise<void> {
  await run(connection, DEMAND, [batchId]);
}

/** The same for a batch that wants it when it fails, in the transaction that ends its run. */
export async function demandRollbackOfFailure(connection: Connection, batchId: string, endedAs: BatchView['status']): Promise<void> {
  if (endedAs === 'failed' || endedAs === 'timed_out') await run(connection, DEMAND_WHEN_WANTED, [batchId]);
}

/** Those of a run that has been repeated since are no longer due: the batch goes on. */
const FIND_DUE: Statement = {
  name: 'find-due-rollbacks',
  text: `SELECT id FROM batch WHERE rollback ->> 'status' = 'due' AND (rollback ->> 'runId')::bigint = run_id ORDER BY id LIMIT 100`,
};

/** @returns ids of batches */
export async function findDueRollbacks(connection: Connection): Promise<string[]> {
  const rows = await run<{ id: string }>(connection, FIND_DUE, []);
  return rows.map(({ id }) => id);
}
