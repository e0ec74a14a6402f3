import type { BatchAnalytics, BatchTotals, BatchView, MetricView } from '../../batches/batch.view.js';
import type { BatchMetrics, BatchStats, SingleBatchStats } from './batch-stats.types.js';
import { perSecond, rounded, toBatchStatus } from './to-batch.js';

export function toBatchStats({ batches, retrying, byStatus, byPriority, byOperation, items, ended }: BatchTotals): BatchStats {
  const { timed_out, ...statuses } = byStatus;
  const { normal, ...priorities } = byPriority;
  const processed = items.succeeded + items.failed + items.skipped;
  return {
    total: batches,
    byStatus: { ...statuses, running: statuses.running - retrying, retrying, failed: statuses.failed + timed_out },
    byPriority: { ...priorities, medium: normal },
    byType: byOperation,
    totalItems: items.total,
    processedItems: processed,
    successfulItems: items.succeeded,
    failedItems: items.failed,
    skippedItems: items.skipped,
    averageDuration: ended.batches === 0 ? null : rounded(ended.durationMs / ended.batches),
    throughput: ended.batches === 0 ? null : perSecond(ended.processed, ended.durationMs),
    successRate: processed === 0 ? null : rounded((items.succeeded + items.skipped) / processed, 4),
  };
}

export function toSingleBatchStats(view: BatchView, { durations, errors }: BatchAnalytics): SingleBatchStats {
  const { counts, startedAt, endedAt } = view;
  const processed = counts.succeeded + counts.failed + counts.skipped;
  const elapsedMs = startedAt === null ? 0 : (endedAt === null ? Date.now() : Date.parse(endedAt)) - Date.parse(startedAt);
  return {
    batchId: view.id,
    status: toBatchStatus(view),
    progress: view.progress,
    totalItems: counts.total,
    processedItems: processed,
    successfulItems: counts.succeeded,
    failedItems: counts.failed,
    skippedItems: counts.skipped,
    successRate: processed === 0 ? null : rounded((counts.succeeded + counts.skipped) / processed, 4),
    throughput: startedAt === null || view.run > 1 ? null : perSecond(processed, elapsedMs),
    averageDuration: rounded(durations.average),
    p50Duration: rounded(durations.p50),
    p95Duration: rounded(durations.p95),
    p99Duration: rounded(durations.p99),
    estimatedTimeRemaining: view.etaMs,
    errors,
  };
}

export function toBatchMetrics(batchId: string, { source, at, data }: MetricView): BatchMetrics {
  return { ...data, batchId, timestamp: new Date(at), source };
}
