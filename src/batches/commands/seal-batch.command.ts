import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { IsString } from 'class-validator';
import type { Caller } from '../../common/procedure.js';
import { Database } from '../../database/sql.js';
import { assertMove } from '../batch.state.js';
import type { BatchView } from '../batch.view.js';
import { BatchEventPublisher } from '../events/batch-event-publisher.js';
import { appendAudit } from '../store/append-audit.js';
import { lockBatch, selectBatch } from '../store/lock-batch.js';
import { sealRun } from '../store/record-external-outcomes.js';
import { toBatchView } from '../store/select-batches.js';
import { settleRunWithin } from '../store/settle-run.js';
import { startRun } from '../store/start-run.js';

/** No more items, or results from outside, will come: the batch ends when what it has is done, which may be at once. */
export class SealBatch extends Command<BatchView> {
  @IsString() batchId: string;

  caller: Caller;
}

@CommandHandler(SealBatch)
export class SealBatchHandler implements ICommandHandler<SealBatch> {
  constructor(
    private readonly database: Database,
    private readonly publisher: BatchEventPublisher,
  ) {}

  async execute({ batchId, caller }: SealBatch): Promise<BatchView> {
    const { row, events } = await this.database.transaction(async (connection) => {
      const batch = await lockBatch(connection, caller.tenant, batchId);
      assertMove('seal', batch.status, batchId);
      await sealRun(connection, batch);
      await appendAudit(connection, { batchId, by: caller.subject ?? null, action: 'seal', details: { items: batch.total } });
      // Nobody else starts a batch of results from outside that gets none.
      const starts = batch.external && batch.status === 'pending';
      const started = starts ? await startRun(connection, batch.run_id, true) : undefined;
      const settled = await settleRunWithin(connection, batch.run_id);
      return { row: await selectBatch(connection, caller.tenant, batchId), events: [started, ...settled.events] };
    });
    await this.publisher.publish(events);
    return toBatchView(row);
  }
}
