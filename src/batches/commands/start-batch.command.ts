import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { IsBoolean, IsOptional, IsString } from 'class-validator';
import { AppError } from '../../common/app-error.js';
import type { Caller } from '../../common/procedure.js';
import { Database } from '../../database/sql.js';
import { LaneQueue } from '../../queue/lane-queue.js';
import { assertMove } from '../batch.state.js';
import type { BatchView } from '../batch.view.js';
import { assertCanaryOfKnown } from '../caution.options.js';
import { BatchEventPublisher } from '../events/batch-event-publisher.js';
import { ringRun } from '../ring-run.js';
import { lockBatch, selectBatch } from '../store/lock-batch.js';
import { toBatchView } from '../store/select-batches.js';
import { appendAudit } from '../store/append-audit.js';
import { startRun } from '../store/start-run.js';

/**
 * Sets a pending batch going. It is sealed by that, unless it is to stay open for more items, or takes results from outside (which
 * also start it by themselves).
 */
export class StartBatch extends Command<BatchView> {
  @IsString() batchId: string;
  @IsOptional() @IsBoolean() open?: boolean;

  caller: Caller;
}

@CommandHandler(StartBatch)
export class StartBatchHandler implements ICommandHandler<StartBatch> {
  constructor(
    private readonly database: Database,
    private readonly publisher: BatchEventPublisher,
    private readonly lanes: LaneQueue,
  ) {}

  async execute({ batchId, open, caller }: StartBatch): Promise<BatchView> {
    const { row, started } = await this.database.transaction(async (connection) => {
      const batch = await lockBatch(connection, caller.tenant, batchId);
      assertMove('start', batch.status, batchId);
      if (open && batch.sealed) throw new AppError('CONFLICT', `batch ${batchId} is sealed; it cannot be opened again`);
      assertCanaryOfKnown(open ? 'open' : 'known', batch.options);
      // Of results from outside nobody knows which is the last one, unless a total was told.
      const event = await startRun(connection, batch.run_id, batch.external ? batch.sealed : !open);
      await appendAudit(connection, { batchId, by: caller.subject ?? null, action: 'start', details: {} });
      return { row: await selectBatch(connection, caller.tenant, batchId), started: event };
    });
    await this.publisher.publish([started]);
    if (!row.external) await ringRun(this.lanes, row);
    return toBatchView(row);
  }
}
