import type { BatchEventRecord, BatchSnapshot } from '../batches/events/batch.events.js';

/** What a socket of `/api/dashboard/stream` is sent, in the words of the document interface. */
export interface DashboardMessage {
  type: 'batch.progress' | 'batch.completed' | 'batch.failed' | 'batch.cancelled';
  data: object;
  /** ISO 8601 */
  timestamp: string;
}

/** @returns undefined for an event that this stream does not tell of */
export function toDashboardMessage({ type, batchId, at, data }: BatchEventRecord): DashboardMessage | undefined {
  const { total, succeeded, failed, skipped } = data.counts;
  const jobId = batchId;
  const processedDocuments = succeeded + failed + skipped;
  switch (type) {
    case 'batch.progress': {
      const estimatedTimeRemaining = estimate(data, total - processedDocuments);
      return {
        type,
        data: { jobId, progress: data.progress, processedDocuments, totalDocuments: total, estimatedTimeRemaining },
        timestamp: at,
      };
    }
    case 'batch.completed':
      return {
        type,
        data: { jobId, totalDocuments: total, processedDocuments, failedDocuments: failed, duration: durationOf(data) },
        timestamp: at,
      };
    case 'batch.failed':
      return { type, data: { jobId, error: data.reason ?? 'Job failed', processedDocuments, failedDocuments: failed }, timestamp: at };
    case 'batch.cancelled':
      return { type, data: { jobId }, timestamp: at };
    case 'batch.created':
    case 'batch.started':
    case 'batch.paused':
    case 'batch.resumed':
      return undefined;
  }
}

/** Milliseconds: the mean duration of a document times those that are left, as the document interface counts it; undefined when unknown. */
function estimate({ meanDurationMs }: BatchSnapshot, remaining: number): number | undefined {
  return meanDurationMs === null ? undefined : Math.round(meanDurationMs * remaining);
}

/** Milliseconds from the run's start to its end. */
function durationOf({ startedAt, createdAt, endedAt }: BatchSnapshot): number {
  return Date.parse(endedAt ?? createdAt) - Date.parse(startedAt ?? createdAt);
}
