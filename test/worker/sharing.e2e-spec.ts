import type { BatchOptionsInput } from '../../src/batches/batch.options.js';
import { CancelBatch } from '../../src/batches/commands/cancel-batch.command.js';
import { UpdateBatch } from '../../src/batches/commands/update-batch.command.js';
import { createTestDatabase } from '../support/database.js';
import { Engine, keys } from '../support/engine.js';
import { eventually, Gate } from '../support/eventually.js';
import { assertInvariants } from '../support/invariants.js';

const engines: Engine[] = [];

async function start(env: Record<string, string>): Promise<Engine> {
  const engine = await Engine.start(env);
  engines.push(engine);
  return engine;
}

/** Two processes on one database, as far as the engine can tell. */
async function startTwo(env: Record<string, string>): Promise<[Engine, Engine, () => Promise<void>]> {
  const database = await createTestDatabase();
  const shared = { ...env, DATABASE_URL: database.url };
  return [await start(shared), await start(shared), () => database.drop()];
}

afterEach(async () => {
  for (const engine of engines) await assertInvariants(engine.database);
  for (const engine of engines.splice(0)) await engine.close();
});

/** How many items run at the same time, and how many did at most. */
class Count {
  now = 0;
  most = 0;

  readonly script = async (): Promise<void> => {
    this.most = Math.max(this.most, (this.now += 1));
    await new Promise((resolve) => setTimeout(resolve, 15));
    this.now -= 1;
  };
}

/** So many of its items have run at the same time. */
const reaches = (count: Count, wanted: number) =>
  eventually(
    () => count.most,
    (most) => most >= wanted,
  );

const small: BatchOptionsInput = { concurrency: 20, batchSize: 5 };

describe('limits over batches and processes', () => {
  test('of all items at the same time are never passed, and all of them are worked', async () => {
    const [one, two, drop] = await startTwo({ MAX_CONCURRENCY: '7' });
    const count = new Count();
    const batches = [];
    for (const engine of [one, two, one]) batches.push(await engine.run(count.script, { items: keys(60), options: small }));
    for (const batch of batches) expect(await one.ended(batch, 30_000)).toMatchObject({ counts: { succeeded: 60 } });
    expect(count.most).toBeLessThanOrEqual(7);
    expect(count.most).toBeGreaterThan(3);
    await assertInvariants(one.database);
    for (const engine of engines.splice(0)) await engine.close();
    await drop();
  });

  test('of a tenant leave the others alone; of an operation they hold for all', async () => {
    const engine = await start({
      TENANT_CONCURRENCY: '30',
      TENANT_CONCURRENCY_OF: 'small:2',
      OPERATION_CONCURRENCY_OF: 'scripted-chunks:1',
    });
    const [few, many] = [new Count(), new Count()];
    const held = await engine.run(few.script, { items: keys(30), options: small }, { tenant: 'small' });
    const free = await engine.run(many.script, { items: keys(300), options: small }, { tenant: 'acme' });
    await engine.ended(free, 30_000);
    await eventually(
      () => engine.sql<{ status: string }>('SELECT r.status FROM run r JOIN batch b ON b.run_id = r.id WHERE b.id = $1', [held.id]),
      ([row]) => row!.status === 'completed',
      30_000,
    );
    expect(few.most).toBeLessThanOrEqual(2);
    expect(many.most).toBeGreaterThan(2);
    const chunks = new Count();
    const script = async (items: unknown[]) => {
      await chunks.script();
      return items.map(() => ({}));
    };
    const input = { items: keys(10), options: { concurrency: 60, batchSize: 1 } };
    for (const batch of [await engine.runChunks(script, input), await engine.runChunks(script, input)]) await engine.ended(batch, 30_000);
    expect(chunks.most).toBe(1);
  });

  test.each<Record<string, string>>([
    { TENANT_CONCURRENCY_OF: 'somebody:2' },
    { OPERATION_CONCURRENCY_OF: 'something:2' },
    { MAX_CONCURRENCY: '1000000' },
  ])('that leave much, or do not concern the batch, do not hold it up: %j', async (env) => {
    const engine = await start(env);
    expect(await engine.ended(await engine.create({ items: keys(20) }))).toMatchObject({ counts: { succeeded: 20 } });
  });

  test('of a tenant’s rate hold over its batches', async () => {
    const engine = await start({ TENANT_RATE_OF: 'slow:5' });
    const slow = { tenant: 'slow' };
    const started: number[] = [];
    const script = () => void started.push(1);
    const batches = [await engine.run(script, { items: keys(4) }, slow), await engine.run(script, { items: keys(4) }, slow)];
    // The bucket holds five; the sixth comes twelve seconds later.
    await eventually(
      () => engine.sql<{ n: number }>(`SELECT count(*)::int AS n FROM run WHERE held_until > clock_timestamp()`),
      ([row]) => row!.n > 0,
    );
    expect(started).toHaveLength(5);
    for (const { id } of batches) await engine.call(CancelBatch, { batchId: id }, slow).catch(() => undefined);
  });

  test('let a greater concurrency of a running batch take what they leave', async () => {
    const engine = await start({ MAX_CONCURRENCY: '10' });
    const count = new Count();
    const batch = await engine.run(count.script, { items: keys(5_000), options: { concurrency: 2 } });
    await reaches(count, 2);
    await engine.call(UpdateBatch, { batchId: batch.id, options: { concurrency: 50 } });
    await reaches(count, 10);
    await engine.call(CancelBatch, { batchId: batch.id });
    await engine.ended(batch);
    expect(count.most).toBe(10);
  });

  test('give a batch what another one needs no more', async () => {
    const engine = await start({ MAX_CONCURRENCY: '10' });
    const [hold, first, second] = [new Gate(), new Count(), new Count()];
    const holding = () => hold.opened.then(() => first.script());
    const early = await engine.run(holding, { items: keys(8), options: { concurrency: 8 } });
    await eventually(
      () => engine.get(early.id),
      ({ counts }) => counts.running === 8,
    );
    const late = await engine.run(second.script, { items: keys(5_000), options: { concurrency: 10 } });
    await reaches(second, 2);
    expect(await engine.get(late.id)).toMatchObject({ counts: { running: 2 } });
    hold.open();
    await reaches(second, 10);
    await engine.call(CancelBatch, { batchId: late.id });
    await engine.ended(late);
    expect(await engine.ended(early)).toMatchObject({ counts: { succeeded: 8 } });
  });

  test('give a batch less when its concurrency is lowered, and another one what it has left', async () => {
    const engine = await start({ MAX_CONCURRENCY: '10' });
    const [first, second] = [new Count(), new Count()];
    const batch = await engine.run(first.script, { items: keys(5_000), options: { concurrency: 10 } });
    await reaches(first, 10);
    await engine.call(UpdateBatch, { batchId: batch.id, options: { concurrency: 3 } });
    await eventually(
      () => engine.sql<{ granted: number }>('SELECT l.granted FROM lane l JOIN batch b ON b.run_id = l.run_id WHERE b.id = $1', [batch.id]),
      ([lane]) => lane!.granted === 3,
    );
    const other = await engine.run(second.script, { items: keys(5_000), options: { concurrency: 10 } });
    await reaches(second, 7);
    for (const { id } of [batch, other]) await engine.call(CancelBatch, { batchId: id });
    for (const each of [batch, other]) await engine.ended(each);
  });

  test.each([
    ['tenant', { TENANT_CONCURRENCY: '4' }],
    ['service', { MAX_CONCURRENCY: '4' }],
    ['operation', { OPERATION_CONCURRENCY_OF: 'scripted:4' }],
  ])('that a large batch takes up, of the %s, leave room for a small one that comes later', async (_of, env) => {
    const engine = await start(env);
    const count = new Count();
    const large = await engine.run(count.script, { items: keys(5_000), options: { concurrency: 20 } });
    await reaches(count, 4);
    const small = await engine.run(count.script, { items: keys(10) });
    await engine.ended(small);
    expect(await engine.get(large.id)).toMatchObject({ status: 'running' });
    const { succeeded } = (await engine.get(large.id)).counts;
    await eventually(
      () => engine.get(large.id),
      ({ counts }) => counts.succeeded > succeeded,
    );
    await engine.call(CancelBatch, { batchId: large.id });
    await engine.ended(large);
    expect(count.most).toBe(4);
  });
});

