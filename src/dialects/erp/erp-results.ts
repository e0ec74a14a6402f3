import type { BatchAnalytics, BatchView } from '../../batches/batch.view.js';
import type { OutcomeView } from '../../batches/item.view.js';
import { toErpStatus } from './erp-batch.js';
import type { ErpErrorShare, ErpItemResult, ErpQualityShare, ErpResults, ErpSummary, ErpVisualization } from './erp.reply.js';

export function toErpResults(batch: BatchView, outcomes: OutcomeView[], analytics: BatchAnalytics): ErpResults {
  return {
    id: batch.id,
    operation: batch.operation,
    status: toErpStatus(batch.status),
    progress: batch.progress,
    results: outcomes.map(toErpItemResult),
    summary: toSummary(analytics),
  };
}

/** An item with nothing to do (skipped) is a success, one that was left undone is none: the ERP module has no third word. */
function toErpItemResult(outcome: OutcomeView): ErpItemResult {
  return {
    nodeId: outcome.key,
    success: outcome.status === 'succeeded' || outcome.status === 'skipped',
    result: toResult(outcome.output),
    error: outcome.error?.message,
    retries: Math.max(0, outcome.attempts - 1),
    durationMs: outcome.durationMs === null ? undefined : round(outcome.durationMs),
    qualityScore: outcome.quality ?? undefined,
    createdAt: outcome.recordedAt,
  };
}

/** The document's `result` is an object; an operation that answers something else gets it wrapped. */
function toResult(output: unknown): Record<string, unknown> | undefined {
  if (output === null || output === undefined) return undefined;
  return typeof output === 'object' && !Array.isArray(output) ? (output as Record<string, unknown>) : { value: output };
}

function toSummary({ counts, durations, quality }: BatchAnalytics): ErpSummary {
  return {
    total: counts.total,
    successful: counts.succeeded + counts.skipped,
    failed: counts.failed,
    qualityScore: quality.average === null ? undefined : round(quality.average, 4),
    performanceMetrics: {
      averageDuration: round(durations.average),
      totalDuration: round(durations.sum),
      requestsPerMinute: durations.average > 0 ? round(60_000 / durations.average) : 0,
    },
  };
}

export function toErpVisualization({ batchId, counts, durations, quality, errors, timeline }: BatchAnalytics): ErpVisualization {
  const successful = counts.succeeded + counts.skipped;
  const finished = successful + counts.failed;
  return {
    batchId,
    overview: {
      total: counts.total,
      successful,
      failed: counts.failed,
      pending: counts.total - finished,
      successRate: finished === 0 ? 0 : round(successful / finished, 4),
      averageDuration: round(durations.average),
    },
    errorDistribution: toErrorDistribution(errors, counts.failed),
    qualityDistribution: toQualityDistribution(quality.histogram, counts.total),
    performanceMetrics: {
      averageDuration: round(durations.average),
      p50Duration: round(durations.p50),
      p95Duration: round(durations.p95),
      p99Duration: round(durations.p99),
    },
    timeline,
  };
}

/** The same message may come with several kinds; the document tells errors apart by message alone. */
function toErrorDistribution(errors: BatchAnalytics['errors'], failed: number): ErpErrorShare[] {
  // Of a stopped batch more items had an error than failed for good.
  const all = Math.max(
    failed,
    errors.reduce((sum, { count }) => sum + count, 0),
  );
  const byMessage = new Map<string, number>();
  for (const { message, count } of errors) byMessage.set(message, (byMessage.get(message) ?? 0) + count);
  return [...byMessage].map(([error, count]) => ({ error, count, percentage: percentage(count, all) })).sort((a, b) => b.count - a.count);
}

const RANGES = 5;

function toQualityDistribution(histogram: readonly number[], total: number): ErpQualityShare[] {
  const perRange = histogram.length / RANGES;
  return Array.from({ length: RANGES }, (_, range) => {
    const count = histogram.slice(range * perRange, (range + 1) * perRange).reduce((sum, each) => sum + each, 0);
    return { range: `${(range / RANGES).toFixed(1)}-${((range + 1) / RANGES).toFixed(1)}`, count, percentage: percentage(count, total) };
  })
    .filter(({ count }) => count > 0)
    .reverse();
}

function percentage(part: number, whole: number): number {
  return whole === 0 ? 0 : round((100 * part) / whole);
}

function round(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}
