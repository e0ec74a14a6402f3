import { Injectable } from '@nestjs/common';
import type { BatchView } from '../../batches/batch.view.js';
import { CancelBatch } from '../../batches/commands/cancel-batch.command.js';
import { CreateBatch } from '../../batches/commands/create-batch.command.js';
import { PauseBatch } from '../../batches/commands/pause-batch.command.js';
import { ResumeBatch } from '../../batches/commands/resume-batch.command.js';
import { RetryItems } from '../../batches/commands/retry-items.command.js';
import { StartBatch } from '../../batches/commands/start-batch.command.js';
import { UpdateBatch } from '../../batches/commands/update-batch.command.js';
import { GetBatch } from '../../batches/queries/get-batch.query.js';
import { checkInput } from '../../common/check-input.js';
import { type Caller, Procedures } from '../../common/procedure.js';
import { ItemHandlerRegistry } from '../../operations/item-handler.registry.js';
import { assertConfigCanBeChanged, toOptions } from './batch-config.js';
import { CreateBatchOfDataRequest, UpdateBatchOfDataRequest } from './batch-service.request.js';
import type { CreateBatchRequest, UpdateBatchRequest } from './batch-service.types.js';
import { inRequestWords, toCreateInput } from './create-input.js';
import { type StatusMove, statusMove } from './status-moves.js';

/** Creates and changes batches as the batch service's requests ask for. */
@Injectable()
export class BatchChanges {
  constructor(
    private readonly procedures: Procedures,
    private readonly registry: ItemHandlerRegistry,
  ) {}

  /** @throws AppError INVALID_INPUT or UNPROCESSABLE with one entry for each wrong field */
  create(request: CreateBatchRequest, caller: Caller): Promise<BatchView> {
    const checked = checkInput(CreateBatchOfDataRequest, request);
    const input = toCreateInput(checked, (type) => this.registry.get(type) !== undefined);
    return inRequestWords(() => this.procedures.call(CreateBatch, input, { ...caller, dialect: 'batch-service' }));
  }

  /**
   * @throws AppError NOT_FOUND; INVALID_INPUT; CONFLICT and UNPROCESSABLE for what the batch's state does not allow. Nothing is changed
   * then.
   */
  async update(batchId: string, updates: UpdateBatchRequest, caller: Caller): Promise<BatchView> {
    const { status, name, description, priority, config } = checkInput(UpdateBatchOfDataRequest, updates);
    assertConfigCanBeChanged(config ?? {});
    const options = toOptions(config, priority);
    const batch = await this.procedures.call(GetBatch, { batchId }, caller);
    const move = status && statusMove(batch, status);
    const changes = { name, description, options: Object.keys(options).length > 0 ? options : undefined };
    const isChanged = Object.values(changes).some((change) => change !== undefined);
    const updated = isChanged ? await this.procedures.call(UpdateBatch, { batchId, ...changes }, caller) : batch;
    return move ? this.move(batchId, move, caller) : updated;
  }

  private move(batchId: string, move: StatusMove, caller: Caller): Promise<BatchView> {
    switch (move) {
      case 'start':
        return this.procedures.call(StartBatch, { batchId }, caller);
      case 'pause':
        return this.procedures.call(PauseBatch, { batchId }, caller);
      case 'resume':
        return this.procedures.call(ResumeBatch, { batchId }, caller);
      case 'cancel':
        return this.procedures.call(CancelBatch, { batchId }, caller);
      case 'repeat':
        return this.procedures.call(RetryItems, { batchId }, caller);
    }
  }
}
