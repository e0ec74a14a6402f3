import { CancelBatch } from '../../src/batches/commands/cancel-batch.command.js';
import { PauseBatch } from '../../src/batches/commands/pause-batch.command.js';
import { ResumeBatch } from '../../src/batches/commands/resume-batch.command.js';
import { claimLane } from '../support/lanes.js';
import { Engine, FAST_RETRY, keys } from '../support/engine.js';
import { eventually, Gate } from '../support/eventually.js';
import { assertInvariants } from '../support/invariants.js';

let engine: Engine;

beforeAll(async () => (engine = await Engine.start()));
afterEach(() => assertInvariants(engine.database));
afterAll(() => engine.close());

const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => (signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true })));

/** Counts how many items are side by side. */
class Crowd {
  now = 0;
  most = 0;

  async in<T>(work: () => Promise<T>): Promise<T> {
    this.most = Math.max(this.most, (this.now += 1));
    try {
      return await work();
    } finally {
      this.now -= 1;
    }
  }
}

describe('every item', () => {
  test('of a batch in many chunks and lanes gets exactly one outcome, in its place', async () => {
    const runs = new Map<string, number>();
    const batch = await engine.run(
      async ({ key, payload }) => {
        runs.set(key, (runs.get(key) ?? 0) + 1);
        return { output: payload.n * 2 };
      },
      { items: keys(5_003).map((key) => ({ key: `k${key}`, payload: { n: Number(key) } })), options: { concurrency: 120, batchSize: 37 } },
    );
    const ended = await engine.ended(batch);
    expect(ended).toMatchObject({
      status: 'completed',
      progress: 100,
      counts: { total: 5_003, succeeded: 5_003, failed: 0, running: 0, pending: 0 },
    });
    const outcomes = await engine.outcomes(batch);
    expect(outcomes.map(({ seq }) => seq)).toEqual(keys(5_003).map((key) => Number(key) - 1));
    expect(outcomes.every(({ seq, key, output }) => key === `k${seq + 1}` && output === (seq + 1) * 2)).toBe(true);
    expect(new Set(runs.values())).toEqual(new Set([1]));
  });

  test('without a key is named by its number', async () => {
    const batch = await engine.run(({ key }) => ({ output: key }), { items: [{}, { payload: 1 }, {}] });
    await engine.ended(batch);
    expect((await engine.outcomes(batch)).map(({ key, output }) => [key, output])).toEqual([
      ['1', '1'],
      ['2', '2'],
      ['3', '3'],
    ]);
  });

  test('of a batch without items is none: it completes at once', async () => {
    const batch = await engine.create({ items: [] });
    expect(await engine.ended(batch)).toMatchObject({ status: 'completed', progress: 100, counts: { total: 0 } });
  });

  test('that fails makes the batch failed only when all do', async () => {
    const all = await engine.run(() => Promise.reject(new Error('no')), { items: keys(20), options: { ...FAST_RETRY, retryAttempts: 0 } });
    const most = await engine.run(({ key }) => (key === '20' ? {} : Promise.reject(new Error('no'))), {
      items: keys(20),
      options: { ...FAST_RETRY, retryAttempts: 0 },
    });
    expect(await engine.ended(all)).toMatchObject({ status: 'failed', reason: 'every item failed', counts: { failed: 20 } });
    expect((await engine.events(all)).at(-1)).toMatchObject({ type: 'batch.failed', data: { status: 'failed', progress: 100 } });
    expect(await engine.ended(most)).toMatchObject({ status: 'completed', reason: null, counts: { failed: 19, succeeded: 1 } });
  });
});

describe('concurrency', () => {
  test.each([
    [1, 20, 500],
    [7, 40, 3],
    [50, 200, 500],
    [100, 100, 500],
    [120, 400, 10],
    [300, 300, 500],
  ])('of %d is reached with %d items in chunks of up to %d, and never exceeded', async (concurrency, count, batchSize) => {
    const crowd = new Crowd();
    const full = new Gate();
    const batch = await engine.run(
      () =>
        crowd.in(async () => {
          if (crowd.now === concurrency) full.open();
          await full.opened;
          await new Promise(setImmediate);
        }),
      { items: keys(count), options: { concurrency, batchSize } },
    );
    await eventually(() => crowd.most === concurrency, Boolean, 8_000).finally(full.open);
    expect((await engine.ended(batch)).counts.succeeded).toBe(count);
    expect(crowd.most).toBe(concurrency);
  });

  test('running items are never shown to be more than it', async () => {
    const hold = new Gate();
    const batch = await engine.run(() => hold.opened, { items: keys(300), options: { concurrency: 60, batchSize: 100 } });
    const { counts } = await eventually(
      () => engine.get(batch.id),
      (view) => view.counts.running === 60,
    );
    expect(counts).toEqual({ total: 300, succeeded: 0, failed: 0, skipped: 0, cancelled: 0, running: 60, pending: 240 });
    hold.open();
    expect((await engine.ended(batch)).counts.succeeded).toBe(300);
  });
});

