import type { BatchOptionsInput } from '../../src/batches/batch.options.js';
import type { BatchView } from '../../src/batches/batch.view.js';
import { AddItems } from '../../src/batches/commands/add-items.command.js';
import { CancelBatch } from '../../src/batches/commands/cancel-batch.command.js';
import { PauseBatch } from '../../src/batches/commands/pause-batch.command.js';
import { RecordExternalResult } from '../../src/batches/commands/record-external-result.command.js';
import { ResumeBatch } from '../../src/batches/commands/resume-batch.command.js';
import { SealBatch } from '../../src/batches/commands/seal-batch.command.js';
import { StartBatch } from '../../src/batches/commands/start-batch.command.js';
import { UpdateBatch } from '../../src/batches/commands/update-batch.command.js';
import { itemsFromArray } from '../../src/batches/item-source.js';
import { ListAudit } from '../../src/batches/queries/list-audit.query.js';
import { PermanentError } from '../../src/operations/item-handler.js';
import { Engine, FAST_RETRY, keys } from '../support/engine.js';
import { eventually, Gate } from '../support/eventually.js';
import { assertInvariants } from '../support/invariants.js';

let engine: Engine;

beforeAll(async () => (engine = await Engine.start()));
afterEach(() => assertInvariants(engine.database));
afterAll(() => engine.close());

/** Paused, and nothing of it in flight any more. */
const paused = ({ id }: BatchView) =>
  eventually(
    () => engine.get(id),
    ({ status, counts }) => status === 'paused' && counts.running === 0,
  );

/** Fails the items whose number is among the wrong ones. They take a moment, so that a rule stops the batch before it is through. */
const run = (wrong: (n: number) => boolean, total: number, options: BatchOptionsInput) =>
  engine.run(
    async ({ key }) => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      if (wrong(Number(key))) throw new PermanentError('wrong');
    },
    { items: keys(total), options: { ...FAST_RETRY, batchSize: 10, concurrency: 5, ...options } },
  );

const audit = async ({ id }: BatchView) => (await engine.call(ListAudit, { batchId: id })).rows;

