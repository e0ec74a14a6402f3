import fc from 'fast-check';
import { OTHER_ERRORS, Tally } from '../../src/batches/tally.js';

const duration = fc.double({ min: 0, max: 1e9, noNaN: true });
const truth = (values: number[], fraction: number): number => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(1, Math.ceil(fraction * sorted.length)) - 1]!;
};

test('a percentile is at most 1 % off the sorted truth', () => {
  fc.assert(
    fc.property(fc.array(duration, { minLength: 1, maxLength: 300 }), fc.double({ min: 0, max: 1, noNaN: true }), (values, fraction) => {
      const tally = new Tally();
      values.forEach((value) => tally.addDuration(value));
      const exact = truth(values, fraction);
      expect(Math.abs(tally.percentile(fraction) - exact)).toBeLessThanOrEqual(Math.max(0.001, exact * 0.01));
    }),
    { numRuns: 1_000 },
  );
});

test('parts that are merged, stored and read again are the whole', () => {
  const outcome = fc.record({
    ms: duration,
    quality: fc.double({ min: 0, max: 1, noNaN: true }),
    error: fc.option(fc.constantFrom('a', 'b', 'c')),
  });
  fc.assert(
    fc.property(fc.array(fc.array(outcome, { maxLength: 30 }), { maxLength: 5 }), (parts) => {
      const whole = new Tally();
      const merged = new Tally();
      for (const part of parts) {
        const tally = new Tally();
        for (const { ms, quality, error } of part) {
          for (const each of [whole, tally]) {
            each.addDuration(ms);
            each.addQuality(quality);
            if (error !== null) each.addError('retryable', error);
          }
        }
        merged.merge(JSON.parse(JSON.stringify(tally)));
      }
      const all = parts.flat();
      expect(merged.durations.count).toBe(all.length);
      expect(merged.durations.sum).toBeCloseTo(whole.durations.sum, 3);
      expect(merged.quality.histogram).toEqual(whole.quality.histogram);
      expect(merged.quality.histogram.reduce((sum, count) => sum + count, 0)).toBe(all.length);
      expect(merged.errors).toEqual(whole.errors);
      for (const fraction of [0, 0.5, 0.95, 0.99, 1]) expect(merged.percentile(fraction)).toBe(whole.percentile(fraction));
    }),
    { numRuns: 300 },
  );
});

test('its size is bounded, whatever is added, and no error is left out of the counts', () => {
  const tally = new Tally();
  for (let n = 0; n < 50_000; n += 1) {
    tally.addDuration(Math.random() * 10 ** (n % 15));
    tally.addQuality((n % 1_001) / 1_000);
    tally.addError(`kind ${n % 3}`, `message ${n % 7_000}`);
  }
  const json = JSON.parse(JSON.stringify(tally));
  expect(json.errors.length).toBeLessThanOrEqual(101);
  expect(json.durations.buckets.length).toBeLessThan(2_500);
  expect(tally.errors.reduce((sum, { count }) => sum + count, 0)).toBe(50_000);
  expect(tally.errors[0]).toMatchObject({ message: OTHER_ERRORS });
  const merged = new Tally();
  merged.merge(json);
  merged.merge(json);
  expect(merged.errors.reduce((sum, { count }) => sum + count, 0)).toBe(100_000);
  expect(merged.errors.length).toBeLessThanOrEqual(101);
});

test('quality counts into 20 buckets, each from its lower bound on', () => {
  const tally = new Tally();
  for (let bucket = 0; bucket <= 20; bucket += 1) tally.addQuality(bucket / 20);
  expect(tally.quality.histogram).toEqual([...new Array<number>(19).fill(1), 2]);
});

test('nothing added is 0, and so is what took no time', () => {
  expect(new Tally().percentile(0.5)).toBe(0);
  expect(Tally.from(null).errors).toEqual([]);
  const tally = new Tally();
  tally.addDuration(0);
  expect(tally.percentile(0.99)).toBe(0);
});

test('the most frequent error comes first, and equal ones in the order of the alphabet', () => {
  const tally = new Tally();
  for (const message of ['b', 'a', 'c', 'c']) tally.addError('retryable', message);
  tally.addError('timeout', 'c');
  expect(tally.errors.map(({ kind, message, count }) => [kind, message, count])).toEqual([
    ['retryable', 'c', 2],
    ['retryable', 'a', 1],
    ['retryable', 'b', 1],
    ['timeout', 'c', 1],
  ]);
});

describe('an outcome that is taken out', () => {
  const figures = (ms: number | null, quality: number | null, error: string | null) => ({
    duration_ms: ms,
    quality,
    error_kind: error === null ? null : 'retryable',
    error,
  });
  const add = (tally: Tally, each: ReturnType<typeof figures>): void => {
    if (each.duration_ms !== null) tally.addDuration(each.duration_ms);
    if (each.quality !== null) tally.addQuality(each.quality);
    if (each.error !== null) tally.addError('retryable', each.error);
  };

  test('leaves the tally as if it had never been there, whatever else is in it', () => {
    const one = fc
      .tuple(
        fc.option(fc.double({ min: 0, max: 1e6, noNaN: true })),
        fc.option(fc.double({ min: 0, max: 1, noNaN: true })),
        fc.option(fc.constantFrom('a', 'b', 'c')),
      )
      .map(([ms, quality, error]) => figures(ms, quality, error));
    fc.assert(
      fc.property(fc.array(one), fc.array(one), (stay, go) => {
        const expected = new Tally();
        const tally = new Tally();
        for (const each of stay) add(expected, each);
        for (const each of [...go, ...stay]) add(tally, each);
        for (const each of go) tally.remove(each);
        expect(tally.errors).toEqual(expected.errors);
        expect(tally.durations.count).toBe(expected.durations.count);
        expect(tally.durations.sum).toBeCloseTo(expected.durations.sum, 3);
        expect(tally.quality).toMatchObject({ count: expected.quality.count, histogram: expected.quality.histogram });
        for (const fraction of [0.5, 0.99]) expect(tally.percentile(fraction)).toBe(expected.percentile(fraction));
      }),
    );
  });

  test('is taken from the other errors when there were too many to know it by its name', () => {
    const tally = new Tally();
    for (let n = 0; n < 150; n += 1) tally.addError('retryable', `error ${n}`);
    for (let n = 0; n < 150; n += 1) tally.remove(figures(null, null, `error ${n}`));
    expect(tally.errors).toEqual([]);
  });
});
