import { Injectable } from '@nestjs/common';
import type { BatchPreview, BatchView } from '../../batches/batch.view.js';
import { PreviewBatches } from '../../batches/queries/preview-batches.query.js';
import { type Caller, Procedures } from '../../common/procedure.js';
import { type BatchResource, toBatchResource } from './batch-resource.js';
import type { Batch, HookBatchJob } from './batch-service.types.js';
import { toBatch } from './to-batch.js';
import { toHookBatchJob } from './to-hook-batch-job.js';

/** How much of each batch's contents is shown with it. */
interface Extent {
  items: number;
  outputs: number;
  failures: number;
  stacks: boolean;
}

const ALONE: Extent = { items: 1_000, outputs: 1_000, failures: 100, stacks: true };
const IN_A_LIST: Extent = { items: 100, outputs: 100, failures: 10, stacks: false };

/** Completes views of batches with data, errors and outputs. Data and outputs are those of batches made with `data`. */
@Injectable()
export class BatchContents {
  constructor(private readonly procedures: Procedures) {}

  async batchOf(view: BatchView, caller: Caller): Promise<Batch> {
    return (await this.complete([view], ALONE, caller))[0]!;
  }

  /** @param views at most 100 */
  batchesOf(views: BatchView[], caller: Caller): Promise<Batch[]> {
    return this.complete(views, IN_A_LIST, caller);
  }

  async resourceOf(view: BatchView, caller: Caller): Promise<BatchResource> {
    return toBatchResource(view, await this.batchOf(view, caller));
  }

  /** @param views at most 100 */
  async resourcesOf(views: BatchView[], caller: Caller): Promise<BatchResource[]> {
    const batches = await this.batchesOf(views, caller);
    return views.map((view, index) => toBatchResource(view, batches[index]!));
  }

  /** @param views at most 100 */
  async hookJobsOf(views: BatchView[], caller: Caller): Promise<HookBatchJob[]> {
    const { failures } = views.length === 1 ? ALONE : IN_A_LIST;
    const previews = await this.preview(views, { items: 0, outputs: 0, failures, stacks: false }, caller);
    return views.map((view) => toHookBatchJob(view, previews.get(view.id)?.failures ?? []));
  }

  private async complete(views: BatchView[], extent: Extent, caller: Caller): Promise<Batch[]> {
    const ofData = views.filter(({ dialect }) => dialect === 'batch-service');
    const others = views.filter(({ dialect }) => dialect !== 'batch-service');
    const previews = await Promise.all([
      this.preview(ofData, extent, caller),
      this.preview(others, { ...extent, items: 0, outputs: 0 }, caller),
    ]);
    return views.map((view) => toBatch(view, previews[0].get(view.id) ?? previews[1].get(view.id)));
  }

  /** Asks only for what there can be: a batch of which nothing is shown costs no question. */
  private async preview(views: BatchView[], extent: Extent, caller: Caller): Promise<Map<string, BatchPreview>> {
    const failures = views.some(mayHaveFailures) ? extent.failures : 0;
    const outputs = views.some(({ endedAt }) => endedAt !== null) ? extent.outputs : 0;
    if (views.length === 0 || (extent.items === 0 && failures === 0 && outputs === 0)) return new Map();
    const batchIds = views.map(({ id }) => id);
    return this.procedures.call(PreviewBatches, { ...extent, batchIds, failures, outputs }, caller);
  }
}

/** Items of a stopped batch that were left undone may have failed before. */
function mayHaveFailures({ counts, status, stopping }: BatchView): boolean {
  return counts.failed > 0 || counts.cancelled > 0 || stopping || status === 'timed_out';
}
