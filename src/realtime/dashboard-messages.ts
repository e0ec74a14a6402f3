import type { BatchEventRecord, BatchSnapshot } from '../batches/events/batch.events.js';
import { estimatedTimeRemaining, processedOf } from '../dialects/documents/document-job.js';

/** What a socket of `/api/dashboard/stream` is sent, in the words of the document interface. */
export interface DashboardMessage {
  type: 'batch.progress' | 'batch.completed' | 'batch.failed' | 'batch.cancelled';
  data: object;
  /** ISO 8601 */
  timestamp: string;
}

/**
 * What one event says: nothing, one message, or two. A page moves its bar by progress alone, so that the last progress, of 100 %,
 * comes just before the completion.
 */
export function toDashboardMessages(record: BatchEventRecord): DashboardMessage[] {
  const message = toDashboardMessage(record);
  if (!message) return [];
  return message.type === 'batch.completed' ? [toDashboardMessage({ ...record, type: 'batch.progress' })!, message] : [message];
}

function toDashboardMessage({ type, batchId, at, data }: BatchEventRecord): DashboardMessage | undefined {
  const jobId = batchId;
  const { total: totalDocuments, failed: failedDocuments } = data.counts;
  const processedDocuments = processedOf(data.counts);
  switch (type) {
    case 'batch.progress': {
      const progress = { progress: data.progress, processedDocuments, totalDocuments };
      return { type, data: { jobId, ...progress, estimatedTimeRemaining: estimatedTimeRemaining(data) }, timestamp: at };
    }
    case 'batch.completed':
      return {
        type,
        data: { jobId, totalDocuments, processedDocuments, failedDocuments, duration: durationOf(data) },
        timestamp: at,
      };
    case 'batch.failed':
      return { type, data: { jobId, error: data.reason ?? 'the job failed', processedDocuments, failedDocuments }, timestamp: at };
    case 'batch.cancelled':
      return { type, data: { jobId }, timestamp: at };
    case 'batch.created':
    case 'batch.started':
    case 'batch.paused':
    case 'batch.resumed':
    case 'batch.stuck':
      return undefined;
  }
}

/** Milliseconds from the run's start to its end. */
function durationOf({ startedAt, createdAt, endedAt }: BatchSnapshot): number {
  return Date.parse(endedAt ?? createdAt) - Date.parse(startedAt ?? createdAt);
}
