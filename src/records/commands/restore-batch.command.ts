import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { IsString } from 'class-validator';
import { keepsBackup } from '../../batches/batch.options.js';
import { isTerminal } from '../../batches/batch.state.js';
import { demandRollback } from '../../batches/store/demand-rollback.js';
import { lockBatch } from '../../batches/store/lock-batch.js';
import { AppError } from '../../common/app-error.js';
import type { Caller } from '../../common/procedure.js';
import { Database, run, type Statement } from '../../database/sql.js';
import { rollBackBatch } from '../roll-back-batch.js';

/**
 * Takes back what an ended batch changed: every record gets its earlier version again, and those that the batch created are removed.
 * A record that somebody else has changed since is left alone; a later call looks at it again. What is taken back stays so: calling
 * twice changes nothing. Should this process die, a worker finishes it.
 */
export class RestoreBatch extends Command<RestoreReport> {
  @IsString() batchId: string;

  caller: Caller;
}

/** What became of the records that the batch had changed, by this call and earlier ones. */
export class RestoreReport {
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

const SELECT_LEFT_ALONE: Statement = {
  name: 'select-left-alone',
  text: `SELECT key FROM record_backup WHERE batch_id = $1 AND outcome = 'left alone' ORDER BY collection, key LIMIT 100`,
};

@CommandHandler(RestoreBatch)
export class RestoreBatchHandler implements ICommandHandler<RestoreBatch> {
  constructor(private readonly database: Database) {}

  /** @throws AppError CONFLICT while the batch is under way, or when it has no backup */
  async execute({ batchId, caller }: RestoreBatch): Promise<RestoreReport> {
    await this.demand(batchId, caller.tenant);
    const rollback = await rollBackBatch(this.database, batchId);
    if (!rollback) throw new AppError('CONFLICT', `batch ${batchId} was started again while its changes were taken back`);
    const keys = await run<{ key: string }>(this.database.pool, SELECT_LEFT_ALONE, [batchId]);
    const { restored, removed, leftAlone } = rollback;
    return { restored, removed, leftAlone, leftAloneKeys: keys.map(({ key }) => key) };
  }

  private demand(batchId: string, tenant: string): Promise<void> {
    return this.database.transaction(async (connection) => {
      const { status, options } = await lockBatch(connection, tenant, batchId);
      if (!isTerminal(status)) {
        throw new AppError('CONFLICT', `batch ${batchId} is ${status}; its changes can be taken back when it has ended`);
      }
      if (!keepsBackup(options)) {
        const remedy = 'create a batch with options.backupStrategy "auto" to be able to restore';
        throw new AppError('CONFLICT', `batch ${batchId} kept no backup of what it changed; ${remedy}`);
      }
      await demandRollback(connection, batchId);
      await run(connection, LOOK_AGAIN, [batchId]);
    });
  }
}
