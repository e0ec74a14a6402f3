import { createRateLimiter } from '../../src/dialects/annotations/rate-limiter.js';
import { eventually } from '../support/eventually.js';

/** A hundred in a second: refills within a test, and is empty after 6,000. */
const emptyLimiter = () => {
  const limiter = createRateLimiter({ requestsPerMinute: 6_000 });
  while (limiter.tryAcquire());
  return limiter;
};

const keepBusy = (ms: number) => {
  const until = performance.now() + ms;
  while (performance.now() < until);
};

/** One in ten minutes: whoever waits for it waits for the whole test. */
const slowLimiter = () => {
  const limiter = createRateLimiter({ requestsPerMinute: 0.1 });
  expect(limiter.tryAcquire()).toBe(true);
  return limiter;
};

test('is full at the beginning and never gives more than its rate', async () => {
  const startedAt = performance.now();
  const limiter = createRateLimiter({ requestsPerMinute: 6_000 });
  let given = 0;
  while (limiter.tryAcquire()) given += 1;
  expect(given).toBeGreaterThanOrEqual(6_000);
  for (let n = 0; n < 20; n += 1) {
    await limiter.acquire();
    given += 1;
    // Timers may be early by a millisecond or two.
    expect(given).toBeLessThanOrEqual(6_000 + (performance.now() - startedAt + 2) / 10);
  }
  limiter.destroy();
});

test('serves who waits in the order they came', async () => {
  const limiter = emptyLimiter();
  const order: number[] = [];
  const waiting = Array.from({ length: 20 }, (_, n) => {
    // Timers count from the same moment, however long the process is busy between them: this one's would ring first.
    if (n === 10) keepBusy(100);
    return limiter.acquire().then(() => order.push(n));
  });
  await Promise.all(waiting);
  expect(order).toEqual(Array.from({ length: 20 }, (_, n) => n));
  limiter.destroy();
});

test('those who give up waiting leave their turns to others', async () => {
  const limiter = emptyLimiter();
  const controller = new AbortController();
  const waits = Array.from({ length: 3_000 }, () => limiter.acquire(controller.signal));
  controller.abort();
  await Promise.allSettled(waits);
  // Had they kept them, it would be half a minute until the next one.
  await eventually(
    () => limiter.tryAcquire(),
    (got) => got,
    10_000,
  );
  limiter.destroy();
});

test('waiting ends with the reason of the signal, and does not begin once that is aborted', async () => {
  const limiter = slowLimiter();
  const controller = new AbortController();
  const wait = limiter.acquire(controller.signal);
  controller.abort(new Error('no time left'));
  await expect(wait).rejects.toThrow('no time left');
  await expect(limiter.acquire(controller.signal)).rejects.toThrow('no time left');
  limiter.destroy();
});

test('destroyed, it ends every wait and refuses what comes later', async () => {
  const limiter = slowLimiter();
  const waits = [limiter.acquire(), limiter.acquire(new AbortController().signal)];
  const ends = Promise.allSettled(waits);
  expect(limiter.tryAcquire()).toBe(false);
  limiter.destroy();
  const refused = { code: 'CONFLICT', message: 'this rate limiter is destroyed; make a new one with createRateLimiter' };
  expect(await ends).toMatchObject([
    { status: 'rejected', reason: refused },
    { status: 'rejected', reason: refused },
  ]);
  await expect(limiter.acquire()).rejects.toMatchObject(refused);
  expect(() => limiter.tryAcquire()).toThrow(refused.message);
});

test.each([0, -1, NaN, Infinity])('a rate of %s is refused', (requestsPerMinute) => {
  expect(() => createRateLimiter({ requestsPerMinute })).toThrow('requestsPerMinute: must be a number above 0');
});

test.each([undefined, 'gold', 5])('a tier of %s is refused, whether a service runs or not', (tier) => {
  expect(() => createRateLimiter(tier as never)).toThrow('tier: must be one of free, paid');
});
