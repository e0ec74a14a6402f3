import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { IsString } from 'class-validator';
import type { Caller } from '../../common/procedure.js';
import { Database } from '../../database/sql.js';
import { LaneQueue } from '../../queue/lane-queue.js';
import type { BatchView } from '../batch.view.js';
import { BatchEventPublisher } from '../events/batch-event-publisher.js';
import { ringRun } from '../ring-run.js';
import { moveRun } from '../store/move-run.js';
import { toBatchView } from '../store/select-batches.js';
import { settleRun } from '../store/settle-run.js';

/** Goes on with a paused batch. */
export class ResumeBatch extends Command<BatchView> {
  @IsString() batchId: string;

  caller: Caller;
}

@CommandHandler(ResumeBatch)
export class ResumeBatchHandler implements ICommandHandler<ResumeBatch> {
  constructor(
    private readonly database: Database,
    private readonly publisher: BatchEventPublisher,
    private readonly lanes: LaneQueue,
  ) {}

  async execute({ batchId, caller }: ResumeBatch): Promise<BatchView> {
    const { row, events } = await moveRun(this.database, {
      caller,
      batchId,
      move: 'resume',
      to: 'running',
      event: 'batch.resumed',
    });
    await this.publisher.publish(events);
    await ringRun(this.lanes, row);
    // Its last items may have finished while it was paused.
    await this.publisher.publish((await settleRun(this.database, row.run_id)).events);
    return toBatchView(row);
  }
}
