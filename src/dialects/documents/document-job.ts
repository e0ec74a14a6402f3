import type { BatchCounts, BatchView, Page } from '../../batches/batch.view.js';
import type { ItemView, OutcomeView } from '../../batches/item.view.js';
import type {
  DocumentError,
  DocumentJob,
  DocumentJobOptions,
  DocumentJobPagination,
  DocumentJobSummary,
  DocumentResult,
} from './documents.reply.js';
import type { ProcessingJobStatus } from './documents.request.js';
import { nonEmpty } from '../../common/non-empty.js';

type Status = BatchView['status'];

/** A paused job (only other interfaces can pause) has begun and has not ended. */
const JOB_STATUS: Record<Status, ProcessingJobStatus> = {
  pending: 'PENDING',
  running: 'PROCESSING',
  paused: 'PROCESSING',
  completed: 'COMPLETED',
  failed: 'FAILED',
  cancelled: 'CANCELLED',
  timed_out: 'TIMEOUT',
};

const OPEN: Status[] = ['pending', 'running', 'paused'];

export function toJobStatus(status: Status): ProcessingJobStatus {
  return JOB_STATUS[status];
}

/** The engine's statuses that read as this one. */
export function fromJobStatus(status: ProcessingJobStatus): Status[] {
  return (Object.keys(JOB_STATUS) as Status[]).filter((own) => JOB_STATUS[own] === status);
}

export function processedOf({ succeeded, failed, skipped }: BatchCounts): number {
  return succeeded + failed + skipped;
}

/** What a view and an event's snapshot both know of a job. */
export interface JobFacts {
  status: Status;
  counts: BatchCounts;
  meanDurationMs: number | null;
}

/** Milliseconds: mean duration of the documents done, times those left, whatever the concurrency; undefined while no mean is known. */
export function estimatedTimeRemaining({ status, counts, meanDurationMs }: JobFacts): number | undefined {
  if (!OPEN.includes(status)) return 0;
  return meanDurationMs === null ? undefined : Math.round(meanDurationMs * (counts.total - processedOf(counts)));
}

export function toJobSummary(batch: BatchView): DocumentJobSummary {
  return {
    id: batch.id,
    type: typeof batch.parameters.type === 'string' ? batch.parameters.type : batch.operation,
    status: toJobStatus(batch.status),
    progress: batch.progress,
    createdAt: batch.createdAt,
    startedAt: batch.startedAt ?? undefined,
    completedAt: batch.endedAt ?? undefined,
    error: batch.reason ?? undefined,
    warnings: nonEmpty(batch.warnings),
    options: toJobOptions(batch.options),
    totalDocuments: batch.counts.total,
    processedDocuments: processedOf(batch.counts),
    failedDocuments: batch.counts.failed,
    estimatedTimeRemaining: estimatedTimeRemaining(batch),
  };
}

function toJobOptions({ concurrency, batchTimeout, retryAttempts, retryDelay }: BatchView['options']): DocumentJobOptions {
  return { maxConcurrent: concurrency, timeout: batchTimeout, retryAttempts, retryDelay };
}

/** One page of each of a job's lists. */
export interface JobPages {
  items: Page<ItemView>;
  succeeded: Page<OutcomeView>;
  failed: Page<OutcomeView>;
}

export function toDocumentJob(batch: BatchView, pages: JobPages): DocumentJob {
  return {
    ...toJobSummary(batch),
    documentIds: pages.items.rows.map(({ key }) => key),
    results: pages.succeeded.rows.map(toDocumentResult),
    errors: pages.failed.rows.map(toDocumentError),
    pagination: toPagination(pages),
  };
}

export function toDocumentResult({ key, output, durationMs, recordedAt }: OutcomeView): DocumentResult {
  return { documentId: key, success: true, data: output, processingTime: durationMs && Math.round(durationMs), timestamp: recordedAt };
}

export function toDocumentError({ key, error, attempts, recordedAt }: OutcomeView): DocumentError {
  return { documentId: key, error: error?.message ?? 'failed', attempts, timestamp: recordedAt };
}

/** A page may end early at its size in bytes: the next one begins where the first of the lists was cut, so that none has a gap. */
function toPagination({ items, succeeded, failed }: JobPages): DocumentJobPagination {
  const cut = [items, succeeded, failed].filter(({ hasMore }) => hasMore).map(({ rows, offset }) => offset + rows.length);
  return {
    limit: items.limit,
    offset: items.offset,
    documentIds: items.total,
    results: succeeded.total,
    errors: failed.total,
    nextOffset: cut.length === 0 ? null : Math.min(...cut),
  };
}
