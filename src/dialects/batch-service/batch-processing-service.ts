import { Injectable } from '@nestjs/common';
import type { BatchView, Page } from '../../batches/batch.view.js';
import { DeleteBatch } from '../../batches/commands/delete-batch.command.js';
import { RecordExternalResult } from '../../batches/commands/record-external-result.command.js';
import { RecordMetrics } from '../../batches/commands/record-metrics.command.js';
import { GetBatch } from '../../batches/queries/get-batch.query.js';
import { GetBatchTotals } from '../../batches/queries/get-batch-totals.query.js';
import { ListBatches } from '../../batches/queries/list-batches.query.js';
import { ListMetrics } from '../../batches/queries/list-metrics.query.js';
import { type Caller, type InputOf, Procedures } from '../../common/procedure.js';
import { unlessUnknown } from '../../common/unless.js';
import { BatchChanges } from './batch-changes.js';
import { BatchContents } from './batch-contents.js';
import { BatchJobs } from './batch-jobs.js';
import type { Batch, BatchJob, CreateBatchRequest, HookBatchJob, UpdateBatchRequest } from './batch-service.types.js';
import type { BatchMetrics, BatchStats } from './batch-stats.types.js';
import { toBatchMetrics, toBatchStats } from './to-batch-stats.js';

const PAGE = 100;
const MAX_BATCHES = 1_000;
const JOBS_PAGE = 1_000;
/** The longest list that a batch can be created from. */
const MAX_JOBS = 100_000;
const MAX_METRICS = 2_000;

/** The outcome of one item that was worked outside of the service. */
export type ExternalResult = Omit<InputOf<RecordExternalResult>, 'batchId'>;

/**
 * Batches of data items for code in this process: the document's method names and arguments, all asynchronous. Acts for the tenant
 * `default`; see `forTenant`. Lists and statistics show the batches made here; an id finds any batch of the tenant.
 */
@Injectable()
export class BatchProcessingService {
  private caller: Caller = { tenant: 'default', dialect: 'batch-service' };

  constructor(
    private readonly procedures: Procedures,
    private readonly changes: BatchChanges,
    private readonly contents: BatchContents,
    private readonly jobs: BatchJobs,
  ) {}

  /** The same service on behalf of another tenant. */
  forTenant(tenant: string): BatchProcessingService {
    const service = new BatchProcessingService(this.procedures, this.changes, this.contents, this.jobs);
    service.caller = { ...this.caller, tenant };
    return service;
  }

  /**
   * Creates a batch with one job for each data item. It is not started: set its status to `running`.
   * @throws AppError INVALID_INPUT or UNPROCESSABLE with one entry for each wrong field
   */
  async createBatch(request: CreateBatchRequest): Promise<Batch> {
    return this.contents.batchOf(await this.changes.create(request, this.caller), this.caller);
  }

  /** @returns null for an unknown id */
  getBatch(id: string): Promise<Batch | null> {
    return unlessUnknown(async () => this.contents.batchOf(await this.view(id), this.caller), null);
  }

  /** Newest first, at most 1,000, each with its first data items. */
  async getAllBatches(): Promise<Batch[]> {
    return this.collect((views) => this.contents.batchesOf(views, this.caller));
  }

  /**
   * Changes a batch's name and description, its priority and most of its config until it has ended, and its status: `running` starts it or
   * lets it go on, `paused`, `cancelled`, `retrying` repeats the failed items of one that has ended. The status it has already
   * changes nothing.
   * @returns null for an unknown id
   * @throws AppError CONFLICT or UNPROCESSABLE for what its state does not allow; nothing is changed then
   */
  updateBatch(id: string, updates: UpdateBatchRequest): Promise<Batch | null> {
    return unlessUnknown(async () => this.contents.batchOf(await this.changes.update(id, updates, this.caller), this.caller), null);
  }

