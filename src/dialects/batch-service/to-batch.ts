import type { BatchPreview, BatchView } from '../../batches/batch.view.js';
import type { ItemFailureView } from '../../batches/item.view.js';
import { toBatchConfig, toBatchPriority } from './batch-config.js';
import type { Batch, BatchError, BatchResults, BatchStatus, ErrorSeverity } from './batch-service.types.js';

/** One item of a batch as a job: `<batch id>:<number from 1>`. */
export function toJobId(batchId: string, seq: number): string {
  return `${batchId}:${seq + 1}`;
}

export function toBatchStatus({ status, retrying }: Pick<BatchView, 'status' | 'retrying'>): BatchStatus {
  if (retrying) return 'retrying';
  return status === 'timed_out' ? 'failed' : status;
}

const NOTHING: BatchPreview = { payloads: [], failures: [], moreUndone: false, outputs: [] };

/** @param preview as much of the batch's contents as is shown; what is missing is named among the warnings */
export function toBatch(view: BatchView, preview = NOTHING): Batch {
  const { counts } = view;
  return {
    id: view.id,
    name: view.name ?? '',
    description: view.description ?? undefined,
    type: view.operation,
    status: toBatchStatus(view),
    priority: toBatchPriority(view.options.priority),
    createdAt: new Date(view.createdAt),
    startedAt: toDate(view.startedAt),
    completedAt: toDate(view.endedAt),
    progress: view.progress,
    totalItems: counts.total,
    processedItems: counts.succeeded + counts.failed + counts.skipped,
    failedItems: counts.failed,
    data: preview.payloads,
    results: view.endedAt === null ? undefined : toResults(view, preview),
    errors: toErrors(view, preview.failures),
    warnings: [...warningsOfWork(view), ...warningsOfContents(view, preview)],
    config: toBatchConfig(view),
    rollback: view.rollback ?? undefined,
  };
}

function toDate(time: string | null): Date | undefined {
  return time === null ? undefined : new Date(time);
}

function toResults(view: BatchView, { outputs }: BatchPreview): BatchResults {
  const { id, counts, startedAt, endedAt, meanDurationMs } = view;
  const processed = counts.succeeded + counts.failed + counts.skipped;
  const duration = startedAt === null ? 0 : Date.parse(endedAt!) - Date.parse(startedAt);
  return {
    successful: counts.succeeded,
    failed: counts.failed,
    skipped: counts.skipped,
    cancelled: counts.cancelled,
    outputs: outputs.map(({ seq, key, output }) => ({ jobId: toJobId(id, seq), itemIndex: seq, key, output })),
    summary: {
      total: counts.total,
      successRate: processed === 0 ? 0 : rounded((counts.succeeded + counts.skipped) / processed, 4),
      averageDuration: meanDurationMs === null ? null : rounded(meanDurationMs),
      duration,
      throughput: view.run > 1 ? null : perSecond(processed, duration),
    },
  };
}

/** @returns items a second, 0 when nothing took any time */
export function perSecond(items: number, ms: number): number {
  return ms <= 0 ? 0 : rounded((1000 * items) / ms);
}

export function rounded(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}

const SEVERITIES: ErrorSeverity[] = ['low', 'medium', 'high', 'critical'];

/** By the kind of the error; one step more in a batch that failed as a whole. Kinds that are not named here are medium. */
const SEVERITY_OF_KIND: Record<string, ErrorSeverity> = {
  'rate-limited': 'low',
  interrupted: 'low',
  retryable: 'medium',
  timeout: 'medium',
  external: 'medium',
  permanent: 'high',
  'invalid-payload': 'high',
  'invalid-result': 'high',
  'resource-limit': 'high',
  poison: 'critical',
};

function toErrors(view: BatchView, failures: ItemFailureView[]): BatchError[] {
  const wholeFailed = view.status === 'failed' || view.status === 'timed_out';
  const errors = failures.map(({ seq, key, kind, message, stack, attempts, recordedAt }): BatchError => ({
    jobId: toJobId(view.id, seq),
    itemIndex: seq,
    message,
    severity: severityOf(kind, wholeFailed),
    context: { key, attempts, kind },
    stack: stack ?? undefined,
    timestamp: new Date(recordedAt),
  }));
  // No item may have failed in a batch that ran out of time.
  if (view.status === 'timed_out') errors.unshift(toTimeout(view));
  return errors;
}

function severityOf(kind: string, wholeFailed: boolean): ErrorSeverity {
  const step = SEVERITIES.indexOf(SEVERITY_OF_KIND[kind] ?? 'medium') + (wholeFailed ? 1 : 0);
  return SEVERITIES[Math.min(step, SEVERITIES.length - 1)]!;
}

function toTimeout({ reason, endedAt }: BatchView): BatchError {
  const timestamp = toDate(endedAt) ?? new Date();
  return { message: reason ?? 'the batch ran out of time', severity: 'critical', context: { kind: 'batch-timeout' }, timestamp };
}

/** What the caller should know about the batch, and about how it is worked. */
export function warningsOfWork(batch: BatchView): string[] {
  return [...batch.warnings, ...(batch.dialect === 'batch-service' ? warningsOfData(batch) : [])];
}

function warningsOfData({ id, operation, external, rollback }: BatchView): string[] {
  const failed = rollback?.compensationsFailed ?? 0;
  if (failed > 0) return [`what ${failed} items did could not be undone; GET /api/batches/${id}/rollback says which, and why`];
  if (!external) return [];
  const remedy = `record results with POST /api/batches/${id}/results, or register one and create the batch again`;
  return [`no item handler did ${operation} when the batch was created: ${remedy}`];
}

/** What is left out of data, errors and outputs. */
function warningsOfContents(
  { id, dialect, counts, endedAt }: BatchView,
  { payloads, failures, moreUndone, outputs }: BatchPreview,
): string[] {
  const warnings: string[] = [];
  if (dialect === 'batch-service' && payloads.length < counts.total) {
    warnings.push(`data shows the first ${payloads.length} of ${counts.total} items; GET /api/batches/${id}/items pages through all`);
  }
  if (failures.length < counts.failed) {
    warnings.push(`errors shows ${failures.length} of ${counts.failed} failed items; GET /api/batches/${id}/results?status=failed has all`);
  }
  if (moreUndone) {
    warnings.push(
      `errors shows ${failures.length} jobs; GET /api/batches/${id}/results?status=cancelled has all that were left undone after a failure`,
    );
  }
  if (dialect === 'batch-service' && endedAt !== null && outputs.length < counts.succeeded) {
    warnings.push(`results.outputs shows ${outputs.length} of ${counts.succeeded}; GET /api/batches/${id}/results has all`);
  }
  return warnings;
}
