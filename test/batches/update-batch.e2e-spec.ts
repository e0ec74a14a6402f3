import { AddItems } from '../../src/batches/commands/add-items.command.js';
import { RecordExternalResult } from '../../src/batches/commands/record-external-result.command.js';
import { StartBatch } from '../../src/batches/commands/start-batch.command.js';
import { UpdateBatch } from '../../src/batches/commands/update-batch.command.js';
import { itemsFromArray } from '../../src/batches/item-source.js';
import type { InputOf } from '../../src/common/procedure.js';
import { Engine, keys } from '../support/engine.js';
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
  const lanes = await lanesOf(id);
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

test('items that are handed to workers one by one stay so', async () => {
  const input = { operation: 'scripted-slot', parameters: { script: 'none' }, open: true, start: false };
  const { id, options } = await engine.create(input);
  expect(options).toMatchObject({ batchSize: 1, laneWidth: 1 });
  expect(await update(id, { options: { batchSize: 50, timeout: 7 } })).toMatchObject({
    options: { batchSize: 1, laneWidth: 1, timeout: 7 },
  });
});

test('a rate limit is refused for a batch whose results come from outside, as at creation', async () => {
  const batch = await engine.create({ operation: 'export', totalItems: 2 });
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

test('settings of a batch that has begun are refused, and its name with them', async () => {
  const hold = new Gate();
  const running = await engine.run(() => hold.opened, { items: ['a'], name: 'before' });
  await eventually(
    () => engine.get(running.id),
    ({ counts }) => counts.running === 1,
  );
  const attempt = () => update(running.id, { name: 'after', options: { timeout: 5 } });
  await expect(attempt()).rejects.toMatchObject({
    code: 'CONFLICT',
    message: `batch ${running.id} is running; settings can be changed only while the batch is pending`,
  });
  hold.open();
  await engine.ended(running);
  await expect(attempt()).rejects.toMatchObject({ code: 'CONFLICT' });
  expect(await engine.get(running.id)).toMatchObject({ name: 'before', options: running.options });
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

test('of a change and a start at once, the change is either whole or refused, and the batch is worked either way', async () => {
  for (let round = 0; round < 20; round += 1) {
    const { id } = await engine.create({ items: keys(20), start: false, options: { concurrency: 60, batchSize: 1 } });
    const [changed, started] = await Promise.allSettled([
      update(id, { options: { concurrency: 2, priority: 'low' } }),
      engine.call(StartBatch, { batchId: id }),
    ]);
    expect(started.status).toBe('fulfilled');
    const ended = await engine.ended({ id });
    expect(ended).toMatchObject({ status: 'completed', counts: { succeeded: 20 } });
    const wasChanged = changed.status === 'fulfilled';
    expect(ended.options).toMatchObject(wasChanged ? { concurrency: 2, priority: 'low' } : { concurrency: 60, priority: 'normal' });
    expect(await lanesOf(id)).toHaveLength(wasChanged ? 1 : 2);
    if (!wasChanged) expect(changed.reason).toMatchObject({ code: 'CONFLICT' });
  }
});