describe('the time limit', () => {
  test('of an item aborts its signal and counts as a try', async () => {
    const reasons: unknown[] = [];
    const batch = await engine.run(
      async ({ key }, { signal }) => {
        if (key === '2') return {};
        await untilAborted(signal);
        reasons.push(signal.reason);
        throw signal.reason as Error;
      },
      { items: keys(2), options: { ...FAST_RETRY, retryAttempts: 1, timeout: 150 } },
    );
    expect((await engine.ended(batch)).counts).toMatchObject({ succeeded: 1, failed: 1 });
    expect((await engine.outcomes(batch))[0]).toMatchObject({
      attempts: 2,
      error: { kind: 'timeout', message: 'no result within 150 ms' },
    });
    expect(reasons).toHaveLength(2);
    expect(reasons[0]).toMatchObject({ message: 'time limit exceeded' });
  });

  test('of an item holds for one that comes too late with a success', async () => {
    const batch = await engine.run(
      async (_item, { signal }) => {
        await untilAborted(signal);
        return { output: 'too late' };
      },
      { items: ['a'], options: { retryAttempts: 0, timeout: 100 } },
    );
    expect(await engine.ended(batch)).toMatchObject({ status: 'failed' });
    expect((await engine.outcomes(batch))[0]).toMatchObject({ status: 'failed', error: { kind: 'timeout' }, output: null });
  });

  test('of an item takes the slot from a handler that does not listen, and drops what it says later', async () => {
    const late = new Gate();
    const started: string[] = [];
    const batch = await engine.run(
      async ({ key }) => {
        started.push(key);
        if (key !== '1') return {};
        await late.opened;
        return { output: 'much too late' };
      },
      { items: keys(3), options: { concurrency: 1, retryAttempts: 0, timeout: 100 } },
    );
    expect((await engine.ended(batch)).counts).toMatchObject({ succeeded: 2, failed: 1 });
    late.open();
    await new Promise(setImmediate);
    expect(started).toEqual(['1', '2', '3']);
    expect((await engine.outcomes(batch))[0]).toMatchObject({ status: 'failed', error: { kind: 'timeout' }, output: null });
  });

  test('of a chunk of items ends all that are without a result', async () => {
    const batch = await engine.runChunks((_items, { signal }) => untilAborted(signal).then(() => []), {
      items: keys(3),
      options: { retryAttempts: 0, timeout: 100 },
    });
    expect((await engine.ended(batch)).counts).toMatchObject({ failed: 3 });
    expect((await engine.outcomes(batch)).map(({ error }) => error?.kind)).toEqual(['timeout', 'timeout', 'timeout']);
  });

  test('of a batch stops it as timed out, aborts what runs and says why', async () => {
    let aborted = 0;
    const batch = await engine.run(
      async ({ key }, { signal }) => {
        if (key === '1') return {};
        await untilAborted(signal);
        aborted += 1;
        throw new Error('aborted');
      },
      { items: keys(10), options: { concurrency: 3, batchTimeout: 400 } },
    );
    const ended = await engine.ended(batch);
    expect(ended).toMatchObject({ status: 'timed_out', reason: 'Job timeout exceeded', counts: { succeeded: 1, failed: 0, cancelled: 9 } });
    expect(aborted).toBe(3);
    expect(ended.progress).toBe(10);
    expect((await engine.events(batch)).at(-1)).toMatchObject({
      type: 'batch.failed',
      data: { status: 'timed_out', reason: 'Job timeout exceeded' },
    });
  });

  test('of a batch counts while it is paused', async () => {
    const batch = await engine.create({ open: true, start: true, options: { batchTimeout: 700 } });
    expect(await engine.call(PauseBatch, { batchId: batch.id })).toMatchObject({ status: 'paused' });
    expect(await engine.ended(batch)).toMatchObject({ status: 'timed_out', reason: 'Job timeout exceeded' });
  });
});

