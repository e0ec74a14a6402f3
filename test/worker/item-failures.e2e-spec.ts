import { PermanentError, RetryLaterError } from '../../src/operations/item-handler.js';
import { CancelBatch } from '../../src/batches/commands/cancel-batch.command.js';
import { AppError } from '../../src/common/app-error.js';
import { Engine, FAST_RETRY, keys } from '../support/engine.js';
import { eventually } from '../support/eventually.js';
import { assertInvariants } from '../support/invariants.js';

let engine: Engine;

beforeAll(async () => (engine = await Engine.start()));
afterEach(() => assertInvariants(engine.database));
afterAll(() => engine.close());

const NO_RETRY = { ...FAST_RETRY, retryAttempts: 0 };

const cyclic: Record<string, unknown> = {};
cyclic.itself = cyclic;
const nested = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels));

const throwing = (): never => {
  throw new Error('even to look at it fails');
};
const NASTY_ERRORS: Record<string, () => unknown> = {
  'a string': () => 'plain words',
  null: () => null,
  undefined: () => undefined,
  'a number': () => 42,
  'a symbol': () => Symbol('s'),
  'a frozen error': () => Object.freeze(new Error('frozen')),
  'a cyclic object': () => cyclic,
  'an error whose message throws': () => Object.defineProperty(new Error(), 'message', { get: throwing }),
  'a proxy that throws at every touch': () => new Proxy({}, { get: throwing, getPrototypeOf: throwing, has: throwing }),
  'an object without a prototype': () => Object.create(null),
  'an error with an empty message': () => new Error(''),
  'an error with a NUL and half a surrogate': () => new Error('a\0b\ud800c'),
  'an error of a megabyte': () => new Error('x'.repeat(1_000_000)),
  'an error that ends in the middle of an emoji': () => new Error(`${'x'.repeat(1_999)}😀`),
};

const NASTY_RESULTS: Record<string, () => unknown> = {
  'a cyclic output': () => ({ output: cyclic }),
  'a BigInt': () => ({ output: { n: 1n } }),
  'an output of more than 256 kB': () => ({ output: 'x'.repeat(262_145) }),
  'an output whose toJSON throws null': () => ({
    output: {
      toJSON: () => {
        // eslint-disable-next-line @typescript-eslint/only-throw-error
        throw null;
      },
    },
  }),
  'an output nested 100,000 levels deep': () => ({ output: nested(100_000) }),
  'a result whose output throws': () => Object.defineProperty({}, 'output', { get: throwing }),
  'a proxy that throws': () => new Proxy({}, { get: (_, name) => (name === 'then' ? undefined : throwing()), has: throwing }),
  'a quality that is a BigInt': () => ({ quality: 1n }),
  'a skipped that is no text': () => ({ skipped: { because: 1 } }),
};

describe('a handler that throws', () => {
  test.each(Object.keys(NASTY_ERRORS))('%s fails its item with a message, after its retries, and no other', async (name) => {
    const batch = await engine.run(
      async ({ key }) => {
        if (key === '2') throw NASTY_ERRORS[name]!();
      },
      { items: keys(3), options: { ...FAST_RETRY, retryAttempts: 1 } },
    );
    expect((await engine.ended(batch)).counts).toMatchObject({ succeeded: 2, failed: 1, total: 3 });
    const [failed] = (await engine.outcomes(batch)).filter(({ status }) => status === 'failed');
    expect(failed).toMatchObject({ seq: 1, key: '2', attempts: 2, error: { kind: 'retryable', message: expect.any(String) } });
    expect(failed!.error!.message.length).toBeGreaterThan(0);
    expect(failed!.error!.message.length).toBeLessThanOrEqual(2_000);
    expect(failed!.error!.message).not.toMatch(/\0/);
    expect(failed!.error!.message.isWellFormed()).toBe(true);
  });

  test('synchronously, fails the same way', async () => {
    const batch = await engine.run(
      () => {
        throw new Error('at once');
      },
      { items: ['a'], options: NO_RETRY },
    );
    expect(await engine.ended(batch)).toMatchObject({ status: 'failed', reason: 'every item failed' });
    expect((await engine.outcomes(batch))[0]).toMatchObject({ error: { kind: 'retryable', message: 'at once' } });
  });

  test('in a chunk fails each of its items', async () => {
    for (const name of Object.keys(NASTY_ERRORS)) {
      const batch = await engine.runChunks(
        async () => {
          throw NASTY_ERRORS[name]!();
        },
        { items: keys(2), options: NO_RETRY },
      );
      expect((await engine.ended(batch)).counts).toMatchObject({ failed: 2 });
    }
  });
});

