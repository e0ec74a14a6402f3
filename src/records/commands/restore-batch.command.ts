import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { IsString } from 'class-validator';
import { keepsBackup } from '../../batches/batch.options.js';
import { isTerminal } from '../../batches/batch.state.js';
import { CompensationCounts, type RollbackView } from '../../batches/rollback.view.js';
import { appendAudit } from '../../batches/store/append-audit.js';
import { tryCompensationsAgain } from '../../batches/store/compensations.js';
import { demandRollback } from '../../batches/store/demand-rollback.js';
import { lockBatch, selectBatch } from '../../batches/store/lock-batch.js';
import { countCompensations } from '../../batches/store/select-compensations.js';
import { AppError } from '../../common/app-error.js';
import type { Caller } from '../../common/procedure.js';
import { Database, run, type Statement } from '../../database/sql.js';
import { type FinishedRollback, rollBackBatch } from '../roll-back-batch.js';

/**
 * Takes back what an ended batch did. First the compensations of its items, by a worker: while some are left the answer is `due`. Then
 * every record that the batch changed gets its earlier version again, and those that it created are removed. A record that somebody
 * else has changed since is left alone. A later call looks again at these, and tries compensations again that have failed. What is
 * taken back stays so: calling twice changes nothing. Should this process die, a worker finishes it.
 */
export class RestoreBatch extends Command<RestoreReport> {
  @IsString() batchId: string;

  caller: Caller;
}

/** What became of the batch's compensations and of the records that it had changed, by this call and earlier ones. */
export class RestoreReport {
  /** `due`: compensations are under way, and records come after them. */
  status: RollbackView['status'];
  compensations: CompensationCounts;
  restored: number;
  removed: number;
  leftAlone: number;
  /** The first hundred. */
  leftAloneKeys: string[];
}

const LOOK_AGAIN: Statement = {
  name: 'look-again-at-left-alone',
  text: `UPDATE record_backup SET outcome = NULL WHERE batch_id = $1 AND outcome = 'left alone'`,
};

@CommandHandler(RestoreBatch)
export class RestoreBatchHandler implements ICommandHandler<RestoreBatch> {
  constructor(private readonly database: Database) {}

  /** @throws AppError CONFLICT while the batch is under way, or when there is nothing to take it back by */
  async execute({ batchId, caller }: RestoreBatch): Promise<RestoreReport> {
    const { pool } = this.database;
    await this.demand(batchId, caller);
    const rollback: FinishedRollback | null =
      (await rollBackBatch(this.database, batchId)) ?? (await selectBatch(pool, caller.tenant, batchId)).rollback;
    if (!rollback) throw new AppError('CONFLICT', `batch ${batchId} was started again while its changes were taken back`);
    const { status, restored, removed, leftAlone, leftAloneKeys = [] } = rollback;
    const compensations = await countCompensations(pool, batchId);
    return { status, compensations, restored, removed, leftAlone, leftAloneKeys };
  }

  private demand(batchId: string, caller: Caller): Promise<void> {
    return this.database.transaction(async (connection) => {
      const { status, options } = await lockBatch(connection, caller.tenant, batchId);
      if (!isTerminal(status)) {
        throw new AppError('CONFLICT', `batch ${batchId} is ${status}; its changes can be taken back when it has ended`);
      }
      if (!keepsBackup(options) && (await countCompensations(connection, batchId)).total === 0) {
        const remedy = 'create a batch with options.backupStrategy "auto" to be able to restore';
        throw new AppError('CONFLICT', `batch ${batchId} kept no backup of what it changed; ${remedy}`);
      }
      await demandRollback(connection, batchId);
      await run(connection, LOOK_AGAIN, [batchId]);
      await tryCompensationsAgain(connection, batchId);
      await appendAudit(connection, { batchId, by: caller.subject ?? null, action: 'restore', details: {} });
    });
  }
}