  /**
   * Removes a batch with its jobs, results and metrics.
   * @returns false for an unknown id
   * @throws AppError CONFLICT while it is under way: cancel it first
   */
  deleteBatch(id: string): Promise<boolean> {
    return unlessUnknown(async () => (await this.procedures.call(DeleteBatch, { batchId: id }, this.caller)).deleted, false);
  }

  /** A batch's jobs in the order of its data, at most the first 100,000. @returns an empty list for an unknown id */
  async getJobsByBatchId(batchId: string): Promise<BatchJob[]> {
    return unlessUnknown(async () => {
      const jobs: BatchJob[] = [];
      let page: Page<BatchJob>;
      do {
        page = await this.jobs.list(batchId, { limit: JOBS_PAGE, offset: jobs.length }, this.caller);
        jobs.push(...page.rows);
      } while (page.hasMore && page.rows.length > 0 && jobs.length < MAX_JOBS);
      return jobs;
    }, []);
  }

  /**
   * Tries a failed job once more.
   * @returns the job; null when it is unknown, has not failed, or has used all of its retries
   * @throws AppError CONFLICT while its batch has not ended
   */
  retryJob(jobId: string): Promise<BatchJob | null> {
    return unlessUnknown(async () => {
      const job = await this.jobs.find(jobId, this.caller);
      return (await this.jobs.retryRefusal(job, this.caller)) ? null : this.jobs.retry(job, this.caller);
    }, null);
  }

  async getBatchStats(): Promise<BatchStats> {
    return toBatchStats(await this.procedures.call(GetBatchTotals, { dialect: 'batch-service' }, this.caller));
  }

  /** Oldest first. @returns an empty list for an unknown id */
  getBatchMetrics(batchId: string): Promise<BatchMetrics[]> {
    return unlessUnknown(async () => {
      const { rows } = await this.procedures.call(ListMetrics, { batchId, limit: MAX_METRICS }, this.caller);
      return rows.map((metric) => toBatchMetrics(batchId, metric));
    }, []);
  }

  /**
   * Keeps figures of a batch; the newest thousand stay.
   * @param metrics a JSON object of at most 8 kB
   * @throws AppError NOT_FOUND, INVALID_INPUT
   */
  async recordMetrics(batchId: string, metrics: Record<string, unknown>): Promise<void> {
    await this.procedures.call(RecordMetrics, { batchId, metrics }, this.caller);
  }

  /**
   * Records the result of one item of a batch whose type has no item handler. The first result starts the batch, the last one
   * completes it; a second one for the same key changes nothing.
   * @param result key: the item's key (see `BatchJob.key`)
   * @throws AppError NOT_FOUND, CONFLICT
   */
  async recordResult(batchId: string, result: ExternalResult): Promise<void> {
    await this.procedures.call(RecordExternalResult, { batchId, ...result }, this.caller);
  }

  /** Newest first, at most 1,000. */
  getAllBatchesForHook(): Promise<HookBatchJob[]> {
    return this.collect((views) => this.contents.hookJobsOf(views, this.caller));
  }

  /** @returns null for an unknown id */
  getBatchForHook(id: string): Promise<HookBatchJob | null> {
    return unlessUnknown(async () => (await this.contents.hookJobsOf([await this.view(id)], this.caller))[0]!, null);
  }

  private view(batchId: string): Promise<BatchView> {
    return this.procedures.call(GetBatch, { batchId }, this.caller);
  }

  /** Pages through the batches. One that moved to the next page because a new one came is taken once. */
  private async collect<T extends { id: string }>(complete: (views: BatchView[]) => Promise<T[]>): Promise<T[]> {
    const found = new Map<string, T>();
    for (let offset = 0; offset < MAX_BATCHES; offset += PAGE) {
      const page = await this.procedures.call(ListBatches, { dialect: 'batch-service', limit: PAGE, offset }, this.caller);
      for (const each of await complete(page.rows)) found.set(each.id, each);
      if (!page.hasMore) break;
    }
    return [...found.values()];
  }
}