describe('a handler that returns', () => {
  test.each(Object.keys(NASTY_RESULTS))('%s fails its item for good and no other', async (name) => {
    let calls = 0;
    const batch = await engine.run(
      async ({ key }) => {
        if (key !== '2') return;
        calls += 1;
        return NASTY_RESULTS[name]!() as object;
      },
      { items: keys(3), options: { ...FAST_RETRY, retryAttempts: 2 } },
    );
    expect((await engine.ended(batch)).counts).toMatchObject({ succeeded: 2, failed: 1 });
    const failed = (await engine.outcomes(batch)).find(({ status }) => status === 'failed');
    expect(failed).toMatchObject({ key: '2', attempts: 1, error: { kind: 'invalid-result', message: expect.any(String) } });
    expect(calls).toBe(1);
  });

  test.each(Object.keys(NASTY_RESULTS))('%s for one item of a chunk fails that one', async (name) => {
    const batch = await engine.runChunks(
      async (items) => items.map(({ key }) => (key === '2' ? (NASTY_RESULTS[name]!() as object) : { output: key })),
      { items: keys(3), options: NO_RETRY },
    );
    expect((await engine.ended(batch)).counts).toMatchObject({ succeeded: 2, failed: 1 });
  });

  test('what JSON would lose or change fails its item for good, by the name of the field', async () => {
    const outputs: Record<string, [output: unknown, message: RegExp]> = {
      nan: [{ total: Number.NaN }, /: output\.total: is NaN/],
      infinity: [{ rows: [{ rate: Infinity }] }, /: output\.rows\.0\.rate: is Infinity/],
      bigint: [{ id: 731904562218870001n }, /: output\.id: is a BigInt.*"731904562218870001"/],
      map: [{ counts: new Map([['a', 1]]) }, /: output\.counts: is a Map/],
      promise: [{ text: Promise.resolve('late') }, /: output\.text: is a Promise/],
      date: [{ at: new Date('never') }, /: output\.at: is an invalid date/],
      hole: [{ list: [1, undefined] }, /: output\.list\.1: is undefined/],
      circle: [{ cyclic }, /: output\.cyclic\.itself: is circular/],
      call: [{ next: () => 1 }, /: output\.next: is a function/],
    };
    const batch = await engine.run(async ({ key }) => ({ output: outputs[key]![0] }), { items: Object.keys(outputs) });
    expect((await engine.ended(batch)).counts).toMatchObject({ failed: Object.keys(outputs).length });
    for (const { key, error, attempts } of await engine.outcomes(batch)) {
      expect([key, attempts, error]).toEqual([key, 1, { kind: 'invalid-result', message: expect.stringMatching(outputs[key]![1]) }]);
    }
    const undo = await engine.runUndoable(
      async () => ({ compensation: { id: Number.NaN } }),
      () => undefined,
      { items: ['a'] },
    );
    await engine.ended(undo);
    expect((await engine.outcomes(undo))[0]!.error).toMatchObject({
      kind: 'invalid-result',
      message: expect.stringContaining('compensation.id: is NaN'),
    });
  });

  test('a date, an address, a class of its own, and names that mean something elsewhere is recorded as JSON has it', async () => {
    class Line {
      amount = 0.1;
      note = undefined;
    }
    const names = { toJSON: 1, then: 2, length: 3, valueOf: 4, hasOwnProperty: 5 };
    const batch = await engine.run(async () => ({ output: { at: new Date(0), page: new URL('http://a/b'), lines: [new Line()], names } }), {
      items: ['a'],
    });
    await engine.ended(batch);
    const [outcome] = await engine.outcomes(batch);
    expect(outcome).toMatchObject({
      status: 'succeeded',
      output: { at: '1970-01-01T00:00:00.000Z', page: 'http://a/b', lines: [{ amount: 0.1 }], names },
    });
  });

  test('texts with NUL and half surrogates is recorded with U+FFFD in their place', async () => {
    const batch = await engine.run(async () => ({ output: { 'k\0': ['a\0b', '\udc00'], fine: '\\u0000 😀' } }), { items: ['a'] });
    await engine.ended(batch);
    expect((await engine.outcomes(batch))[0]).toMatchObject({
      status: 'succeeded',
      output: { 'k\uFFFD': ['a\uFFFDb', '\uFFFD'], fine: '\\u0000 😀' },
    });
  });

  test('nothing succeeds without output', async () => {
    const batch = await engine.run(() => undefined, { items: ['a'] });
    await engine.ended(batch);
    expect((await engine.outcomes(batch))[0]).toMatchObject({ status: 'succeeded', output: null, attempts: 1, quality: null, error: null });
  });

  test('a quality outside of 0 to 1 is moved to the nearest bound, and one that is no number counts as none', async () => {
    const qualities: Record<string, unknown> = { low: -3, high: 7, middle: 0.5, none: Number.NaN, text: 'good' };
    const batch = await engine.run(async ({ key }) => ({ quality: qualities[key] as number }), { items: Object.keys(qualities) });
    await engine.ended(batch);
    const found = Object.fromEntries((await engine.outcomes(batch)).map(({ key, quality }) => [key, quality]));
    expect(found).toEqual({ low: 0, high: 1, middle: 0.5, none: null, text: null });
  });

  test('a reason to skip counts the item as skipped, and a batch of skipped items completes', async () => {
    const batch = await engine.run(async () => ({ skipped: 'already\0done' }), { items: keys(2) });
    expect(await engine.ended(batch)).toMatchObject({ status: 'completed', progress: 100, counts: { skipped: 2, succeeded: 0 } });
    expect((await engine.outcomes(batch))[0]).toMatchObject({
      status: 'skipped',
      error: { kind: 'skipped', message: 'already\uFFFDdone' },
    });
  });
});

