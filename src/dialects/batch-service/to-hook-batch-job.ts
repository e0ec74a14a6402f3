import type { BatchView } from '../../batches/batch.view.js';
import type { ItemFailureView } from '../../batches/item.view.js';
import type { HookBatchJob } from './batch-service.types.js';
import { toBatch, warningsOfWork } from './to-batch.js';

/** A batch as the hook reads it: start and end by its own names, and no data or outputs. */
export function toHookBatchJob(view: BatchView, failures: ItemFailureView[]): HookBatchJob {
  const batch = toBatch(view, { payloads: [], outputs: [], moreUndone: false, failures });
  const { id, name, description, type, status, priority, progress, createdAt, startedAt, completedAt, errors, config } = batch;
  return {
    id,
    name,
    description,
    type,
    status,
    priority,
    progress,
    totalItems: batch.totalItems,
    processedItems: batch.processedItems,
    successfulItems: view.counts.succeeded,
    failedItems: batch.failedItems,
    skippedItems: view.counts.skipped,
    createdAt,
    startTime: startedAt,
    endTime: completedAt,
    duration: startedAt && (completedAt?.getTime() ?? Date.now()) - startedAt.getTime(),
    estimatedTimeRemaining: view.etaMs ?? undefined,
    errors,
    warnings: warningsOfWork(view),
    config,
  };
}
