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
import { AppError } from '../../common/app-error.js';
import { checkInput } from '../../common/check-input.js';
import { type Caller, Procedures } from '../../common/procedure.js';
import { ItemHandlerRegistry } from '../../operations/item-handler.registry.js';
import { assertConfigCanBeChanged, toOptions } from './batch-config.js';
import { CreateBatchOfDataRequest, UpdateBatchOfDataRequest } from './batch-service.request.js';
import type { BatchStatus, CreateBatchRequest, UpdateBatchRequest } from './batch-service.types.js';
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
   * then, but priority and config of a batch that another caller moves just after they were set.
   */
  async update(batchId: string, updates: UpdateBatchRequest, caller: Caller): Promise<BatchView> {
    const { status, name, description, priority, config, options: given } = checkInput(UpdateBatchOfDataRequest, updates);
    const batch = await this.procedures.call(GetBatch, { batchId }, caller);
    assertConfigCanBeChanged(config ?? {}, batch);
    const options = { ...toOptions(config, priority), ...given };
    if (status) statusMove(batch, status);
    const isSet = Object.keys(options).length > 0;
    const set = isSet ? await inRequestWords(() => this.procedures.call(UpdateBatch, { batchId, options }, caller)) : batch;
    const moved = status ? await this.reach(set, status, caller) : set;
    // What no state forbids comes last, after all that may be refused.
    const isNamed = name !== undefined || description !== undefined;
    return isNamed ? this.procedures.call(UpdateBatch, { batchId, name, description }, caller) : moved;
  }

  /** Makes the move that leads to a status. When another caller moves the batch first, its new state decides. */
  private async reach(batch: BatchView, status: BatchStatus, caller: Caller): Promise<BatchView> {
    const move = statusMove(batch, status);
    if (!move) return batch;
    try {
      return await this.move(batch.id, move, caller);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'CONFLICT') throw error;
      const now = await this.procedures.call(GetBatch, { batchId: batch.id }, caller);
      if (now.status === batch.status && now.run === batch.run) throw error;
      return this.reach(now, status, caller);
    }
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