describe('retries', () => {
  test.each(['none', 'fixed', 'linear', 'exponential'] as const)(
    'with %s backoff: one attempt and as many retries as asked',
    async (retryBackoff) => {
      const calls: Record<string, number[]> = {};
      const batch = await engine.run(
        async ({ key, attempt }) => {
          (calls[key] ??= []).push(attempt);
          if (attempt <= Number(key)) throw new Error(`try ${attempt}`);
          return { output: attempt };
        },
        { items: keys(4), options: { retryAttempts: 3, retryBackoff, retryDelay: 20, retryMaxDelay: 50, retryJitter: true } },
      );
      expect(await engine.ended(batch)).toMatchObject({ status: 'completed', counts: { succeeded: 3, failed: 1 } });
      const outcomes = await engine.outcomes(batch);
      expect(outcomes.map(({ attempts }) => attempts)).toEqual([2, 3, 4, 4]);
      expect(outcomes[3]).toMatchObject({ status: 'failed', error: { kind: 'retryable', message: 'try 4' } });
      expect(calls).toEqual({ 1: [1, 2], 2: [1, 2, 3], 3: [1, 2, 3, 4], 4: [1, 2, 3, 4] });
    },
  );

  test('come no sooner than their delay', async () => {
    const at: number[] = [];
    const batch = await engine.run(
      async () => {
        at.push(performance.now());
        throw new Error('no');
      },
      { items: ['a'], options: { retryAttempts: 2, retryBackoff: 'linear', retryDelay: 300, retryMaxDelay: 10_000, retryJitter: false } },
    );
    await engine.ended(batch);
    expect(at).toHaveLength(3);
    expect(at[1]! - at[0]!).toBeGreaterThanOrEqual(299);
    expect(at[2]! - at[1]!).toBeGreaterThanOrEqual(599);
  });

  test('give the handler the same key, payload and idempotency key each time, whatever they hold', async () => {
    const payloads = [{ text: 'NUL \0 and half \ud800 and 😀' }, null, 'text', 0, [1, { a: 'ü' }], undefined];
    const seen = new Map<string, { payload: unknown; idempotencyKey: string }[]>();
    const batch = await engine.run(
      async ({ key, payload }, { idempotencyKey, attempt }) => {
        seen.set(key, [...(seen.get(key) ?? []), { payload, idempotencyKey }]);
        if (attempt < 3) throw new Error('again');
      },
      { items: payloads.map((payload, index) => ({ key: `k${index} 'ä"\\`, payload })), options: { ...FAST_RETRY, retryAttempts: 2 } },
    );
    expect(await engine.ended(batch)).toMatchObject({ status: 'completed', counts: { succeeded: payloads.length } });
    payloads.forEach((payload, index) => {
      const tries = seen.get(`k${index} 'ä"\\`)!;
      expect(tries.map((each) => each.payload)).toEqual([payload, payload, payload]);
      expect(new Set(tries.map((each) => each.idempotencyKey))).toEqual(new Set([`acme:${batch.id}:1:${index}`]));
    });
  });

  test('are not wasted on a permanent error, a refusal of input, or a payload that the handler does not take', async () => {
    const errors = [new PermanentError('never'), new AppError('INVALID_INPUT', 'wrong')];
    const batch = await engine.run(
      async ({ key }) => {
        throw errors[Number(key) - 1]!;
      },
      { items: keys(2), options: { ...FAST_RETRY, retryAttempts: 5 } },
    );
    const checked = await engine.create({
      operation: 'checked',
      items: [
        { key: 'right', payload: { size: 2 } },
        { key: 'wrong', payload: { size: 'big' } },
        { key: 'none' },
        { key: 'list', payload: [1] },
      ],
      options: { ...FAST_RETRY, retryAttempts: 5 },
    });
    await engine.ended(batch);
    expect((await engine.outcomes(batch)).map(({ attempts, error }) => [attempts, error])).toEqual([
      [1, { kind: 'permanent', message: 'never' }],
      [1, { kind: 'permanent', message: 'wrong' }],
    ]);
    expect(await engine.ended(checked)).toMatchObject({ status: 'completed', counts: { succeeded: 1, failed: 3 } });
    const outcomes = await engine.outcomes(checked);
    expect(outcomes[0]).toMatchObject({ status: 'succeeded', output: { size: 2 } });
    for (const { attempts, error } of outcomes.slice(1)) {
      expect(attempts).toBe(1);
      expect(error).toEqual({ kind: 'invalid-payload', message: expect.stringMatching(/size|payload/) });
    }
  });

  test('cost no attempt when the handler says "later"', async () => {
    let calls = 0;
    const batch = await engine.run(
      async ({ attempt }) => {
        calls += 1;
        expect(attempt).toBe(1);
        if (calls <= 6) throw new RetryLaterError('busy', 5);
      },
      { items: ['a'], options: { retryAttempts: 0 } },
    );
    expect(await engine.ended(batch)).toMatchObject({ status: 'completed' });
    expect((await engine.outcomes(batch))[0]).toMatchObject({ attempts: 1 });
    expect(calls).toBe(7);
  });

  test.each([Infinity, Number.NaN, -1, 1e18])(
    'a "later" of %d milliseconds neither stops the batch nor its neighbours',
    async (delayMs) => {
      let calls = 0;
      const batch = await engine.run(
        async ({ key }) => {
          if (key === '2' && (calls += 1) === 1) throw new RetryLaterError('busy', delayMs);
        },
        { items: keys(3), options: { retryAttempts: 0 } },
      );
      if (delayMs > 1_000) {
        // It waits its day out; the others are done, and the batch can be cancelled.
        await eventually(
          () => engine.get(batch.id),
          ({ counts }) => counts.succeeded === 2,
        );
        await engine.call(CancelBatch, { batchId: batch.id });
        expect(calls).toBe(1);
        expect(await engine.ended(batch)).toMatchObject({ status: 'cancelled', counts: { succeeded: 2, cancelled: 1 } });
      } else {
        expect(await engine.ended(batch)).toMatchObject({ status: 'completed', counts: { succeeded: 3 } });
      }
    },
  );
});

