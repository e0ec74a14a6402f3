import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { IsOptional, IsString, MaxLength } from 'class-validator';
import type { Caller } from '../../common/procedure.js';
import { Database } from '../../database/sql.js';
import type { BatchView } from '../batch.view.js';
import { BatchEventPublisher } from '../events/batch-event-publisher.js';
import { moveRun } from '../store/move-run.js';
import { toBatchView } from '../store/select-batches.js';

/** Starts no new item of a running batch; items in flight finish and are recorded. With the last of them the batch ends, which may be at once. */
export class PauseBatch extends Command<BatchView> {
  @IsString() batchId: string;
  /** Shown with the batch while it is paused. */
  @IsOptional() @IsString() @MaxLength(500) reason?: string;

  caller: Caller;
}

@CommandHandler(PauseBatch)
export class PauseBatchHandler implements ICommandHandler<PauseBatch> {
  constructor(
    private readonly database: Database,
    private readonly publisher: BatchEventPublisher,
  ) {}

  async execute({ batchId, reason, caller }: PauseBatch): Promise<BatchView> {
    const { row, events } = await moveRun(this.database, {
      caller,
      batchId,
      move: 'pause',
      to: 'paused',
      reason,
      event: 'batch.paused',
      // Its last item may have ended a moment ago, and whoever recorded that may find the run paused.
      settles: true,
    });
    await this.publisher.runChanged(row.run_id);
    await this.publisher.publish(events);
    return toBatchView(row);
  }
}
