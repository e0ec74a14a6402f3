import type { BatchOptionsInput } from '../../src/batches/batch.options.js';
import { CancelBatch } from '../../src/batches/commands/cancel-batch.command.js';
import { PauseBatch } from '../../src/batches/commands/pause-batch.command.js';
import { UpdateBatch } from '../../src/batches/commands/update-batch.command.js';
import type { BatchCounts } from '../../src/batches/batch.view.js';
import { GetWaiting } from '../../src/waiting/queries/get-waiting.query.js';
import { Engine, keys } from '../support/engine.js';
import { eventually, Gate } from '../support/eventually.js';
import { assertInvariants } from '../support/invariants.js';

let engine: Engine;
let release: Gate;
/** Items that truly run. */
let working: Set<string>;

beforeAll(async () => (engine = await Engine.start({ TENANT_RATE_OF: 'slow:2', TENANT_CONCURRENCY_OF: 'few:5' })));
beforeEach(() => {
  release = new Gate();
  working = new Set();
});
afterEach(async () => {
  release.open();
  await assertInvariants(engine.database);
});
afterAll(() => engine.close());

const start = (options: BatchOptionsInput, items = keys(20), tenant = 'acme') =>
  engine.run(
    async ({ key }) => {
      working.add(key);
      await release.opened;
      working.delete(key);
    },
    { items, options },
    { tenant },
  );

const why = (batchId: string, tenant = 'acme') => engine.call(GetWaiting, { batchId }, { tenant });

const sumOf = (counts: BatchCounts): number => Object.values(counts).reduce((sum, part) => sum + part, 0) - counts.total;

/** Looks at the batch until so many items run, by what they do and by what is told; and at every look the counts add up. */
async function untilRunning(id: string, count: number, tenant = 'acme'): Promise<void> {
  await eventually(
    async () => {
      const waiting = await why(id, tenant);
      expect(waiting.running + waiting.waiting).toBeLessThanOrEqual(20);
      return { told: waiting.running, truly: working.size };
    },
    ({ told, truly }) => told === count && truly === count,
  );
}

test('under a rate limit the items that wait for a token are pending, and the limit is the one gate', async () => {
  const { id } = await start({ rateLimitPerMinute: 2, concurrency: 10, batchSize: 20 });
  await untilRunning(id, 2);
  const batch = await engine.get(id);
  expect(batch.counts).toMatchObject({ running: 2, pending: 18 });
  expect(sumOf(batch.counts)).toBe(20);
  expect((await engine.items({ id })).map(({ status }) => status)).toEqual(['running', 'running', ...Array<string>(18).fill('pending')]);
  expect(await why(id)).toMatchObject({ running: 2, waiting: 18, gates: [{ gate: 'rate-limit' }] });
  await engine.call(CancelBatch, { batchId: id });
});

test('the same under the limit of a pool, and under that of the tenant', async () => {
  const pooled = await start({ rateLimitPool: { name: 'two', perMinute: 2 }, concurrency: 10, batchSize: 20 });
  await untilRunning(pooled.id, 2);
  release.open();
  await engine.call(CancelBatch, { batchId: pooled.id });
  await engine.ended(pooled);
  release = new Gate();
  const slow = await start({ concurrency: 10, batchSize: 20 }, keys(20), 'slow');
  await untilRunning(slow.id, 2, 'slow');
  await engine.call(CancelBatch, { batchId: slow.id }, { tenant: 'slow' });
});

test('a share of the service that the batch itself holds and does not use is no gate', async () => {
  const { id } = await start({ rateLimitPerMinute: 2, concurrency: 10, batchSize: 20 }, keys(20), 'few');
  await untilRunning(id, 2, 'few');
  expect((await why(id, 'few')).gates.map(({ gate }) => gate)).toEqual(['rate-limit']);
  await engine.call(UpdateBatch, { batchId: id, options: { rateLimitPerMinute: null } }, { tenant: 'few' });
  await untilRunning(id, 5, 'few');
  expect((await why(id, 'few')).gates.map(({ gate }) => gate)).toEqual(['concurrency-limit']);
});

test('a rate limit that still has tokens is no gate: the concurrency is', async () => {
  const { id } = await start({ rateLimitPerMinute: 600, concurrency: 2, batchSize: 20 });
  await untilRunning(id, 2);
  expect((await why(id)).gates.map(({ gate }) => gate)).toEqual(['concurrency']);
});

test('a limit that is lifted while items run is told no more, and as many run as may', async () => {
  const { id } = await start({ rateLimitPerMinute: 1, concurrency: 4, batchSize: 20 });
  await untilRunning(id, 1);
  await engine.call(UpdateBatch, { batchId: id, options: { rateLimitPerMinute: null } });
  await untilRunning(id, 4);
  expect((await why(id)).gates.map(({ gate }) => gate)).toEqual(['concurrency']);
});

test('a paused batch shows what is still in flight, and nothing else as running', async () => {
  const { id } = await start({ rateLimitPerMinute: 3, concurrency: 10, batchSize: 20 });
  await untilRunning(id, 3);
  await engine.call(PauseBatch, { batchId: id });
  expect(await why(id)).toMatchObject({ running: 3, waiting: 17, gates: [{ gate: 'paused' }] });
  release.open();
  await eventually(
    () => why(id),
    ({ running }) => running === 0,
  );
  await engine.call(CancelBatch, { batchId: id });
});

test('a handler that takes chunks runs the whole chunk, however few the concurrency allows', async () => {
  const { id } = await engine.runChunks(
    async (items) => {
      items.forEach(({ key }) => working.add(key));
      await release.opened;
      items.forEach(({ key }) => working.delete(key));
      return items.map(() => ({}));
    },
    { items: keys(12), options: { concurrency: 2, batchSize: 12 } },
  );
  await untilRunning(id, 12);
  expect((await engine.items({ id })).every(({ status }) => status === 'running')).toBe(true);
});

test('without any limit as many run as the concurrency says, told from the first moment', async () => {
  const { id } = await start({ concurrency: 5, batchSize: 20 });
  await untilRunning(id, 5);
  expect((await engine.get(id)).counts).toMatchObject({ running: 5, pending: 15 });
});

test('counts of a limited batch add up in all of its snapshots while it is worked', async () => {
  const batch = await engine.run(async () => new Promise((resolve) => setTimeout(resolve, 5)), {
    items: keys(300),
    options: { rateLimitPerMinute: 60_000, concurrency: 7, batchSize: 20 },
  });
  let most = 0;
  const ended = await eventually(
    () => engine.get(batch.id),
    ({ counts, status }) => {
      expect(sumOf(counts)).toBe(300);
      most = Math.max(most, counts.running);
      return status === 'completed';
    },
    30_000,
  );
  expect(most).toBeLessThanOrEqual(7);
  expect(ended.counts).toMatchObject({ succeeded: 300, running: 0, pending: 0 });
});
