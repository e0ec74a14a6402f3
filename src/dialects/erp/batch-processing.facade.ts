import { Injectable } from '@nestjs/common';
import { CancelBatch } from '../../batches/commands/cancel-batch.command.js';
import { CleanUpBatches } from '../../batches/commands/clean-up-batches.command.js';
import { CreateBatch } from '../../batches/commands/create-batch.command.js';
import { RecordExternalResult } from '../../batches/commands/record-external-result.command.js';
import { SealBatch } from '../../batches/commands/seal-batch.command.js';
import { GetBatch } from '../../batches/queries/get-batch.query.js';
import { GetBatchAnalytics } from '../../batches/queries/get-batch-analytics.query.js';
import { checkInput } from '../../common/check-input.js';
import { type Caller, Procedures } from '../../common/procedure.js';
import { unless, unlessUnknown } from '../../common/unless.js';
import { toErpBatch } from './erp-batch.js';
import { inErpWords, toCreateInput } from './erp-create.js';
import { toErpVisualization } from './erp-results.js';
import type { ErpBatch, ErpVisualization } from './erp.reply.js';
import { CreateErpBatchRequest } from './erp.request.js';

/**
 * The ERP module's `batchProcessingService` for code in the same process: its method names and arguments, all asynchronous,
 * because the batches are in a database. Acts for the tenant `default`; see `forTenant`.
 *
 * A batch created here waits for its results to be recorded with `recordResult`, as that module's code does: the first one starts
 * it, the last of `total_items` completes it, or `completeBatch` where no total was given. With `options.externalResults: false` the operation's own handler works it instead.
 */
@Injectable()
export class BatchProcessingFacade {
  private caller: Caller = { tenant: 'default', dialect: 'erp' };

  constructor(private readonly procedures: Procedures) {}

  /** The same service on behalf of another tenant. */
  forTenant(tenant: string): BatchProcessingFacade {
    const facade = new BatchProcessingFacade(this.procedures);
    facade.caller = { ...this.caller, tenant };
    return facade;
  }

  /** @throws AppError INVALID_INPUT with one entry for each wrong field */
  async createBatch(request: CreateErpBatchRequest): Promise<ErpBatch> {
    const input = toCreateInput(checkInput(CreateErpBatchRequest, request));
    return toErpBatch(
      await inErpWords(() => this.procedures.call(CreateBatch, { ...input, external: input.external ?? true }, this.caller)),
    );
  }

  /** @returns undefined for an unknown id */
  getBatch(batchId: string): Promise<ErpBatch | undefined> {
    return unlessUnknown(async () => toErpBatch(await this.procedures.call(GetBatch, { batchId }, this.caller)), undefined);
  }

  /**
   * Says that no more results will come: what was recorded is all. Needed only for a batch without `total_items`, of which
   * nobody knows which result is the last.
   */
  async completeBatch(batchId: string): Promise<ErpBatch> {
    return toErpBatch(await this.procedures.call(SealBatch, { batchId }, this.caller));
  }

  /**
   * Records one item's result. A second result for the same node changes nothing.
   * @param retries tries after the first
   * @param durationMs milliseconds
   * @param qualityScore 0 to 1
   * @throws AppError CONFLICT when the batch has ended or is worked by its operation's handler
   */
  // The document's own signature.
  // eslint-disable-next-line no-restricted-syntax
  async recordResult(
    batchId: string,
    nodeId: string,
    success: boolean,
    result?: Record<string, unknown>,
    error?: string,
    retries?: number,
    durationMs?: number,
    qualityScore?: number,
  ): Promise<void> {
    const input = { batchId, key: nodeId, success, output: result, error, retries, durationMs, quality: qualityScore };
    await this.procedures.call(RecordExternalResult, input, this.caller);
  }

  /** @returns null for an unknown id */
  getBatchVisualization(batchId: string): Promise<ErpVisualization | null> {
    return unlessUnknown(async () => toErpVisualization(await this.procedures.call(GetBatchAnalytics, { batchId }, this.caller)), null);
  }

  /** @returns false for an unknown batch and for one that has ended */
  cancelBatch(batchId: string): Promise<boolean> {
    const cancel = async (): Promise<boolean> => {
      await this.procedures.call(CancelBatch, { batchId }, this.caller);
      return true;
    };
    return unless(['NOT_FOUND', 'CONFLICT'], cancel, false);
  }

  /** Removes the tenant's finished batches older than a number of days. @returns how many */
  async cleanupOldBatches(days: number): Promise<number> {
    const { deleted } = await this.procedures.call(CleanUpBatches, { olderThanDays: days, dialect: 'erp' }, this.caller);
    return deleted;
  }
}
