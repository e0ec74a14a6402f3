import { AddItems } from '../../src/batches/commands/add-items.command.js';
import { RecordExternalResult } from '../../src/batches/commands/record-external-result.command.js';
import { SealBatch } from '../../src/batches/commands/seal-batch.command.js';
import { StartBatch } from '../../src/batches/commands/start-batch.command.js';
import { CancelBatch } from '../../src/batches/commands/cancel-batch.command.js';
import { PauseBatch } from '../../src/batches/commands/pause-batch.command.js';
import { ResumeBatch } from '../../src/batches/commands/resume-batch.command.js';
import { UpdateBatch } from '../../src/batches/commands/update-batch.command.js';
import { itemsFromArray } from '../../src/batches/item-source.js';
import { ListAudit } from '../../src/batches/queries/list-audit.query.js';
import type { InputOf } from '../../src/common/procedure.js';
import { Engine, type ItemScript, keys } from '../support/engine.js';
import { eventually, Gate } from '../support/eventually.js';
import { assertInvariants } from '../support/invariants.js';

let engine: Engine;

beforeAll(async () => (engine = await Engine.start()));
afterEach(() => assertInvariants(engine.database));
afterAll(() => engine.close());

const update = (batchId: string, changes: Omit<InputOf<UpdateBatch>, 'batchId'>) => engine.call(UpdateBatch, { batchId, ...changes });
const lanesOf = (id: string) =>
  engine.sql<{ no: number; width: number }>(
    'SELECT l.no, l.width FROM lane l JOIN batch b ON b.run_id = l.run_id WHERE b.id = $1 ORDER BY l.no',
    [id],
  );

test('a batch is named, renamed and made nameless at any time', async () => {
  const hold = new Gate();
  const { id } = await engine.run(() => hold.opened, { items: ['a'], name: 'old', description: 'text', start: false });
  expect(await update(id, { name: 'new' })).toMatchObject({ name: 'new', description: 'text', status: 'pending' });
  await engine.call(StartBatch, { batchId: id });
  expect(await update(id, { description: 'while it runs' })).toMatchObject({
    name: 'new',
    description: 'while it runs',
    status: 'running',
  });
  hold.open();
  await engine.ended({ id });
  expect(await update(id, { name: null })).toMatchObject({ name: null, description: 'while it runs', status: 'completed' });
  expect(await update(id, { name: 'again', description: null })).toMatchObject({ name: 'again', description: null });
  expect(await update(id, {})).toEqual(await engine.get(id));
});

test('settings change one by one while it is pending; the others stay', async () => {
  const batch = await engine.create({ items: ['a'], start: false, options: { retryAttempts: 5, timeout: 1_234 } });
  const updated = await update(batch.id, { options: { timeout: 99, retryBackoff: 'linear' } });
  expect(updated.options).toEqual({ ...batch.options, timeout: 99, retryBackoff: 'linear' });
  expect(await engine.get(batch.id)).toEqual(updated);
});

test.each([
  [120, 7],
  [7, 120],
  [60, 120],
])('another concurrency makes the lanes anew, from %d to %d, and the batch is worked in them', async (before, after) => {
  let now = 0;
  let most = 0;
  const all = new Gate();
  const { id } = await engine.run(
    async () => {
      most = Math.max(most, (now += 1));
      if (now === after) all.open();
      await all.opened;
    },
    { items: keys(200), start: false, options: { concurrency: before, batchSize: 5 } },
  );
  await update(id, { options: { concurrency: after } });
  const lanes = (await lanesOf(id)).filter(({ width }) => width > 0);
  expect(lanes.map(({ no }) => no)).toEqual(lanes.map((_, index) => index));
  expect(lanes.reduce((sum, { width }) => sum + width, 0)).toBe(after);
  await engine.call(StartBatch, { batchId: id });
  expect(await engine.ended({ id })).toMatchObject({ status: 'completed', counts: { succeeded: 200 } });
  expect(most).toBeGreaterThanOrEqual(after);
});

