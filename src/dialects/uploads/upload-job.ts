import type { BatchView } from '../../batches/batch.view.js';
import type { ItemView, OutcomeView } from '../../batches/item.view.js';
import type { UploadedFile, UploadJob, UploadJobDetails, UploadSummary } from './uploads.reply.js';
import type { UploadStatus } from './uploads.request.js';
import { nonEmpty } from '../../common/non-empty.js';

type Status = BatchView['status'];

/** The clients of uploads know four words, and stop asking only at completed and failed. */
const UPLOAD_STATUS: Record<Status, UploadStatus> = {
  pending: 'pending',
  running: 'processing',
  paused: 'processing',
  completed: 'completed',
  failed: 'failed',
  cancelled: 'failed',
  timed_out: 'failed',
};

const FILE_STATUS: Record<ItemView['status'], UploadStatus> = {
  pending: 'pending',
  retrying: 'pending',
  running: 'processing',
  succeeded: 'completed',
  skipped: 'completed',
  failed: 'failed',
  cancelled: 'failed',
};

const CANCELLED = 'cancelled';
const TIMEOUT = 'Processing timeout exceeded';

/** The engine's statuses that read as this one. */
export function fromUploadStatus(status: UploadStatus): Status[] {
  return (Object.keys(UPLOAD_STATUS) as Status[]).filter((own) => UPLOAD_STATUS[own] === status);
}

export function toUploadJob(batch: BatchView): UploadJob {
  const { counts, options } = batch;
  return {
    id: batch.id,
    user_id: batch.createdBy,
    status: UPLOAD_STATUS[batch.status],
    total_files: counts.total,
    processed_files: counts.succeeded + counts.failed + counts.skipped,
    failed_files: counts.failed,
    priority: options.priority === 'critical' ? 'high' : options.priority,
    created_at: batch.createdAt,
    started_at: batch.startedAt,
    completed_at: batch.endedAt,
    error: batch.status === 'cancelled' ? CANCELLED : batch.reason,
    warnings: nonEmpty(batch.warnings),
  };
}

/** @param outcomes of the items that have one */
export function toUploadDetails(batch: BatchView, items: ItemView[], outcomes: OutcomeView[]): UploadJobDetails {
  // Results from outside come in an order of their own.
  const name = batch.external ? 'key' : 'seq';
  const byName = new Map(outcomes.map((outcome) => [outcome[name], outcome]));
  const files = items.map((item) => toUploadedFile(batch, item, byName.get(item[name])));
  return { batch: { ...toUploadJob(batch), progressPercent: batch.progress }, files, summary: toSummary(batch) };
}

function toUploadedFile(batch: BatchView, item: ItemView, outcome: OutcomeView | undefined): UploadedFile {
  const { filename, size, sha256 } = payloadOf(item);
  const status = isGivenUp(batch, item) ? 'failed' : FILE_STATUS[item.status];
  return {
    id: item.key,
    filename: typeof filename === 'string' ? filename : item.key,
    file_size: typeof size === 'number' ? size : null,
    file_hash: typeof sha256 === 'string' ? sha256 : null,
    status,
    progress: status === 'completed' ? 100 : (item.progress ?? 0),
    result: status === 'completed' && outcome ? JSON.stringify(outcome.output) : undefined,
    error: errorOf(batch, item),
    retry_count: Math.max(0, item.status === 'retrying' ? item.attempts : item.attempts - 1),
    created_at: batch.createdAt,
    started_at: startOf(outcome),
    completed_at: outcome?.recordedAt ?? null,
  };
}

function payloadOf({ payload }: ItemView): { filename?: unknown; size?: unknown; sha256?: unknown } {
  return typeof payload === 'object' && payload !== null ? payload : {};
}

/** Files of a cancelled batch that wait will not be worked, though those at work may still finish. */
function isGivenUp(batch: BatchView, { status }: ItemView): boolean {
  return status === 'cancelled' || (UPLOAD_STATUS[batch.status] === 'failed' && FILE_STATUS[status] === 'pending');
}

function errorOf(batch: BatchView, item: ItemView): string | undefined {
  if (isGivenUp(batch, item)) {
    const why = batch.status === 'cancelled' ? CANCELLED : (batch.reason ?? CANCELLED);
    // That it was at work when somebody cancelled it is no reason.
    const isReason = item.error !== null && (item.error.kind !== 'interrupted' || batch.status === 'timed_out');
    return isReason ? `${why}; the last time: ${item.error!.message}` : why;
  }
  return item.error?.kind === 'timeout' ? TIMEOUT : item.error?.message;
}

function startOf(outcome: OutcomeView | undefined): string | null {
  if (!outcome || outcome.durationMs === null) return null;
  return new Date(Date.parse(outcome.recordedAt) - outcome.durationMs).toISOString();
}

function toSummary({ status, counts }: BatchView): UploadSummary {
  const givenUp = UPLOAD_STATUS[status] === 'failed' ? counts.cancelled + counts.pending : 0;
  return {
    total: counts.total,
    completed: counts.succeeded + counts.skipped,
    processing: counts.running,
    pending: counts.pending + counts.cancelled - givenUp,
    failed: counts.failed + givenUp,
  };
}