describe('a failure threshold', () => {
  test('pauses the batch at its count of failed items; what is left waits, and goes on when somebody resumes it', async () => {
    const batch = await run((n) => n <= 600, 700, { failureThreshold: { count: 3 } });
    const stopped = await paused(batch);
    expect(stopped.counts.failed).toBeGreaterThanOrEqual(3);
    expect(stopped.counts.pending).toBeGreaterThan(0);
    expect(stopped.reason).toMatch(/^failure threshold: \d+ of \d+ finished items failed \(100 %\); 3 failed items is the limit$/);
    expect((await audit(batch))[0]).toMatchObject({ by: 'service', action: 'pause', details: { reason: stopped.reason } });
    expect((await engine.events(batch)).at(-1)).toMatchObject({ type: 'batch.paused', data: { reason: stopped.reason } });
    // Forgiven: it stops again only for three more.
    expect(await engine.call(ResumeBatch, { batchId: batch.id })).toMatchObject({ status: 'running', reason: null });
    const again = await paused(batch);
    expect(again.counts.failed).toBeGreaterThanOrEqual(stopped.counts.failed + 3);
    await engine.call(UpdateBatch, { batchId: batch.id, options: { failureThreshold: null } });
    await engine.call(ResumeBatch, { batchId: batch.id });
    expect(await engine.ended(batch)).toMatchObject({ status: 'completed', counts: { failed: 600, succeeded: 100 } });
  });

  test('fails the batch for good when it says so, and what was done stays', async () => {
    const batch = await run((n) => n > 20, 1_000, { failureThreshold: { count: 5, action: 'fail' } });
    const ended = await engine.ended(batch);
    expect(ended).toMatchObject({ status: 'failed', reason: expect.stringMatching(/^failure threshold: .* 5 failed items is the limit$/) });
    expect(ended.counts.succeeded).toBeGreaterThan(0);
    expect(ended.counts.cancelled).toBeGreaterThan(0);
    expect((await engine.events(batch)).at(-1)).toMatchObject({ type: 'batch.failed', data: { reason: ended.reason } });
  });

  test('of a percentage is looked at also when it is a success that makes the sample large enough', async () => {
    const batch = await run((n) => n <= 10, 400, { concurrency: 1, failureThreshold: { percent: 40, minItems: 20 } });
    const stopped = await paused(batch);
    expect(stopped.counts).toMatchObject({ failed: 10 });
    expect(stopped.reason).toMatch(/^failure threshold: 10 of \d+ finished items failed .* 40 % is the limit$/);
    await engine.call(CancelBatch, { batchId: batch.id });
  });

  test('that is set while the batch runs counts what has failed already, and pauses it at once', async () => {
    const gate = new Gate();
    const script = async ({ key }: { key: string }) => {
      if (Number(key) <= 3) throw new PermanentError('wrong');
      await gate.opened;
    };
    const { id } = await engine.run(script, { items: keys(20), options: { concurrency: 5 } });
    await eventually(
      () => engine.get(id),
      ({ counts }) => counts.failed === 3,
    );
    const changed = await engine.call(UpdateBatch, { batchId: id, options: { failureThreshold: { count: 3 } } });
    expect(changed).toMatchObject({ status: 'paused', reason: expect.stringContaining('3 failed items is the limit') });
    expect((await engine.events({ id })).at(-1)).toMatchObject({ type: 'batch.paused' });
    await engine.call(CancelBatch, { batchId: id }).finally(gate.open);
  });

  test('of a percentage looks only at a sample that is large enough', async () => {
    const few = await run((n) => n === 1, 10, { failureThreshold: { percent: 5, minItems: 11 } });
    expect(await engine.ended(few)).toMatchObject({ status: 'completed', counts: { failed: 1 } });
    const enough = await run((n) => n % 2 === 0, 1_000, { failureThreshold: { percent: 50, minItems: 20 } });
    const stopped = await paused(enough);
    expect(stopped.counts.succeeded + stopped.counts.failed).toBeGreaterThanOrEqual(20);
    expect(stopped.reason).toContain('50 % is the limit');
    await engine.call(CancelBatch, { batchId: enough.id });
    const below = await run((n) => n % 4 === 0, 100, { failureThreshold: { percent: 50, minItems: 4 } });
    expect(await engine.ended(below)).toMatchObject({ status: 'completed', counts: { failed: 25 } });
  });

  test('that only the last item passes fails the batch, and pauses nothing when there is nothing left', async () => {
    const failing = await run((n) => n === 10, 10, { concurrency: 1, failureThreshold: { count: 1, action: 'fail' } });
    expect(await engine.ended(failing)).toMatchObject({ status: 'failed', counts: { succeeded: 9, failed: 1 } });
    const pausing = await run((n) => n === 10, 10, { concurrency: 1, failureThreshold: { count: 1 } });
    expect(await engine.ended(pausing)).toMatchObject({ status: 'completed', counts: { succeeded: 9, failed: 1 } });
  });

  test('does not count a failure that a retry makes good', async () => {
    const batch = await engine.run(
      ({ attempt }) => {
        if (attempt === 1) throw new Error('not yet');
      },
      { items: keys(30), options: { ...FAST_RETRY, failureThreshold: { count: 1, action: 'fail' } } },
    );
    expect(await engine.ended(batch)).toMatchObject({ status: 'completed', counts: { succeeded: 30 } });
  });

  test('holds for results from outside', async () => {
    const batch = await engine.create({ operation: 'export', external: true, totalItems: 5, options: { failureThreshold: { count: 2 } } });
    const record = (key: string, success: boolean) => engine.call(RecordExternalResult, { batchId: batch.id, key, success, error: 'no' });
    await record('a', false);
    expect(await record('b', false)).toMatchObject({ status: 'paused', counts: { failed: 2 } });
    for (const key of ['c', 'd']) expect(await record(key, true)).toMatchObject({ status: 'paused' });
    expect(await record('e', true)).toMatchObject({
      status: 'completed',
      progress: 100,
      reason: null,
      counts: { succeeded: 3, failed: 2 },
    });
  });
});