test('another priority is its run’s rank', async () => {
  const { id } = await engine.create({ items: ['a'], start: false });
  const rank = async () => (await engine.sql('SELECT r.rank FROM run r JOIN batch b ON b.run_id = r.id WHERE b.id = $1', [id]))[0];
  expect(await rank()).toEqual({ rank: 3 });
  expect(await update(id, { options: { priority: 'critical' } })).toMatchObject({ options: { priority: 'critical' } });
  expect(await rank()).toEqual({ rank: 1 });
});

test('the size of chunks changes only before there are items', async () => {
  const { id } = await engine.create({ open: true, start: false, options: { batchSize: 10 } });
  expect(await update(id, { options: { batchSize: 2 } })).toMatchObject({ options: { batchSize: 2 } });
  await engine.call(AddItems, { batchId: id, source: itemsFromArray(keys(6)) });
  expect(await engine.sql('SELECT c.size FROM chunk c JOIN batch b ON b.run_id = c.run_id WHERE b.id = $1', [id])).toEqual(
    Array(3).fill({ size: 2 }),
  );
  await expect(update(id, { name: 'x', options: { batchSize: 3 } })).rejects.toMatchObject({ code: 'CONFLICT' });
  expect(await update(id, { options: { batchSize: 2, timeout: 5 } })).toMatchObject({ name: null, options: { timeout: 5 } });
});

test('items that are handed to workers one by one stay so, and who wants it otherwise is told', async () => {
  const input = { operation: 'scripted-slot', parameters: { script: 'none' }, open: true, start: false };
  const { id, options } = await engine.create(input);
  expect(options).toMatchObject({ batchSize: 1, laneWidth: 1 });
  await expect(update(id, { options: { batchSize: 50, timeout: 7 } })).rejects.toMatchObject({
    code: 'UNPROCESSABLE',
    details: { errors: [{ path: 'options.batchSize' }] },
  });
  expect((await engine.get(id)).options).toEqual(options);
  expect(await update(id, { options: { batchSize: 1, timeout: 7 } })).toMatchObject({
    options: { batchSize: 1, laneWidth: 1, timeout: 7 },
  });
});

test('a rate limit is refused for a batch whose results come from outside, as at creation', async () => {
  const batch = await engine.create({ operation: 'export', external: true, totalItems: 2 });
  await expect(update(batch.id, { name: 'x', options: { rateLimitPerMinute: 5 } })).rejects.toMatchObject({
    code: 'UNPROCESSABLE',
    details: { errors: [{ path: 'options.rateLimitPerMinute' }] },
  });
  expect(await engine.get(batch.id)).toEqual(batch);
  expect(await update(batch.id, { options: { priority: 'high', concurrency: 99 } })).toMatchObject({ options: { priority: 'high' } });
  const record = (key: string) => engine.call(RecordExternalResult, { batchId: batch.id, key, success: true });
  await record('a');
  expect(await record('b')).toMatchObject({ status: 'completed', counts: { succeeded: 2 } });
});