describe('a chunk handler', () => {
  test('gets the items of a chunk at once and answers for each', async () => {
    const sizes: number[] = [];
    const batch = await engine.runChunks(
      async (items) => {
        sizes.push(items.length);
        return items.map(({ key }) =>
          Number(key) % 3 === 0 ? { error: new PermanentError(`no ${key}`) } : Number(key) % 3 === 1 ? { output: key } : { skipped: 'two' },
        );
      },
      { items: keys(25), options: { batchSize: 10 } },
    );
    expect((await engine.ended(batch)).counts).toMatchObject({ succeeded: 9, failed: 8, skipped: 8, total: 25 });
    expect(sizes.reduce((sum, size) => sum + size)).toBe(25);
    expect(Math.max(...sizes)).toBe(10);
    expect((await engine.outcomes(batch))[2]).toMatchObject({ key: '3', error: { kind: 'permanent', message: 'no 3' } });
  });

  test('retries only the items that failed', async () => {
    const calls: string[] = [];
    const batch = await engine.runChunks(
      async (items) => {
        calls.push(...items.map(({ key, attempt }) => `${key}:${attempt}`));
        return items.map(({ key, attempt }) => (key === '2' && attempt < 3 ? { error: 'again' } : { output: attempt }));
      },
      { items: keys(3), options: { ...FAST_RETRY, retryAttempts: 2 } },
    );
    expect((await engine.ended(batch)).counts).toMatchObject({ succeeded: 3 });
    expect(calls.sort()).toEqual(['1:1', '2:1', '2:2', '2:3', '3:1']);
    expect((await engine.outcomes(batch)).map(({ attempts }) => attempts)).toEqual([1, 3, 1]);
  });

  test.each<[string, (n: number) => unknown]>([
    ['too few answers', (n) => Array(n - 1).fill({})],
    ['no answers at all', () => []],
    ['nothing', () => undefined],
    ['something that is no list', () => ({ length: 3 })],
    ['numbers in place of answers', (n) => Array(n).fill(5)],
    ['holes in place of answers', (n) => new Array(n)],
  ])('that returns %s fails the items without one and leaves the rest', async (_name, answer) => {
    const batch = await engine.runChunks(async (items) => answer(items.length) as object[], { items: keys(3), options: NO_RETRY });
    const { counts } = await engine.ended(batch);
    expect(counts.succeeded + counts.failed).toBe(3);
    for (const { status, error } of await engine.outcomes(batch)) if (status === 'failed') expect(error!.kind).toBe('invalid-result');
    expect(counts.failed).toBeGreaterThan(0);
  });

  test('that returns too many answers is taken at its first ones', async () => {
    const batch = await engine.runChunks(async (items) => [...items.map(() => ({})), { output: 'more' }], { items: keys(3) });
    expect((await engine.ended(batch)).counts).toMatchObject({ succeeded: 3, total: 3 });
  });
});