describe('a canary', () => {
  test('of so many items runs them alone, and lets the others go on when they went well', async () => {
    const started: number[] = [];
    const done: number[] = [];
    const batch = await engine.run(
      async ({ key }) => {
        // Whoever starts behind the gate finds all before it done.
        if (Number(key) > 7) expect(done.filter((n) => n <= 7)).toHaveLength(7);
        started.push(Number(key));
        await new Promise((resolve) => setImmediate(resolve));
        done.push(Number(key));
      },
      { items: keys(100), options: { batchSize: 5, concurrency: 20, canary: { items: 7 } } },
    );
    expect(await engine.ended(batch)).toMatchObject({ status: 'completed', counts: { succeeded: 100 } });
    expect([...new Set(started)]).toHaveLength(100);
    expect(started.slice(0, 7).sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect((await audit(batch)).map(({ action }) => action)).toEqual(['pass canary']);
  });

  test('of a percentage rounds up, waits for retries, and pauses when more failed than may', async () => {
    const batch = await engine.run(
      ({ key, attempt }) => {
        if (key === '1' && attempt < 3) throw new Error('not yet');
        if (key === '2') throw new PermanentError('never');
      },
      { items: keys(95), options: { ...FAST_RETRY, concurrency: 3, canary: { percent: 10, maxFailedPercent: 9 } } },
    );
    expect(await paused(batch)).toMatchObject({
      counts: { succeeded: 9, failed: 1, pending: 85 },
      reason: 'canary: 1 of the first 10 items failed (10 %), 9 % may; resume the batch to go on with the others',
    });
    await engine.call(ResumeBatch, { batchId: batch.id });
    expect(await engine.ended(batch)).toMatchObject({ status: 'completed', counts: { succeeded: 94, failed: 1 } });
  });

  test('may allow some to fail', async () => {
    const batch = await run((n) => n === 2, 40, { canary: { items: 10, maxFailedPercent: 10 } });
    expect(await engine.ended(batch)).toMatchObject({ status: 'completed', counts: { succeeded: 39, failed: 1 } });
  });

  test('waits for a confirmation when it shall, also when all went well', async () => {
    const batch = await run(() => false, 40, { canary: { items: 10, then: 'confirm' } });
    expect(await paused(batch)).toMatchObject({
      counts: { succeeded: 10, pending: 30 },
      reason: expect.stringMatching(/^canary: 0 of the first 10/),
    });
    await engine.call(ResumeBatch, { batchId: batch.id });
    expect(await engine.ended(batch)).toMatchObject({ status: 'completed', counts: { succeeded: 40 } });
  });

  test('that somebody pauses and resumes is still a canary', async () => {
    const seen = new Set<string>();
    const resumed = new Gate();
    const batch = await engine.run(
      async ({ key }) => {
        seen.add(key);
        await resumed.opened;
      },
      { items: keys(50), options: { concurrency: 2, canary: { items: 4, then: 'confirm' } } },
    );
    await eventually(
      () => seen.size,
      (size) => size === 2,
    );
    await engine.call(PauseBatch, { batchId: batch.id, reason: 'a look at it' });
    expect(await engine.get(batch.id)).toMatchObject({ status: 'paused', reason: 'a look at it' });
    await engine.call(ResumeBatch, { batchId: batch.id });
    resumed.open();
    const confirmed = await eventually(
      () => engine.get(batch.id),
      ({ status, reason }) => status === 'paused' && reason !== 'a look at it',
    );
    expect(confirmed.reason).toMatch(/^canary/);
    expect([...seen].sort()).toEqual(['1', '2', '3', '4']);
    await engine.call(CancelBatch, { batchId: batch.id });
    await engine.ended(batch);
  });

  test('larger than the batch is the whole of it', async () => {
    const batch = await run((n) => n === 1, 5, { canary: { items: 10 } });
    expect(await engine.ended(batch)).toMatchObject({ status: 'completed', counts: { succeeded: 4, failed: 1 } });
  });

  test.each([
    ['just as large as the batch is the whole of it, whatever failed', 4, { items: 4 }, { succeeded: 3, failed: 1 }],
    ['needs no confirmation when nothing comes after it', 4, { items: 4, then: 'confirm' as const }, { succeeded: 3, failed: 1 }],
    ['of nothing is nothing', 0, { percent: 10 }, { total: 0 }],
  ])('%s', async (_, total, canary, counts) => {
    const batch = await run((n) => n === 1, total, { canary });
    expect(await engine.ended(batch)).toMatchObject({ status: 'completed', counts });
  });

  test('of an open batch is a number; a percentage is refused as long as nobody knows of what', async () => {
    const refused = { code: 'UNPROCESSABLE', details: { errors: [{ path: 'options.canary.percent' }] } };
    await expect(engine.create({ open: true, start: true, options: { canary: { percent: 5 } } })).rejects.toMatchObject(refused);
    const batch = await engine.run(() => undefined, { open: true, options: { canary: { percent: 50 } } });
    await engine.call(AddItems, { batchId: batch.id, source: itemsFromArray(keys(8)) });
    await expect(engine.call(StartBatch, { batchId: batch.id, open: true })).rejects.toMatchObject(refused);
    await engine.call(UpdateBatch, { batchId: batch.id, options: { canary: { items: 3, then: 'confirm' } } });
    await engine.call(StartBatch, { batchId: batch.id, open: true });
    expect(await paused(batch)).toMatchObject({ counts: { succeeded: 3, pending: 5 } });
    await engine.call(ResumeBatch, { batchId: batch.id });
    await engine.call(SealBatch, { batchId: batch.id });
    expect(await engine.ended(batch)).toMatchObject({ counts: { succeeded: 8 } });
  });
});

describe('a ramp', () => {
  test('begins with few items side by side and ends with all', async () => {
    const sizes: number[] = [];
    let now = 0;
    const batch = await engine.run(
      async () => {
        sizes.push((now += 1));
        await new Promise((resolve) => setTimeout(resolve, 20));
        now -= 1;
      },
      { items: keys(400), options: { batchSize: 10, concurrency: 60, rampUp: { from: 2, overMs: 2_000 } } },
    );
    expect(await engine.ended(batch)).toMatchObject({ status: 'completed', counts: { succeeded: 400 } });
    expect(sizes.slice(0, 2)).toEqual([1, 2]);
    expect(sizes[2]).toBeLessThan(10);
    expect(Math.max(...sizes)).toBeGreaterThan(5);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(60);
  });

  test('shows only those items as running that it has let start, and not all that its lanes hold', async () => {
    const gate = new Gate();
    let started = 0;
    const batch = await engine.run(
      async () => {
        started += 1;
        await gate.opened;
      },
      { items: keys(40), options: { batchSize: 10, concurrency: 60, rampUp: { from: 2, overMs: 3_600_000 } } },
    );
    await eventually(
      () => Promise.resolve(started),
      (count) => count === 2,
    );
    expect(await engine.get(batch.id)).toMatchObject({ counts: { running: 2, pending: 38 } });
    await engine.call(CancelBatch, { batchId: batch.id });
    gate.open();
    await engine.ended(batch);
  });
});

test.each<[string, BatchOptionsInput]>([
  ['options.failureThreshold', { failureThreshold: { action: 'fail' } }],
  ['options.canary', { canary: {} }],
  ['options.canary', { canary: { items: 1, percent: 1 } }],
])('%s that says nothing, or two things, is refused', async (path, options) => {
  await expect(engine.create({ items: ['a'], options })).rejects.toMatchObject({ code: 'UNPROCESSABLE', details: { errors: [{ path }] } });
});

test.each<[string, BatchOptionsInput]>([
  ['options.failureThreshold.count', { failureThreshold: { count: 0 } }],
  ['options.failureThreshold.percent', { failureThreshold: { percent: 101 } }],
  ['options.canary.items', { canary: { items: 0 } }],
  ['options.canary.maxFailedPercent', { canary: { items: 1, maxFailedPercent: -1 } }],
  ['options.rampUp.overMs', { rampUp: {} as never }],
])('a wrong %s is refused', async (path, options) => {
  await expect(engine.create({ items: ['a'], options })).rejects.toMatchObject({ code: 'INVALID_INPUT', details: { errors: [{ path }] } });
});

test.each<[string, BatchOptionsInput]>([
  ['options.canary', { canary: { items: 1 } }],
  ['options.rampUp', { rampUp: { overMs: 5 } }],
  ['options.rollbackOnFailure', { rollbackOnFailure: true }],
  ['options.backupStrategy', { backupStrategy: 'auto' }],
  ['options.conflictResolution', { conflictResolution: 'skip' }],
])('%s is refused for results from outside', async (path, options) => {
  const input = { operation: 'export', external: true, totalItems: 2, options };
  await expect(engine.create(input)).rejects.toMatchObject({ code: 'UNPROCESSABLE', details: { errors: [{ path }] } });
});
