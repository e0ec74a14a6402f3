import type { BatchView } from '../batch.view.js';
import { type Connection, run, type Statement } from '../../database/sql.js';
import { appendAudit, BY_SERVICE } from './append-audit.js';
import { IS_COMPENSATING } from './rollback-turn.js';

const DUE = `
  rollback = jsonb_build_object('status', 'due', 'runId', run_id, 'compensated', 0, 'compensationsFailed', 0,
    'restored', 0, 'removed', 0, 'leftAlone', 0, 'at', clock_timestamp())`;

const DEMAND: Statement = { name: 'demand-rollback', text: `UPDATE batch SET ${DUE} WHERE id = $1` };

const DEMAND_WHEN_WANTED: Statement = {
  name: 'demand-wanted-rollback',
  text: `UPDATE batch SET ${DUE} WHERE id = $1 AND (options ->> 'rollbackOnFailure')::boolean RETURNING id`,
};

/**
 * From now on what the batch did is to be taken back, and none of its late writes to records is accepted. A worker does it: first
 * compensations, then records; records, when no compensation is left, are also restored by whoever asked for it.
 */
export async function demandRollback(connection: Connection, batchId: string): Promise<void> {
  await run(connection, DEMAND, [batchId]);
}

/** The same for a batch that wants it when it fails, in the transaction that ends its run. */
export async function demandRollbackOfFailure(connection: Connection, batchId: string, endedAs: BatchView['status']): Promise<void> {
  if (endedAs !== 'failed' && endedAs !== 'timed_out') return;
  const wanted = await run(connection, DEMAND_WHEN_WANTED, [batchId]);
  if (wanted.length > 0) await appendAudit(connection, { batchId, by: BY_SERVICE, action: 'roll back', details: {} });
}

/**
 * Those of a run that has been repeated since are no longer due: the batch goes on. Left out are those whose compensations another
 * process is at, or that wait for another try, or for a worker that knows how. In no order, so that none waits for ever behind others.
 */
const FIND_DUE: Statement = {
  name: 'find-due-rollbacks',
  text: `
    SELECT b.id FROM batch b LEFT JOIN rollback_turn t ON t.batch_id = b.id
    WHERE b.rollback ->> 'status' = 'due' AND (b.rollback ->> 'runId')::bigint = b.run_id
      AND (t.batch_id IS NULL OR greatest(t.lease_until, t.due_at) <= clock_timestamp())
      AND b.id <> ALL ($2::text[]) AND (b.operation = ANY ($1::text[]) OR NOT ${IS_COMPENSATING})
    ORDER BY random() LIMIT $3`,
};

export interface DueRollbacksSearch {
  /** Those this worker has a handler for. */
  operations: string[];
  /** Batches to leave out. */
  except: string[];
  limit: number;
}

/** @returns ids of batches */
export async function findDueRollbacks(connection: Connection, { operations, except, limit }: DueRollbacksSearch): Promise<string[]> {
  const rows = await run<{ id: string }>(connection, FIND_DUE, [operations, except, limit]);
  return rows.map(({ id }) => id);
}
