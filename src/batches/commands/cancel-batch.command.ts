import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { IsOptional, IsString, MaxLength } from 'class-validator';
import type { Caller } from '../../common/procedure.js';
import { Database } from '../../database/sql.js';
import type { BatchView } from '../batch.view.js';
import { BatchEventPublisher } from '../events/batch-event-publisher.js';
import { selectBatch } from '../store/lock-batch.js';
import { moveRun } from '../store/move-run.js';
import { toBatchView } from '../store/select-batches.js';
import { settleRun } from '../store/settle-run.js';

/**
 * Stops a batch for good. It reads "cancelled" at once and nothing pending starts; items in flight get an abort signal and
 * may finish and be recorded. The terminal event follows when they are.
 */
export class CancelBatch extends Command<BatchView> {
  @IsString() batchId: string;
  @IsOptional() @IsString() @MaxLength(500) reason?: string;

  caller: Caller;
}

@CommandHandler(CancelBatch)
export class CancelBatchHandler implements ICommandHandler<CancelBatch> {
  constructor(
    private readonly database: Database,
    private readonly publisher: BatchEventPublisher,
  ) {}

  async execute({ batchId, reason, caller }: CancelBatch): Promise<BatchView> {
    const { row, events } = await moveRun(this.database, {
      caller,
      batchId,
      move: 'cancel',
      to: 'stopping',
      endsAs: 'cancelled',
      reason: reason ?? 'cancelled on request',
      // It tells at once that the batch is cancelled; the terminal event comes with its last item.
      event: 'batch.progress',
    });
    await this.publisher.publish(events);
    await this.publisher.runChanged(row.run_id);
    await this.publisher.publish((await settleRun(this.database, row.run_id)).events);
    return toBatchView(await selectBatch(this.database.pool, caller.tenant, batchId));
  }
}