describe('cancelling', () => {
  test('shows at once, aborts what runs, records what still succeeds, and counts the rest as cancelled', async () => {
    const finish = new Gate();
    let aborted = 0;
    const batch = await engine.run(
      async ({ key }, { signal }) => {
        if (Number(key) <= 5) return {};
        await untilAborted(signal);
        aborted += 1;
        await finish.opened;
        if (Number(key) % 2 === 0) return { output: 'just in time' };
        throw new Error('gave up');
      },
      { items: keys(1_000), options: { concurrency: 4, batchSize: 10, retryAttempts: 5 } },
    );
    await eventually(
      () => engine.get(batch.id),
      ({ counts }) => counts.succeeded === 5 && counts.running === 4,
    );
    const cancelled = await engine.call(CancelBatch, { batchId: batch.id, reason: 'changed my mind' });
    expect(cancelled).toMatchObject({ status: 'cancelled', stopping: true, reason: 'changed my mind', endedAt: null });
    await eventually(() => aborted === 4, Boolean);
    expect((await engine.events(batch)).map(({ type }) => type)).not.toContain('batch.cancelled');
    finish.open();
    const ended = await engine.ended(batch);
    expect(ended).toMatchObject({
      status: 'cancelled',
      stopping: false,
      counts: { total: 1_000, succeeded: 7, failed: 0, cancelled: 993 },
    });
    expect((await engine.outcomes(batch)).filter(({ output }) => output === 'just in time').map(({ key }) => key)).toEqual(['6', '8']);
    const types = (await engine.events(batch)).map(({ type }) => type);
    expect(types.at(-1)).toBe('batch.cancelled');
    expect(types.filter((type) => type === 'batch.cancelled')).toHaveLength(1);
    expect((await engine.items(batch)).filter(({ status }) => status === 'cancelled')).toHaveLength(993);
  });

  test('a batch that waits for retries ends it at once', async () => {
    const batch = await engine.run(() => Promise.reject(new Error('no')), {
      items: keys(3),
      options: { retryDelay: 60_000, retryAttempts: 3 },
    });
    await eventually(
      () => engine.items(batch),
      (items) => items.every(({ status }) => status === 'retrying'),
    );
    expect((await engine.items(batch))[0]).toMatchObject({ attempts: 1, error: { kind: 'retryable', message: 'no' } });
    const cancelled = await engine.call(CancelBatch, { batchId: batch.id });
    expect(cancelled).toMatchObject({ status: 'cancelled', reason: 'cancelled on request', counts: { cancelled: 3, failed: 0 } });
    expect(await engine.ended(batch)).toMatchObject({ status: 'cancelled' });
  });
});

