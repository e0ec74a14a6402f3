import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { IsString } from 'class-validator';
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
      await deleteBatches(connection, [batchId]);
    });
    return { deleted: true };
  }
}
