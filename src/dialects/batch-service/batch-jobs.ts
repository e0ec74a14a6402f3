import { Injectable } from '@nestjs/common';
import type { BatchView, ItemView, Page } from '../../batches/batch.view.js';
import { FindOutputs } from '../../batches/queries/find-outputs.query.js';
import { GetBatch } from '../../batches/queries/get-batch.query.js';
import { ListItems } from '../../batches/queries/list-items.query.js';
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

  private async toJobs(batch: BatchView, items: ItemView[], caller: Caller): Promise<BatchJob[]> {
    const seqs = items.filter(({ status }) => status === 'succeeded').map(({ seq }) => seq);
    const outputs = seqs.length > 0 ? await this.procedures.call(FindOutputs, { batchId: batch.id, seqs }, caller) : [];
    const bySeq = new Map(outputs.map(({ seq, output }) => [seq, output]));
    return items.map((item) => toBatchJob(batch, item, bySeq.get(item.seq)));
  }
}
