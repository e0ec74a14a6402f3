import { FailedCredentials } from '../../src/access/failed-credentials.js';

const isLimited = (failed: FailedCredentials, address: string): boolean => {
  try {
    failed.count(address);
    return false;
  } catch (error) {
    expect(error).toMatchObject({ code: 'RATE_LIMITED', details: { retryAfterMs: expect.any(Number) } });
    return true;
  }
};

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

test('each address has its own minute, which ends', () => {
  const failed = new FailedCredentials(2);
  expect([1, 2, 3].map(() => isLimited(failed, '10.0.0.1'))).toEqual([false, false, true]);
  expect(isLimited(failed, '10.0.0.2')).toBe(false);
  jest.advanceTimersByTime(59_000);
  expect(isLimited(failed, '10.0.0.1')).toBe(true);
  jest.advanceTimersByTime(1_000);
  expect(isLimited(failed, '10.0.0.1')).toBe(false);
});

test('a million addresses cost the memory of ten thousand', () => {
  const failed = new FailedCredentials(1);
  for (let n = 0; n < 50_000; n += 1) failed.count(`10.0.${n >> 8}.${n & 255}`);
  expect((failed as unknown as { minutes: Map<string, object> }).minutes.size).toBe(10_000);
});
