import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { IsString } from 'class-validator';
import { AppError } from '../../common/app-error.js';
import type { Caller } from '../../common/procedure.js';
import { Database } from '../../database/sql.js';
import { assertMove } from '../batch.state.js';
import { deleteBatches } from '../store/delete-batches.js';
import { lockBatch } from '../store/lock-batch.js';

/** Removes a batch that is not under way, with all of its runs, items, outcomes and events. */
export class DeleteBatch extends Command<{ deleted: true }> {
  @IsString() batchId: string;

  caller: Caller;
}

@CommandHandler(DeleteBatch)
export class DeleteBatchHandler implements ICommandHandler<DeleteBatch> {
  constructor(private readonly database: Database) {}

  async execute({ batchId, caller }: DeleteBatch): Promise<{ deleted: true }> {
    await this.database.transaction(async (connection) => {
      const batch = await lockBatch(connection, caller.tenant, batchId);
      assertMove('delete', batch.status, batchId);
      if (batch.rollback?.status === 'due') {
        throw new AppError('CONFLICT', `the changes of batch ${batchId} are being taken back; delete it when that is done`);
      }
      await deleteBatches(connection, [batchId]);
    });
    return { deleted: true };
  }
}
