import fc from 'fast-check';
import { retryDelayMs } from '../../src/worker/retry-policy.js';

const options = { retryDelay: 1_000, retryMaxDelay: 60_000, retryJitter: false } as const;
const delays = (retryBackoff: 'none' | 'fixed' | 'linear' | 'exponential') =>
  [1, 2, 3, 4, 10].map((retry) => retryDelayMs({ ...options, retryBackoff }, retry));

test('delays follow the backoff, up to the cap', () => {
  expect(delays('none')).toEqual([0, 0, 0, 0, 0]);
  expect(delays('fixed')).toEqual([1_000, 1_000, 1_000, 1_000, 1_000]);
  expect(delays('linear')).toEqual([1_000, 2_000, 3_000, 4_000, 10_000]);
  expect(delays('exponential')).toEqual([1_000, 2_000, 4_000, 8_000, 60_000]);
});

const any = fc.record({
  retryBackoff: fc.constantFrom('none', 'fixed', 'linear', 'exponential'),
  retryDelay: fc.double({ min: 0, max: 86_400_000, noNaN: true }),
  retryMaxDelay: fc.double({ min: 0, max: 86_400_000, noNaN: true }),
}) as fc.Arbitrary<{ retryBackoff: 'fixed'; retryDelay: number; retryMaxDelay: number }>;
const random = fc.double({ min: 0, max: 1, noNaN: true });

test('without jitter no delay is shorter than the one before, and none above the cap', () => {
  fc.assert(
    fc.property(any, fc.integer({ min: 1, max: 100 }), (given, retry) => {
      const now = retryDelayMs({ ...given, retryJitter: false }, retry);
      const next = retryDelayMs({ ...given, retryJitter: false }, retry + 1);
      expect(now).toBeGreaterThanOrEqual(0);
      expect(next).toBeGreaterThanOrEqual(now);
      expect(next).toBeLessThanOrEqual(given.retryMaxDelay);
    }),
  );
});

test('jitter keeps between half and all of the delay', () => {
  fc.assert(
    fc.property(any, fc.integer({ min: 1, max: 100 }), random, (given, retry, chance) => {
      const full = retryDelayMs({ ...given, retryJitter: false }, retry);
      const jittered = retryDelayMs({ ...given, retryJitter: true }, retry, chance);
      expect(jittered).toBeGreaterThanOrEqual(full / 2);
      expect(jittered).toBeLessThanOrEqual(full);
    }),
  );
});