describe('while it runs', () => {
  /** Items that wait until they are let go one by one, or the batch is cancelled; how many of them run now. */
  function waitingItems() {
    const waiting: (() => void)[] = [];
    const script: ItemScript = (_item, { signal }) =>
      new Promise<void>((resolve) => {
        waiting.push(resolve);
        signal.addEventListener('abort', () => resolve());
      });
    const running = (wanted: number) =>
      eventually(
        () => waiting.length,
        (now) => now === wanted,
      );
    const letGo = (count: number) => waiting.splice(0, count).forEach((resolve) => resolve());
    return { script, running, letGo };
  }

  test('a greater concurrency takes up more items at once, also in more lanes; a smaller one when those in flight are done', async () => {
    const { script, running, letGo } = waitingItems();
    const { id } = await engine.run(script, { items: keys(400), options: { concurrency: 3, batchSize: 10 } });
    await running(3);
    await update(id, { options: { concurrency: 130 } });
    await running(130);
    await update(id, { options: { concurrency: 4 } });
    expect((await lanesOf(id)).map(({ width }) => width)).toEqual([4, 0, 0]);
    await engineHasTold(id);
    letGo(130);
    await heldLanes(id, 1);
    await running(4);
    letGo(4);
    await running(4);
    await update(id, { options: { concurrency: 150 } });
    await running(150);
    await engine.call(CancelBatch, { batchId: id });
    expect(await engine.ended({ id })).toMatchObject({ status: 'cancelled', counts: { succeeded: 284, cancelled: 116 } });
  });

  test('a rate limit is put on, raised and taken off', async () => {
    const done: number[] = [];
    const slow = async () => {
      await new Promise((resolve) => setTimeout(resolve, 10));
      done.push(performance.now());
    };
    const { id } = await engine.run(slow, { items: keys(3_000), options: { concurrency: 5, batchSize: 50 } });
    await eventually(
      () => done.length,
      (count) => count > 20,
    );
    await update(id, { options: { rateLimitPerMinute: 10 } });
    // Ten are in the bucket; what was taken up before still starts.
    const count = async () => {
      const { counts } = await engine.get(id);
      return counts.running === 0 ? counts.succeeded : -1;
    };
    const held = await eventually(count, (succeeded) => succeeded >= 0);
    expect(held).toBeLessThan(3_000);
    await update(id, { options: { rateLimitPerMinute: 1_000_000 } });
    await eventually(
      () => done.length,
      (now) => now >= held + 50,
    );
    await update(id, { options: { rateLimitPerMinute: null } });
    expect(await engine.ended({ id }, 60_000)).toMatchObject({ counts: { succeeded: 3_000 }, options: { rateLimitPerMinute: null } });
  });

  test('an item that fails after the change is tried as often as it says now', async () => {
    let tries = 0;
    const changed = new Gate();
    const { id } = await engine.run(
      async ({ key }) => {
        tries += 1;
        if (key === '1') await changed.opened;
        throw new Error('again');
      },
      { items: keys(2), options: { concurrency: 1, retryAttempts: 0 } },
    );
    await eventually(
      () => tries,
      (count) => count === 1,
    );
    await update(id, { options: { retryAttempts: 2, retryDelay: 0, retryJitter: false } });
    await engineHasTold(id);
    changed.open();
    expect(await engine.ended({ id })).toMatchObject({ status: 'failed' });
    expect((await engine.outcomes({ id })).map(({ attempts }) => attempts)).toEqual([3, 3]);
  });

  test('an item that begins after the change has the new time limit; the batch’s own is looked at from its start', async () => {
    const changed = new Gate();
    const hangs = ({ key }: { key: string }) => (key === '1' ? changed.opened : new Promise<void>(() => undefined));
    const one = await engine.run(hangs, { items: keys(2), options: { concurrency: 1, retryTimeouts: false } });
    await eventually(
      () => engine.get(one.id),
      ({ counts }) => counts.running === 1,
    );
    await update(one.id, { options: { timeout: 50 } });
    await engineHasTold(one.id);
    changed.open();
    expect(await engine.ended(one)).toMatchObject({ status: 'completed', counts: { succeeded: 1, failed: 1 } });

    const stopped = (_: unknown, { signal }: { signal: AbortSignal }) =>
      new Promise<void>((_, reject) => void signal.addEventListener('abort', () => reject(new Error('stopped'))));
    const other = await engine.run(stopped, { items: keys(2), options: { concurrency: 1, batchTimeout: 3_600_000 } });
    await update(other.id, { options: { batchTimeout: 1 } });
    expect(await engine.ended(other)).toMatchObject({ status: 'timed_out' });
  });

  test('another priority is that of its bells and of its run', async () => {
    const hold = new Gate();
    const { id } = await engine.run(() => hold.opened, { items: keys(2), options: { priority: 'low' } });
    await update(id, { options: { priority: 'critical' } });
    expect(await engine.sql('SELECT r.rank FROM run r JOIN batch b ON b.run_id = r.id WHERE b.id = $1', [id])).toEqual([{ rank: 1 }]);
    hold.open();
    await engine.ended({ id });
  });

  test('settings that are given as they are change nothing, also those that have parts', async () => {
    const options = { canary: { items: 2 }, failureThreshold: { count: 5 }, rateLimitPool: { name: 'p', perMinute: 600 } };
    const gate = new Gate();
    const { id } = await engine.run(() => gate.opened, { items: keys(5), options });
    await update(id, { options });
    expect((await engine.call(ListAudit, { batchId: id })).rows.map(({ action }) => action)).toEqual([]);
    gate.open();
    await engine.ended({ id });
  });

  test('a seal is kept in the audit with its caller, and the end of its time with the service', async () => {
    const gate = new Gate();
    const { id } = await engine.run(() => gate.opened, { items: keys(2), open: true, start: true });
    await engine.call(SealBatch, { batchId: id }, { tenant: 'acme', subject: 'ann' });
    await update(id, { options: { batchTimeout: 1 } });
    await eventually(
      () => engine.get(id),
      ({ stopping }) => stopping,
    );
    gate.open();
    expect(await engine.ended({ id })).toMatchObject({ status: 'timed_out' });
    expect((await engine.call(ListAudit, { batchId: id })).rows.map(({ by, action }) => [by, action])).toEqual([
      ['service', 'time out'],
      [null, 'update'],
      ['ann', 'seal'],
    ]);
  });

  test.each<[string, object]>([
    ['batchSize', { batchSize: 7 }],
    ['canary', { canary: { items: 1 } }],
    ['conflictResolution', { conflictResolution: 'skip' }],
    ['backupStrategy', { backupStrategy: 'auto' }],
    ['rollbackOnFailure', { rollbackOnFailure: true }],
  ])('%s, with which the run began, is refused, and all that was asked for with it', async (name, options) => {
    const hold = new Gate();
    const running = await engine.run(() => hold.opened, { items: ['a'], name: 'before' });
    await expect(update(running.id, { name: 'after', options: { ...options, timeout: 5 } })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: `${name}: batch ${running.id} is running; this setting can change only while the batch is pending`,
    });
    expect(await engine.get(running.id)).toMatchObject({ name: 'before', options: running.options });
    hold.open();
    await engine.ended(running);
  });

  test('a paused batch goes on with what was changed meanwhile', async () => {
    const { script, running, letGo } = waitingItems();
    const { id } = await engine.run(script, { items: keys(20), options: { concurrency: 2 } });
    await running(2);
    await engine.call(PauseBatch, { batchId: id });
    await update(id, { options: { concurrency: 6 } });
    letGo(2);
    await engine.call(ResumeBatch, { batchId: id });
    await running(6);
    await engine.call(CancelBatch, { batchId: id });
    await engine.ended({ id });
  });

  test('a batch that is resumed goes on beside the items that were in flight when it was paused', async () => {
    const { script, running, letGo } = waitingItems();
    const { id } = await engine.run(script, { items: keys(20), options: { concurrency: 4 } });
    await running(4);
    await engine.call(PauseBatch, { batchId: id });
    await engineHasTold(id);
    letGo(1);
    await eventually(
      () => engine.get(id),
      ({ counts }) => counts.succeeded === 1,
    );
    await running(3);
    await engine.call(ResumeBatch, { batchId: id });
    await running(4);
    await engine.call(CancelBatch, { batchId: id });
    await engine.ended({ id });
  });

  const leases = (id: string) =>
    engine.sql<{ lease_until: Date }>(
      `SELECT l.lease_until FROM lane l JOIN batch b ON b.run_id = l.run_id WHERE b.id = $1 AND l.lease_until > now() ORDER BY l.no`,
      [id],
    );

  const heldLanes = (id: string, count: number) =>
    eventually(
      () => leases(id),
      (lanes) => lanes.length === count,
    );

  /** Every held lane of the run has seen its newest settings: of so many renewals one at least is a heartbeat that was sent after the change. */
  async function engineHasTold(id: string): Promise<void> {
    for (let beat = 0; beat < 4; beat += 1) {
      const before = await leases(id);
      await eventually(
        () => leases(id),
        (now) => now.every(({ lease_until: until }, lane) => until > before[lane]!.lease_until),
      );
    }
  }
});

