import { type Connection, run, type Statement } from '../../database/sql.js';
import type { BatchOptions } from '../batch.options.js';

/** As a condition on `b`: a compensation of the batch is left to do. */
export const IS_COMPENSATING = `
  EXISTS (SELECT FROM run r JOIN compensation c ON c.run_id = r.id AND c.outcome IS NULL WHERE r.batch_id = b.id)`;

const SELECT_COMPENSATING: Statement = {
  name: 'select-compensating-batch',
  text: `
    SELECT id, tenant, operation, parameters, options FROM batch b
    WHERE id = $1 AND rollback ->> 'status' = 'due' AND (rollback ->> 'runId')::bigint = run_id AND ${IS_COMPENSATING}`,
};

export interface CompensatingBatch {
  id: string;
  tenant: string;
  operation: string;
  parameters: Record<string, unknown>;
  options: BatchOptions;
}

/** @returns undefined when the batch has no rollback due, or none of its compensations is left */
export async function selectCompensatingBatch(connection: Connection, batchId: string): Promise<CompensatingBatch | undefined> {
  const [batch] = await run<CompensatingBatch>(connection, SELECT_COMPENSATING, [batchId]);
  return batch;
}

const CLAIM: Statement = {
  name: 'claim-rollback-turn',
  text: `
    INSERT INTO rollback_turn AS t (batch_id, lease_until) VALUES ($1, clock_timestamp() + $2 * interval '1 millisecond')
    ON CONFLICT (batch_id) DO UPDATE SET
      fence = t.fence + 1, lease_until = excluded.lease_until, due_at = '-infinity', crashed = t.lease_until > '-infinity'
      WHERE t.lease_until <= clock_timestamp() AND t.due_at <= clock_timestamp()
    RETURNING batch_id AS "batchId", fence, crashed`,
};

/** The right to run a batch's compensations. */
export interface RollbackTurn {
  batchId: string;
  fence: string;
  /** The one before did not give it back: its process died, or was frozen for longer than the lease. */
  crashed: boolean;
}

/** @returns undefined when another process has it, or a compensation waits for another try */
export async function claimRollbackTurn(connection: Connection, batchId: string, leaseMs: number): Promise<RollbackTurn | undefined> {
  const [turn] = await run<RollbackTurn>(connection, CLAIM, [batchId, leaseMs]);
  return turn;
}

const RENEW: Statement = {
  name: 'renew-rollback-turn',
  text: `
    UPDATE rollback_turn SET lease_until = clock_timestamp() + $3 * interval '1 millisecond' WHERE batch_id = $1 AND fence = $2
    RETURNING 1`,
};

/** @returns false when another process has it by now */
export async function renewRollbackTurn(connection: Connection, { batchId, fence }: RollbackTurn, leaseMs: number): Promise<boolean> {
  return (await run(connection, RENEW, [batchId, fence, leaseMs])).length > 0;
}

const GIVE_BACK: Statement = {
  name: 'give-back-rollback-turn',
  text: `UPDATE rollback_turn SET lease_until = '-infinity' WHERE batch_id = $1 AND fence = $2`,
};

export async function giveBackRollbackTurn(connection: Connection, { batchId, fence }: RollbackTurn): Promise<void> {
  await run(connection, GIVE_BACK, [batchId, fence]);
}
