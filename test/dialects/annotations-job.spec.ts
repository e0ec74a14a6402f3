import type { BatchView, OutcomeView, Page } from '../../src/batches/batch.view.js';
import { toBatchJobProgress } from '../../src/dialects/annotations/batch-job.js';

const NO_FAILURES: Page<OutcomeView> = { rows: [], total: 0, limit: 1_000, offset: 0, hasMore: false };

/** A running batch of 100 images of which 10 are done, one a second. */
const batch = (changes: object, options: object = {}) =>
  ({
    id: 'job',
    status: 'running',
    reason: null,
    progress: 10,
    counts: { total: 100, succeeded: 8, failed: 1, skipped: 1, cancelled: 0, running: 5, pending: 85 },
    options: { concurrency: 5, rateLimitPerMinute: null, rateLimitPool: null, ...options },
    etaMs: 90_000,
    createdAt: new Date().toISOString(),
    startedAt: new Date().toISOString(),
    endedAt: null,
    ...changes,
  }) as BatchView;

test.each([
  ['pending', 'pending'],
  ['running', 'processing'],
  ['paused', 'processing'],
  ['completed', 'completed'],
  ['failed', 'failed'],
  ['timed_out', 'failed'],
  ['cancelled', 'cancelled'],
])('a batch that is %s reads %s', (status, shown) => {
  expect(toBatchJobProgress(batch({ status }), NO_FAILURES).status).toBe(shown);
});

test('an image with nothing to do was successful', () => {
  expect(toBatchJobProgress(batch({}), NO_FAILURES).progress).toEqual({
    total: 100,
    processed: 10,
    successful: 9,
    failed: 1,
    percentage: 10,
  });
});

describe('the time that remains', () => {
  const remaining = (options: object, changes: object = {}) =>
    toBatchJobProgress(batch(changes, options), NO_FAILURES).estimatedTimeRemaining;

  test('follows the speed so far where no rate holds the job up', () => {
    expect(remaining({})).toBe(90_000);
    expect(remaining({ rateLimitPool: { name: 'p', perMinute: 500 } })).toBe(90_000);
  });

  test('is no shorter than the lowest rate allows: ten at once, then ten a minute, are nine minutes', () => {
    const free = { rateLimitPool: { name: 'p', perMinute: 10 } };
    expect(remaining(free)).toBeGreaterThan(9 * 60_000 - 5_000);
    expect(remaining(free)).toBeLessThanOrEqual(9 * 60_000);
    expect(remaining({ ...free, rateLimitPerMinute: 5 })).toBeGreaterThan(19 * 60_000 - 5_000);
  });

  test('is left out when it is unknown, and when nothing is left', () => {
    expect(remaining({ rateLimitPool: { name: 'p', perMinute: 10 } }, { etaMs: null })).toBeUndefined();
    expect(remaining({}, { etaMs: 0 })).toBeUndefined();
    expect(remaining({}, { status: 'pending', startedAt: null, etaMs: null })).toBeUndefined();
  });
});