test('settings of a batch that has ended are refused', async () => {
  const batch = await engine.create({ items: ['a'] });
  await engine.ended(batch);
  await expect(update(batch.id, { options: { timeout: 5 } })).rejects.toMatchObject({ code: 'CONFLICT' });
  expect((await engine.get(batch.id)).options).toEqual(batch.options);
});

test('what was changed, by whom, from what to what, is kept and shown newest first; asking for what is there changes nothing', async () => {
  const batch = await engine.create({ items: ['a'], name: 'old', start: false });
  const ann = { tenant: 'acme', subject: 'ann' };
  await engine.call(UpdateBatch, { batchId: batch.id, name: 'new', options: { concurrency: 20, timeout: batch.options.timeout } }, ann);
  await engine.call(UpdateBatch, { batchId: batch.id, name: 'new', options: { concurrency: 20 } }, ann);
  await engine.call(StartBatch, { batchId: batch.id }, { tenant: 'acme', subject: 'ben' });
  const { rows, total } = await engine.call(ListAudit, { batchId: batch.id });
  expect(rows).toEqual([
    { at: expect.any(String), by: 'ben', action: 'start', details: {} },
    {
      at: expect.any(String),
      by: 'ann',
      action: 'update',
      details: { name: { from: 'old', to: 'new' }, concurrency: { from: batch.options.concurrency, to: 20 } },
    },
  ]);
  expect(total).toBe(2);
  await expect(engine.call(ListAudit, { batchId: batch.id }, { tenant: 'globex' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

test.each<[string, object]>([
  ['name', { name: 5 }],
  ['name', { name: 'x'.repeat(501) }],
  ['description', { description: 'x'.repeat(10_001) }],
  ['options.concurrency', { options: { concurrency: 0 } }],
  ['options.speed', { options: { speed: 1 } }],
  ['options', { options: [] }],
  ['parameters', { parameters: {} }],
])('a wrong %s is refused %#', async (path, wrong) => {
  const batch = await engine.create({ items: ['a'], start: false });
  await expect(update(batch.id, wrong)).rejects.toMatchObject({ code: 'INVALID_INPUT', details: { errors: [{ path }] } });
  expect(await engine.get(batch.id)).toEqual(batch);
});

test('another tenant is told that there is no such batch', async () => {
  const { id } = await engine.create({ items: ['a'], name: 'mine', start: false });
  await expect(engine.call(UpdateBatch, { batchId: id, name: 'yours' }, { tenant: 'globex' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  expect(await engine.get(id)).toMatchObject({ name: 'mine' });
});

test('of a change and a start at once, the change is whole, and the batch is worked either way', async () => {
  for (let round = 0; round < 20; round += 1) {
    // The batch must not end before the change comes: one that has ended is not changed.
    const hold = new Gate();
    const input = { items: keys(20), start: false, options: { concurrency: 60, batchSize: 1 } };
    const { id } = await engine.run(() => hold.opened, input);
    await Promise.all([update(id, { options: { concurrency: 2, priority: 'low' } }), engine.call(StartBatch, { batchId: id })]);
    hold.open();
    const ended = await engine.ended({ id });
    expect(ended).toMatchObject({ status: 'completed', counts: { succeeded: 20 } });
    expect(ended.options).toMatchObject({ concurrency: 2, priority: 'low' });
    expect((await lanesOf(id)).map(({ width }) => width)).toEqual([2, 0]);
  }
});
