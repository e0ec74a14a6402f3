import { Injectable } from '@nestjs/common';
import type { BatchView, Page } from '../../batches/batch.view.js';
import type { ItemView } from '../../batches/item.view.js';
import { RetryItems } from '../../batches/commands/retry-items.command.js';
import { FindOutputs } from '../../batches/queries/find-outputs.query.js';
import { GetBatch } from '../../batches/queries/get-batch.query.js';
import { ListItems } from '../../batches/queries/list-items.query.js';
import { ListOutcomes } from '../../batches/queries/list-outcomes.query.js';
import { AppError } from '../../common/app-error.js';
import { type Caller, Procedures } from '../../common/procedure.js';
import type { BatchJob } from './batch-service.types.js';
import { toBatchJob } from './to-batch-job.js';

/** The items of a batch as its jobs. */
@Injectable()
export class BatchJobs {
  constructor(private readonly procedures: Procedures) {}

  /**
   * @param page limit: default 100, at most 1,000
   * @throws AppError NOT_FOUND
   */
  async list(batchId: string, page: { limit?: number; offset?: number }, caller: Caller): Promise<Page<BatchJob>> {
    const batch = await this.procedures.call(GetBatch, { batchId }, caller);
    const items = await this.procedures.call(ListItems, { batchId, ...page }, caller);
    return { ...items, rows: await this.toJobs(batch, items.rows, caller) };
  }

  /** @throws AppError NOT_FOUND, also for what is no job id */
  async find(jobId: string, caller: Caller): Promise<BatchJob> {
    const { batchId, seq } = parseJobId(jobId);
    const batch = await this.procedures.call(GetBatch, { batchId }, caller);
    const { rows } = await this.procedures.call(ListItems, { batchId, limit: 1, fromSeq: seq }, caller);
    if (rows[0]?.seq !== seq) throw unknownJob(jobId);
    return (await this.toJobs(batch, rows, caller))[0]!;
  }

  /**
   * Tries a failed job once more, with what it has left of its tries. @returns the job, which waits or runs by now
   * @throws AppError CONFLICT when it has not failed or has no tries left, and while its batch has not ended
   */
  async retry(job: BatchJob, caller: Caller): Promise<BatchJob> {
    // What the same request has begun before is not judged again.
    const refusal = caller.once?.made ? undefined : await this.retryRefusal(job, caller);
    if (refusal) throw new AppError('CONFLICT', refusal);
    const { batchId, seq } = parseJobId(job.id);
    const { external } = await this.procedures.call(GetBatch, { batchId }, caller);
    // The tries of a result from outside are counted by whoever records it.
    const continueAttempts = external ? undefined : true;
    await this.procedures.call(RetryItems, { batchId, seqs: [seq], continueAttempts }, caller);
    return this.find(job.id, caller);
  }

  /**
   * Why a job cannot be retried, whatever its batch does; undefined when it can. Of results from
   * outside each one that was recorded was a try, whatever its recorder says.
   */
  async retryRefusal({ id, batchId, key, status, retryCount, maxRetries }: BatchJob, caller: Caller): Promise<string | undefined> {
    if (status !== 'failed') return `job ${id} is ${status}; only a failed job can be retried`;
    const { external } = await this.procedures.call(GetBatch, { batchId }, caller);
    const used = external
      ? (await this.procedures.call(ListOutcomes, { batchId, key, history: true }, caller)).rows.length - 1
      : retryCount;
    if (used < maxRetries) return undefined;
    return `job ${id} has used all of its ${maxRetries} retries; set its batch's status to retrying to give all failed jobs new ones`;
  }

  private async toJobs(batch: BatchView, items: ItemView[], caller: Caller): Promise<BatchJob[]> {
    const seqs = items.filter(({ status }) => status === 'succeeded').map(({ seq }) => seq);
    const outputs = seqs.length > 0 ? await this.procedures.call(FindOutputs, { batchId: batch.id, seqs }, caller) : [];
    const bySeq = new Map(outputs.map(({ seq, output }) => [seq, output]));
    return items.map((item) => toBatchJob(batch, item, bySeq.get(item.seq)));
  }
}

function parseJobId(jobId: string): { batchId: string; seq: number } {
  const [, batchId, number] = /^(.+):([1-9]\d{0,8})$/.exec(jobId) ?? [];
  if (batchId === undefined) throw unknownJob(jobId);
  return { batchId, seq: Number(number) - 1 };
}

function unknownJob(jobId: string): AppError {
  return new AppError('NOT_FOUND', `there is no job ${jobId}; a job's id is that of its batch, a colon, and its number from 1`);
}
