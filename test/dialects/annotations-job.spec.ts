import type { BatchView, Page } from '../../src/batches/batch.view.js';
import type { OutcomeView } from '../../src/batches/item.view.js';
import { toBatchJobProgress } from '../../src/dialects/annotations/batch-job.js';

const NO_FAILURES: Page<OutcomeView> = { rows: [], total: 0, limit: 1_000, offset: 0, hasMore: false };

/** A running batch of 100 images of which 10 are done, one a second. */
const batch = (changes: object) =>
  ({
    id: 'job',
    status: 'running',
    reason: null,
    progress: 10,
    counts: { total: 100, succeeded: 8, failed: 1, skipped: 1, cancelled: 0, running: 5, pending: 85 },
    options: { concurrency: 5 },
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

test.each([
  ['shown in milliseconds', 90_000, 90_000],
  ['left out while it is unknown', null, undefined],
  ['left out when nothing is left', 0, undefined],
])('the time that remains is %s', (_what, etaMs, shown) => {
  expect(toBatchJobProgress(batch({ etaMs }), NO_FAILURES).estimatedTimeRemaining).toBe(shown);
});