test('a small batch starts and ends while a tenant’s batches hold all the other lanes, with items that take for ever', async () => {
  const engine = await start({ WORKER_LANES: '8' });
  const hold = new Gate();
  const noisy = [];
  for (let n = 0; n < 12; n += 1) {
    noisy.push(await engine.run(() => hold.opened, { items: keys(100), options: { concurrency: 50, batchSize: 10 } }, { tenant: 'noisy' }));
  }
  await eventually(
    () => engine.sql<{ n: number }>(`SELECT count(*)::int AS n FROM lane WHERE lease_until > now()`),
    ([row]) => row!.n >= 6,
  );
  const quiet = await engine.run(() => undefined, { items: keys(10) });
  expect(await engine.ended(quiet)).toMatchObject({ status: 'completed', counts: { succeeded: 10 } });
  hold.open();
  for (const { id } of noisy) {
    await eventually(
      () => engine.sql<{ status: string }>('SELECT r.status FROM run r JOIN batch b ON b.run_id = r.id WHERE b.id = $1', [id]),
      ([row]) => row!.status === 'completed',
      30_000,
    );
  }
});

test('a batch of low priority is worked before those of high priority are through, because it has waited', async () => {
  const engine = await start({ WORKER_LANES: '1', PRIORITY_AGE_MS: '300', SWEEP_MS: '100' });
  const through = new Gate();
  let isThrough = false;
  const slow = async () => {
    if (!isThrough) await new Promise((resolve) => setTimeout(resolve, 5));
  };
  void through.opened.then(() => (isThrough = true));
  const urgent = [];
  for (let n = 0; n < 3; n += 1)
    urgent.push(await engine.run(slow, { items: keys(20_000), options: { priority: 'critical', concurrency: 1, batchSize: 100 } }));
  // More than its first turn, which every new batch gets soon.
  const low = await engine.run(() => new Promise((resolve) => setTimeout(resolve, 20)), {
    items: keys(80),
    options: { priority: 'low', concurrency: 1, batchSize: 10 },
  });
  expect(await engine.ended(low, 25_000)).toMatchObject({ counts: { succeeded: 80 } });
  for (const { id } of urgent) expect(await engine.get(id)).toMatchObject({ status: 'running' });
  through.open();
  for (const { id } of urgent) await engine.call(CancelBatch, { batchId: id });
  for (const batch of urgent) await engine.ended(batch, 30_000);
});
