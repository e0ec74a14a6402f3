import type { BatchView } from '../../batches/batch.view.js';
import type { ItemView } from '../../batches/item.view.js';
import type { BatchJob, JobStatus } from './batch-service.types.js';
import { toJobId } from './to-batch.js';

const JOB_STATUS: Record<ItemView['status'], JobStatus> = {
  pending: 'pending',
  running: 'running',
  retrying: 'retrying',
  succeeded: 'completed',
  failed: 'failed',
  skipped: 'skipped',
  cancelled: 'skipped',
};

const FINISHED: ItemView['status'][] = ['succeeded', 'failed', 'skipped'];

/** @param output of an item that succeeded */
export function toBatchJob(batch: BatchView, item: ItemView, output: unknown): BatchJob {
  const { seq, key, status, progress, payload, attempts, error } = item;
  return {
    id: toJobId(batch.id, seq),
    batchId: batch.id,
    name: `${batch.name ?? batch.operation} ${seq + 1}`,
    key,
    status: JOB_STATUS[status],
    progress: FINISHED.includes(status) ? 100 : (progress ?? 0),
    data: payload,
    retryCount: Math.max(0, attempts - 1),
    maxRetries: batch.options.retryAttempts,
    result: output ?? undefined,
    error: status === 'cancelled' ? whyUndone(error) : error?.message,
  };
}

function whyUndone(error: ItemView['error']): string {
  const why = 'the batch was stopped before this job was done';
  return error === null || error.kind === 'interrupted' ? why : `${why}; the last time: ${error.message}`;
}
