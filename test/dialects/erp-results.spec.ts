import type { BatchAnalytics, BatchView } from '../../src/batches/batch.view.js';
import type { OutcomeView } from '../../src/batches/item.view.js';
import { fromErpStatus, toErpStats } from '../../src/dialects/erp/erp-batch.js';
import { toErpResults, toErpVisualization } from '../../src/dialects/erp/erp-results.js';

const counts = { total: 100, succeeded: 98, failed: 2, skipped: 0, cancelled: 0, running: 0, pending: 0 };

/** The figures of the ERP module's own samples. */
const analytics: BatchAnalytics = {
  batchId: 'batch_1234567890_abc123',
  status: 'completed',
  counts,
  durations: { count: 100, sum: 118_000, average: 1_180, p50: 1_150, p95: 1_850, p99: 2_200 },
  quality: { count: 98, average: 0.92, histogram: [...Array<number>(12).fill(0), 3, 4, 3, 3, 20, 20, 20, 25] },
  errors: [
    { message: 'Timeout', kind: 'timeout', count: 1 },
    { message: 'Invalid response', kind: 'retryable', count: 1 },
  ],
  timeline: [],
};

const batch = { id: 'batch_1234567890_abc123', operation: 'annotate', status: 'completed', progress: 100 } as BatchView;

const outcome: OutcomeView = {
  run: 1,
  seq: 0,
  key: 'node_001',
  status: 'succeeded',
  output: { description: 'Invoice processing', tags: ['finance'] },
  error: null,
  attempts: 1,
  durationMs: 1_250,
  quality: 0.95,
  recordedAt: '2025-12-20T10:05:00.000Z',
};

const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test('the figures of the visualization sample come out as the document shows them', () => {
  expect(asJson(toErpVisualization(analytics))).toEqual({
    batchId: 'batch_1234567890_abc123',
    overview: { total: 100, successful: 98, failed: 2, pending: 0, successRate: 0.98, averageDuration: 1180 },
    errorDistribution: [
      { error: 'Timeout', count: 1, percentage: 50 },
      { error: 'Invalid response', count: 1, percentage: 50 },
    ],
    qualityDistribution: [
      { range: '0.8-1.0', count: 85, percentage: 85 },
      { range: '0.6-0.8', count: 13, percentage: 13 },
    ],
    performanceMetrics: { averageDuration: 1180, p50Duration: 1150, p95Duration: 1850, p99Duration: 2200 },
    timeline: [],
  });
});

test('the figures of the results sample come out as the document shows them', () => {
  expect(asJson(toErpResults(batch, [outcome], analytics))).toEqual({
    id: 'batch_1234567890_abc123',
    operation: 'annotate',
    status: 'completed',
    progress: 100,
    results: [
      {
        nodeId: 'node_001',
        success: true,
        result: { description: 'Invoice processing', tags: ['finance'] },
        retries: 0,
        durationMs: 1250,
        qualityScore: 0.95,
        createdAt: '2025-12-20T10:05:00.000Z',
      },
    ],
    summary: {
      total: 100,
      successful: 98,
      failed: 2,
      qualityScore: 0.92,
      performanceMetrics: { averageDuration: 1180, totalDuration: 118000, requestsPerMinute: 50.85 },
    },
  });
});

test('a failed item tells its error and its retries, and leaves out what it does not have', () => {
  const failed: OutcomeView = {
    ...outcome,
    status: 'failed',
    output: null,
    error: { kind: 'timeout', message: 'Timeout' },
    attempts: 4,
    durationMs: null,
    quality: null,
  };
  const [result] = toErpResults(batch, [failed], analytics).results;
  expect(asJson(result)).toEqual({ nodeId: 'node_001', success: false, error: 'Timeout', retries: 3, createdAt: outcome.recordedAt });
});

test('an output that is not an object is wrapped, since the document promises an object', () => {
  const [result] = toErpResults(batch, [{ ...outcome, output: 'done' }], analytics).results;
  expect(result?.result).toEqual({ value: 'done' });
});

test('figures of an empty batch are zeros, never infinities', () => {
  const none = { ...counts, total: 0, succeeded: 0, failed: 0 };
  const durations = { count: 0, sum: 0, average: 0, p50: 0, p95: 0, p99: 0 };
  const quality = { count: 0, average: null, histogram: Array<number>(20).fill(0) };
  const empty: BatchAnalytics = { ...analytics, counts: none, durations, quality, errors: [] };
  expect(asJson(toErpVisualization(empty))).toMatchObject({
    overview: { total: 0, successful: 0, failed: 0, pending: 0, successRate: 0, averageDuration: 0 },
    errorDistribution: [],
    qualityDistribution: [],
  });
  const { summary } = toErpResults(batch, [], empty);
  expect(asJson(summary)).toEqual({
    total: 0,
    successful: 0,
    failed: 0,
    performanceMetrics: { averageDuration: 0, totalDuration: 0, requestsPerMinute: 0 },
  });
});

test('the same error message with several kinds is one error', () => {
  const errors = [
    { message: 'no answer', kind: 'timeout', count: 2 },
    { message: 'bad data', kind: 'permanent', count: 3 },
    { message: 'no answer', kind: 'retryable', count: 3 },
  ];
  const mixed = { ...analytics, errors, counts: { ...counts, succeeded: 92, failed: 8 } };
  expect(toErpVisualization(mixed).errorDistribution).toEqual([
    { error: 'no answer', count: 5, percentage: 62.5 },
    { error: 'bad data', count: 3, percentage: 37.5 },
  ]);
});

test('skipped items count as successful and the rest as pending, so that the overview adds up', () => {
  const cut = { total: 10, succeeded: 3, failed: 1, skipped: 1, cancelled: 5, running: 0, pending: 0 };
  expect(toErpVisualization({ ...analytics, counts: cut }).overview).toMatchObject({
    successful: 4,
    failed: 1,
    pending: 5,
    successRate: 0.8,
  });
});

test('statistics fold timed-out batches into failed and paused ones into running', () => {
  const byStatus = { pending: 5, running: 2, paused: 1, completed: 138, failed: 1, timed_out: 1, cancelled: 2 };
  expect(toErpStats({ total: 150, byStatus, byOperation: { annotate: 120, import: 20, export: 10 } })).toEqual({
    total: 150,
    byStatus: { pending: 5, running: 3, completed: 138, failed: 2, cancelled: 2 },
    byOperation: { annotate: 120, import: 20, export: 10 },
    completionRate: 0.92,
  });
  expect(fromErpStatus('failed').sort()).toEqual(['failed', 'timed_out']);
  expect(fromErpStatus('running').sort()).toEqual(['paused', 'running']);
});
