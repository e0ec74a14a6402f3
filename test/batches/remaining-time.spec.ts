import type { BatchOptions } from '../../src/batches/batch.options.js';
import { type BatchRow, toBatchView } from '../../src/batches/store/select-batches.js';

/** A batch of 100 items of which 10 are done in the ten seconds since its start, with one rate limit or several. */
function remainingMs(options: Partial<BatchOptions>, changes: Partial<BatchRow> = {}): number | null {
  const row: Partial<BatchRow> = {
    status: 'running',
    total: 100,
    succeeded: 8,
    failed: 1,
    skipped: 1,
    cancelled: 0,
    processed_before: 0,
    running: 5,
    options: { rateLimitPerMinute: null, rateLimitPool: null, ...options } as BatchOptions,
    rollback: null,
    created_at: new Date(),
    started_at: new Date(Date.now() - 10_000),
    ended_at: null,
    ...changes,
  };
  return toBatchView(row as BatchRow).etaMs;
}

const MINUTE_MS = 60_000;
/** What the clock may have gone on since the row was made. */
const SLACK_MS = 5_000;
const TEN_A_MINUTE = { rateLimitPool: { name: 'p', perMinute: 10 } };

describe('the time that remains of a batch', () => {
  test('follows the speed so far where no rate holds it up', () => {
    for (const options of [{}, { rateLimitPool: { name: 'p', perMinute: 500 } }]) {
      expect(remainingMs(options)).toBeGreaterThanOrEqual(90_000);
      expect(remainingMs(options)).toBeLessThan(90_000 + 9 * SLACK_MS);
    }
  });

  test.each([
    ['ten at once, then ten a minute, are nine minutes', TEN_A_MINUTE, 9],
    ['the lowest of two rates counts', { ...TEN_A_MINUTE, rateLimitPerMinute: 5 }, 19],
  ])('is no shorter than the rate allows: %s', (_what, options, minutes) => {
    const wholeTime = remainingMs(options)! + 10_000;
    expect(wholeTime).toBeGreaterThan(minutes * MINUTE_MS - SLACK_MS);
    expect(wholeTime).toBeLessThanOrEqual(minutes * MINUTE_MS);
  });

  test('of a repeat counts what is repeated, not the whole batch', () => {
    const repeatOfFour = { succeeded: 97, failed: 0, skipped: 0, processed_before: 96, running: 1 };
    // One of four was done in ten seconds; all four may start at once.
    expect(remainingMs(TEN_A_MINUTE, repeatOfFour)).toBeGreaterThanOrEqual(30_000);
    expect(remainingMs(TEN_A_MINUTE, repeatOfFour)).toBeLessThan(30_000 + 3 * SLACK_MS);
  });

  test('is unknown before anything is done, while it is paused, and after the end', () => {
    expect(remainingMs(TEN_A_MINUTE, { succeeded: 0, failed: 0, skipped: 0 })).toBeNull();
    expect(remainingMs(TEN_A_MINUTE, { status: 'pending', started_at: null })).toBeNull();
    for (const status of ['paused', 'stopping', 'completed'] as const) {
      expect(remainingMs(TEN_A_MINUTE, { status, ends_as: 'cancelled' })).toBeNull();
    }
  });
});
