import fc from 'fast-check';
import type { BatchOptions } from '../../src/batches/batch.options.js';
import { laneWidths } from '../../src/batches/dialects.js';
import { rampedWidth, rampWaitMs } from '../../src/batches/ramp-up.js';

const settings = fc.record({
  concurrency: fc.integer({ min: 1, max: 150 }),
  laneWidth: fc.constantFrom(1, 7, 50),
  from: fc.integer({ min: 1, max: 1_000 }),
  overMs: fc.integer({ min: 1, max: 3_600_000 }),
});

const toOptions = ({ from, overMs, ...options }: typeof settings extends fc.Arbitrary<infer S> ? S : never) =>
  ({ ...options, rampUp: { from, overMs } }) as BatchOptions;

const sum = (options: BatchOptions, elapsedMs: number) =>
  laneWidths(options).reduce((total, _, no) => total + rampedWidth(options, no, elapsedMs), 0);

test('the lanes together have the concurrency that the ramp allows: its first at the start, all at the end, never less than before', () => {
  fc.assert(
    fc.property(settings, fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 10 }), (given, moments) => {
      const options = toOptions(given);
      expect(sum(options, 0)).toBe(Math.min(given.from, given.concurrency));
      expect(sum(options, given.overMs)).toBe(given.concurrency);
      const sums = moments.sort((a, b) => a - b).map((moment) => sum(options, moment * given.overMs));
      expect(sums).toEqual([...sums].sort((a, b) => a - b));
    }),
  );
});

test('a lane that has nothing to do yet is told when it has', () => {
  fc.assert(
    fc.property(settings, fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(1_000), (given, moment, nth) => {
      const options = toOptions(given);
      const no = nth % laneWidths(options).length;
      const elapsed = moment * given.overMs;
      const wait = rampWaitMs(options, no, elapsed);
      if (rampedWidth(options, no, elapsed) > 0) return expect(wait).toBe(0);
      expect(wait).toBeGreaterThan(0);
      expect(elapsed + wait).toBeLessThanOrEqual(given.overMs + 1e-6);
      expect(rampedWidth(options, no, elapsed + wait + 1e-3)).toBeGreaterThanOrEqual(1);
    }),
  );
});

test('without a ramp a lane has its whole width', () => {
  const options = { concurrency: 120, laneWidth: 50, rampUp: null } as unknown as BatchOptions;
  expect(laneWidths(options).map((_, no) => rampedWidth(options, no, 0))).toEqual([40, 40, 40]);
  expect(rampWaitMs(options, 2, 0)).toBe(0);
});
