import {
  endCompensation,
  failCompensations,
  nextCompensations,
  noteCrashOfCompensation,
} from '../../../src/batches/store/compensations.js';
import {
  claimRollbackTurn,
  giveBackRollbackTurn,
  renewRollbackTurn,
  selectCompensatingBatch,
} from '../../../src/batches/store/rollback-turn.js';
import { RestoreBatch } from '../../../src/records/commands/restore-batch.command.js';
import { rollBackBatch } from '../../../src/records/roll-back-batch.js';
import type { Engine } from '../../support/engine.js';
import { batchId, ENDED, TO_UNDO } from '../seed.js';

const LEASE_MS = 15_000;

/** Taking back what a batch did. */
export async function undoing(engine: Engine): Promise<void> {
  const { database } = engine;
  const { pool } = database;
  const id = batchId(TO_UNDO);
  await selectCompensatingBatch(pool, id);
  const turn = (await claimRollbackTurn(pool, id, LEASE_MS))!;
  await noteCrashOfCompensation(pool, id);
  const [next] = await nextCompensations(pool, id, null, 100);
  await endCompensation(pool, turn, next!, { attempts: 1, outcome: 'compensated', error: null, retryMs: null, leaseMs: LEASE_MS });
  await renewRollbackTurn(pool, turn, LEASE_MS);
  await failCompensations(pool, id, 'nobody knows how');
  await giveBackRollbackTurn(pool, turn);
  await rollBackBatch(database, id);
  await engine.call(RestoreBatch, { batchId: batchId(ENDED) });
}