describe('pausing', () => {
  test('lets what runs finish, starts nothing more, and goes on where it was', async () => {
    const started: string[] = [];
    let aborted = 0;
    const batch = await engine.run(
      async ({ key }, { signal }) => {
        started.push(key);
        await new Promise((resolve) => setTimeout(resolve, 10));
        if (signal.aborted) aborted += 1;
      },
      { items: keys(500), options: { concurrency: 5, batchSize: 4 } },
    );
    await eventually(
      () => started.length,
      (length) => length > 20,
    );
    const { id } = batch;
    expect(await engine.call(PauseBatch, { batchId: id })).toMatchObject({ status: 'paused' });
    const paused = await eventually(
      () => engine.get(id),
      ({ counts }) => counts.running === 0,
    );
    expect(paused).toMatchObject({ status: 'paused', counts: { succeeded: started.length, pending: 500 - started.length } });
    expect(started.length).toBeLessThan(500);
    const [run] = await engine.sql<{ run_id: string }>('SELECT run_id FROM batch WHERE id = $1', [id]);
    expect(await claimLane(engine.database.pool, run!.run_id, 1_000)).toBeUndefined();
    expect(await engine.call(ResumeBatch, { batchId: id })).toMatchObject({ status: 'running' });
    expect((await engine.ended(batch)).counts.succeeded).toBe(500);
    expect(started).toHaveLength(500);
    expect(new Set(started).size).toBe(500);
    expect(aborted).toBe(0);
    const types = (await engine.events(batch)).map(({ type }) => type).filter((type) => type !== 'batch.progress');
    expect(types).toEqual(['batch.created', 'batch.started', 'batch.paused', 'batch.resumed', 'batch.completed']);
  });

  test('while the last items run does not keep the batch from its end', async () => {
    const hold = new Gate();
    const batch = await engine.run(() => hold.opened, { items: keys(2) });
    await eventually(
      () => engine.get(batch.id),
      ({ counts }) => counts.running === 2,
    );
    const paused = await engine.call(PauseBatch, { batchId: batch.id, reason: 'a look at it' });
    expect(paused).toMatchObject({ status: 'paused', reason: 'a look at it', counts: { running: 2 } });
    hold.open();
    expect(await engine.ended(batch)).toMatchObject({ status: 'completed', progress: 100, reason: null });
    await expect(engine.call(ResumeBatch, { batchId: batch.id })).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  test('and resuming a hundred times at once loses nothing and runs nothing twice', async () => {
    const runs = new Map<string, number>();
    const batch = await engine.run(
      async ({ key }) => {
        runs.set(key, (runs.get(key) ?? 0) + 1);
        await new Promise(setImmediate);
      },
      { items: keys(2_000), options: { concurrency: 60, batchSize: 20 } },
    );
    const moves = Array.from({ length: 100 }, (_, n) =>
      (n % 2 ? engine.call(ResumeBatch, { batchId: batch.id }) : engine.call(PauseBatch, { batchId: batch.id })).catch((error: unknown) => {
        expect(error).toMatchObject({ code: 'CONFLICT' });
      }),
    );
    await Promise.all(moves);
    await engine.call(ResumeBatch, { batchId: batch.id }).catch(() => undefined);
    expect((await engine.ended(batch)).counts.succeeded).toBe(2_000);
    expect(new Set(runs.values())).toEqual(new Set([1]));
  });
});

describe('progress', () => {
  test('that a handler reports is seen at its item while it runs', async () => {
    const reported = new Gate();
    const slow = await engine.run(
      async ({ key }, context) => {
        context.progress(42.7);
        context.progress(Number.NaN);
        context.progress(500);
        context.progress(-1);
        if (key === '2') await reported.opened;
      },
      { items: keys(3) },
    );
    const items = await eventually(
      () => engine.items(slow),
      (found) => found[1]!.progress === 42 && found[0]!.status === 'succeeded',
    );
    expect(items.map(({ status, progress }) => [status, progress])).toEqual([
      ['succeeded', null],
      ['running', 42],
      ['succeeded', null],
    ]);
    reported.open();
    await engine.ended(slow);
    expect((await engine.items(slow))[1]).toMatchObject({ status: 'succeeded', progress: null, attempts: 1 });
  });

  test('that a handler reports is seen also while every slot of its lane is busy', async () => {
    const first = new Gate();
    const second = new Gate();
    const batch = await engine.run(
      async (_item, context) => {
        context.progress(10);
        await first.opened;
        context.progress(60);
        await second.opened;
      },
      { items: keys(1), options: { concurrency: 1 } },
    );
    const progressIs = (percent: number) =>
      eventually(
        () => engine.items(batch),
        ([item]) => item!.progress === percent,
      );
    await progressIs(10);
    first.open();
    await progressIs(60);
    second.open();
    await engine.ended(batch);
  });

  test('is told also when a lane finds nothing more to do while an item waits for its next try', async () => {
    const batch = await engine.run(
      ({ key }) => {
        if (key === '2') throw new Error('busy');
      },
      { items: keys(2), options: { retryAttempts: 1, retryDelay: 3_600_000 } },
    );
    const told = await eventually(
      async () => (await engine.events(batch)).filter(({ type }) => type === 'batch.progress'),
      (events) => events.length > 0,
    );
    expect(told).toMatchObject([{ data: { counts: { succeeded: 1, pending: 1 } } }]);
    await engine.call(CancelBatch, { batchId: batch.id });
  });

  test('is told by events that rise to 100 only at the end', async () => {
    const batch = await engine.run(() => new Promise((resolve) => setTimeout(resolve, 20)), {
      items: keys(400),
      options: { concurrency: 8, batchSize: 10 },
    });
    await engine.ended(batch);
    const events = await engine.events(batch);
    const progress = events.map(({ data }) => data.progress);
    expect(events.filter(({ type }) => type === 'batch.progress').length).toBeGreaterThanOrEqual(1);
    expect(progress).toEqual([...progress].sort((a, b) => a - b));
    expect(progress.filter((percent) => percent === 100)).toHaveLength(1);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  });
});

test('urgent batches are heard before others', async () => {
  const busy = await Engine.start({ WORKER_LANES: '1' });
  try {
    const hold = new Gate();
    const order: string[] = [];
    const first = await busy.run(() => hold.opened, { items: ['a'] });
    await eventually(
      () => busy.get(first.id),
      ({ counts }) => counts.running === 1,
    );
    const batches = [];
    for (const priority of ['low', 'normal', 'critical', 'high'] as const) {
      batches.push(await busy.run(() => void order.push(priority), { items: ['a'], options: { priority } }));
    }
    hold.open();
    for (const batch of batches) await busy.ended(batch);
    expect(order).toEqual(['critical', 'high', 'normal', 'low']);
    await assertInvariants(busy.database);
  } finally {
    await busy.close();
  }
});
