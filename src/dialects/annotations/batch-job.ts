import type { BatchView, ItemTotals, Page } from '../../batches/batch.view.js';
import type { OutcomeView } from '../../batches/item.view.js';
import type { BatchJob, BatchJobError, BatchJobProgress, BatchJobStatus, JobStatsReply } from './annotations.reply.js';
import { nonEmpty } from '../../common/non-empty.js';

/** Jobs know neither pauses nor time limits. */
const JOB_STATUS: Record<BatchView['status'], BatchJobStatus> = {
  pending: 'pending',
  running: 'processing',
  paused: 'processing',
  completed: 'completed',
  failed: 'failed',
  timed_out: 'failed',
  cancelled: 'cancelled',
};

export function toJobStatus(status: BatchView['status']): BatchJobStatus {
  return JOB_STATUS[status];
}

/** @param failures a page of the batch's failed items */
export function toBatchJobProgress(batch: BatchView, failures: Page<OutcomeView>): BatchJobProgress {
  const { counts } = batch;
  const successful = counts.succeeded + counts.skipped;
  return {
    jobId: batch.id,
    status: toJobStatus(batch.status),
    progress: {
      total: counts.total,
      processed: successful + counts.failed,
      successful,
      failed: counts.failed,
      percentage: batch.progress,
    },
    errors: failures.rows.map(toBatchJobError),
    errorsTotal: failures.total,
    nextErrorsOffset: failures.hasMore ? failures.offset + failures.rows.length : undefined,
    estimatedTimeRemaining: batch.etaMs || undefined,
    paused: batch.status === 'paused' || undefined,
    reason: batch.reason ?? undefined,
    warnings: nonEmpty(batch.warnings),
    concurrency: batch.options.concurrency,
    createdAt: batch.createdAt,
    startedAt: batch.startedAt ?? undefined,
    completedAt: batch.endedAt ?? undefined,
  };
}

function toBatchJobError({ key, error, attempts }: OutcomeView): BatchJobError {
  return { itemId: key, error: error?.message ?? 'unknown error', attemptNumber: attempts };
}

export function toBatchJob({ id, status, progress, counts, createdAt, startedAt }: BatchView): BatchJob {
  return {
    id,
    status: toJobStatus(status),
    processedItems: counts.succeeded + counts.skipped + counts.failed,
    totalItems: counts.total,
    failedItems: counts.failed,
    percentage: progress,
    createdAt,
    startedAt: startedAt ?? createdAt,
  };
}

export function toJobStats(totals: ItemTotals): JobStatsReply {
  return {
    activeJobs: totals.activeBatches,
    totalProcessing: totals.open,
    totalSuccessful: totals.succeeded + totals.skipped,
    totalFailed: totals.failed,
    totalCancelled: totals.cancelled,
  };
}
