import type { BatchView } from '../../src/batches/batch.view.js';
import { PauseBatch } from '../../src/batches/commands/pause-batch.command.js';
import { UpdateBatch } from '../../src/batches/commands/update-batch.command.js';
import { StartBatch } from '../../src/batches/commands/start-batch.command.js';
import type { BatchEventRecord } from '../../src/batches/events/batch.events.js';
import { ListItems } from '../../src/batches/queries/list-items.query.js';
import { ListEvents } from '../../src/batches/queries/list-events.query.js';
import { UpdateBreaker } from '../../src/breakers/commands/update-breaker.command.js';
import { ProviderWaitError } from '../../src/operations/item-errors.js';
import { PermanentError } from '../../src/operations/item-handler.js';
import { GetItemWaiting } from '../../src/waiting/queries/get-item-waiting.query.js';
import { GetWaiting } from '../../src/waiting/queries/get-waiting.query.js';
import { Engine } from '../support/engine.js';
import { eventually, Gate } from '../support/eventually.js';
import { assertInvariants } from '../support/invariants.js';

let engine: Engine;
let release: Gate;

beforeAll(async () => {
  engine = await Engine.start({ STUCK_AFTER_MS: '1000', TENANT_CONCURRENCY_OF: 'small:1' });
});
beforeEach(() => (release = new Gate()));
afterEach(async () => {
  release.open();
  await assertInvariants(engine.database);
});
afterAll(() => engine.close());

/** The first item fails at once; the others wait until they are released. */
async function firstFails({ key }: { key: string }): Promise<void> {
  if (key === 'item-1') throw new Error('not yet');
  await release.opened;
}

const why = (batchId: string) => engine.call(GetWaiting, { batchId });
const until = (batchId: string, gate: string) =>
  eventually(
    () => why(batchId),
    ({ gates }) => gates.some((each) => each.gate === gate),
  );

test('a batch that nobody has started says so, and one that has ended waits for nothing', async () => {
  const { id } = await engine.create({ items: ['a'], start: false });
  expect(await why(id)).toMatchObject({ status: 'pending', waiting: 1, gates: [{ gate: 'not-started', until: null }], canMoveAt: null });
  await engine.call(StartBatch, { batchId: id });
  await engine.ended({ id });
  expect(await why(id)).toMatchObject({ status: 'completed', waiting: 0, gates: [], canMoveAt: null });
});

test('a paused batch says who has paused it, when and why', async () => {
  const batch = await engine.run(() => release.opened, { filters: { count: 30 }, options: { concurrency: 1 } });
  await engine.call(PauseBatch, { batchId: batch.id, reason: 'the provider is down' }, { tenant: 'acme', subject: 'ann' });
  const { gates } = await why(batch.id);
  expect(gates).toMatchObject([
    { gate: 'paused', by: 'ann', message: 'ann has paused the batch (the provider is down); resume it to go on' },
  ]);
  expect(Date.parse(gates[0]!.since!)).toBeGreaterThan(Date.now() - 60_000);
});

test('a batch that failed too often names its own rule', async () => {
  const options = { concurrency: 1, batchSize: 1, failureThreshold: { count: 1 } };
  const batch = await engine.run(
    async ({ key }) => {
      if (key === 'item-1') throw new PermanentError('no');
      await release.opened;
    },
    { filters: { count: 9 }, options },
  );
  expect((await until(batch.id, 'failure-threshold')).gates).toMatchObject([{ by: 'service' }]);
});

test('an item behind the batch’s concurrency is told how many come first, one that waits for a retry until when', async () => {
  const options = {
    concurrency: 1,
    batchSize: 2,
    retryAttempts: 3,
    retryBackoff: 'fixed' as const,
    retryDelay: 60_000,
    retryJitter: false,
  };
  const batch = await engine.run(firstFails, { filters: { count: 9 }, options });
  const waiting = await until(batch.id, 'concurrency');
  expect(waiting).toMatchObject({ running: 1, waiting: 8, canMoveAt: null });
  expect(await engine.call(GetItemWaiting, { batchId: batch.id, key: 'item-9' })).toMatchObject({
    status: 'pending',
    gates: [{ gate: 'concurrency' }, { gate: 'items-before' }],
    canMoveAt: null,
  });
  await until(batch.id, 'retry');
  release.open();
  const retried = await eventually(
    () => engine.call(GetItemWaiting, { batchId: batch.id, key: 'item-1' }),
    ({ gates, canMoveAt }) => gates.length === 1 && canMoveAt !== null,
  );
  const message = '1 item waits for another try; the first one ran into: not yet';
  expect(retried).toMatchObject({ status: 'retrying', attempts: 1, gates: [{ gate: 'retry', items: 1, message }] });
  expect(Date.parse(retried.canMoveAt!)).toBeGreaterThan(Date.now() + 10_000);
});

test('a batch out of tokens is told when the next one comes', async () => {
  const options = { rateLimitPerMinute: 2 };
  const batch = await engine.run(() => Promise.resolve(), { filters: { count: 5 }, options });
  const { gates, canMoveAt } = await eventually(
    () => why(batch.id),
    ({ running, gates: all }) => running === 0 && all.some(({ gate }) => gate === 'rate-limit'),
  );
  expect(gates[0]!.message).toContain('the batch may start 2 items a minute');
  expect(Date.parse(canMoveAt!)).toBeLessThan(Date.now() + 61_000);
});

test('a batch of which nothing is left to start but a retry moves when that is due, although another item runs', async () => {
  const options = { concurrency: 2, batchSize: 2, retryBackoff: 'fixed' as const, retryDelay: 60_000, retryJitter: false };
  const batch = await engine.run(firstFails, { filters: { count: 2 }, options });
  const waiting = await until(batch.id, 'retry');
  expect(waiting).toMatchObject({ running: 1, waiting: 1, gates: [{ gate: 'retry', items: 1 }] });
  expect(waiting.canMoveAt).toBe(waiting.gates[0]!.until);
});

test('items behind a canary are counted, and wait for its first ones, not for a time', async () => {
  const options = { concurrency: 5, batchSize: 5, canary: { items: 1 } };
  const batch = await engine.run(() => release.opened, { filters: { count: 5 }, options });
  const waiting = await eventually(
    () => why(batch.id),
    ({ running, gates }) => running === 1 && gates.length > 0,
  );
  expect(waiting).toMatchObject({ waiting: 4, gates: [{ gate: 'canary', items: 4, by: 'service' }], canMoveAt: null });
  expect(await engine.call(GetItemWaiting, { batchId: batch.id, key: 'item-5' })).toMatchObject({
    gates: [{ gate: 'canary' }],
    canMoveAt: null,
  });
});

test('items that wait for a provider name its circuit, who opened it, and no time as long as somebody holds it open', async () => {
  await engine.call(UpdateBreaker, { provider: 'eu:reader', forced: 'open' }, { tenant: 'acme', subject: 'ann' });
  const batch = await engine.run(() => Promise.reject(new ProviderWaitError('it is left alone', 60_000, 'eu:reader')), {
    filters: { count: 2 },
  });
  const waiting = await eventually(
    () => why(batch.id),
    ({ gates }) => gates[0]?.items === 2,
  );
  expect(waiting).toMatchObject({ gates: [{ gate: 'circuit-breaker', until: null }], canMoveAt: null });
  expect(waiting.gates[0]!.message).toBe('the provider eu:reader is left alone: its circuit was opened by hand by ann');
  const item = await engine.call(GetItemWaiting, { batchId: batch.id, seq: 1 });
  expect(item).toMatchObject({ key: 'item-2', status: 'retrying', gates: [{ gate: 'circuit-breaker', items: 1 }] });
});

test('a batch whose tenant has its share of the service is told so', async () => {
  const small = { tenant: 'small' };
  const [first, second] = [
    await engine.run(() => release.opened, { filters: { count: 1 } }, small),
    await engine.run(() => Promise.resolve(), { filters: { count: 1 }, start: false }, small),
  ];
  await eventually(
    () => engine.call(GetWaiting, { batchId: first.id }, small),
    ({ running }) => running === 1,
  );
  await engine.call(StartBatch, { batchId: second.id }, small);
  expect(await engine.call(GetWaiting, { batchId: second.id }, small)).toMatchObject({
    gates: [{ gate: 'concurrency-limit', message: 'tenant small (TENANT_CONCURRENCY) may work 1 item at the same time, and does' }],
    canMoveAt: null,
  });
  release.open();
  await eventually(
    () => engine.call(GetWaiting, { batchId: second.id }, small),
    ({ status }) => status === 'completed',
  );
});

test('a batch of which a limit lets one item run shows one as running, and the limit to the others', async () => {
  const small = { tenant: 'small' };
  const { id } = await engine.run(() => release.opened, { filters: { count: 3 } }, small);
  await eventually(
    () => engine.call(GetWaiting, { batchId: id }, small),
    ({ running }) => running > 0,
  );
  expect(await engine.call(GetWaiting, { batchId: id }, small)).toMatchObject({
    running: 1,
    waiting: 2,
    gates: [{ gate: 'concurrency-limit' }],
  });
  const { rows } = await engine.call(ListItems, { batchId: id }, small);
  expect(rows.map(({ status }) => status)).toEqual(['running', 'pending', 'pending']);
  release.open();
  await eventually(
    () => engine.call(GetWaiting, { batchId: id }, small),
    ({ status }) => status === 'completed',
  );
});

test('items that a ramp has not let start yet are told so', async () => {
  const options = { concurrency: 10, rampUp: { from: 1, overMs: 3_600_000 } };
  const { id } = await engine.run(() => release.opened, { filters: { count: 10 }, options });
  await eventually(
    () => why(id),
    ({ running }) => running > 0,
  );
  expect(await why(id)).toMatchObject({ running: 1, waiting: 9, gates: [{ gate: 'ramp-up' }] });
  const { rows } = await engine.call(ListItems, { batchId: id });
  expect(rows.map(({ status }) => status)).toEqual(['running', ...Array<string>(9).fill('pending')]);
  expect((await engine.call(GetItemWaiting, { batchId: id, seq: 4 })).gates.map(({ gate }) => gate)).toEqual(['ramp-up']);
  await engine.call(UpdateBatch, { batchId: id, options: { rampUp: null } });
  release.open();
  await engine.ended({ id });
});

test('a batch of an operation whose slots are all taken waits for its workers', async () => {
  const input = { operation: 'scripted-slot', filters: { count: 1 } };
  const first = await engine.run(() => release.opened, input);
  await eventually(
    () => why(first.id),
    ({ running }) => running === 1,
  );
  const second = await engine.run(() => Promise.resolve(), input);
  expect((await until(second.id, 'workers-busy')).gates[0]!.message).toContain(
    'none of the 1 workers that know the operation scripted-slot has room',
  );
});

test('an open batch without items asks for some, and one of outside results for those', async () => {
  const open = await engine.create({ items: [], open: true });
  await engine.call(StartBatch, { batchId: open.id, open: true });
  expect(await why(open.id)).toMatchObject({ waiting: 0, gates: [{ gate: 'no-items' }], canMoveAt: null });
  const busy = await engine.run(() => release.opened, { items: ['a', 'b'], open: true, start: true });
  await eventually(
    () => why(busy.id),
    ({ running }) => running === 2,
  );
  expect((await why(busy.id)).gates[0]!.message).toBe('no item waits, 2 items run, and more may be added; add some, or seal the batch');
  const outside = await engine.create({ operation: 'outside', external: true, items: ['a', 'b'] });
  await engine.call(StartBatch, { batchId: outside.id });
  expect((await why(outside.id)).gates).toMatchObject([{ gate: 'external-results' }]);
  expect(await engine.call(GetItemWaiting, { batchId: outside.id, key: 'b' })).toMatchObject({ gates: [{ gate: 'external-results' }] });
});

test('an operation that no worker knows is named, and its batch is reported as stuck, once by several processes', async () => {
  const other = await Engine.start({ STUCK_AFTER_MS: '1000', DATABASE_URL: engine.service.databaseUrl });
  try {
    const [batch, later] = [await ofAnotherRelease(), await ofAnotherRelease()];
    await engine.call(StartBatch, { batchId: batch.id });
    expect((await until(batch.id, 'no-worker')).gates[0]!.message).toContain('nobody works the operation of-another-release');
    const told = await untilStuck(batch.id);
    expect(told.at(-1)!.data.reason).toContain('of-another-release');
    // Another batch's whole time: as long as the first would need to be told of again.
    await engine.call(StartBatch, { batchId: later.id });
    await untilStuck(later.id);
    const events = await engine.call(ListEvents, { batchId: batch.id });
    expect(events.filter(({ type }) => type === 'batch.stuck')).toHaveLength(1);
  } finally {
    await other.close();
  }
});

async function ofAnotherRelease(): Promise<BatchView> {
  const batch = await engine.run(() => release.opened, { filters: { count: 3 }, start: false });
  await engine.sql(`UPDATE batch SET operation = 'of-another-release' WHERE id = $1`, [batch.id]);
  return batch;
}

function untilStuck(batchId: string): Promise<BatchEventRecord[]> {
  return eventually(
    () => engine.call(ListEvents, { batchId }),
    (all) => all.some(({ type }) => type === 'batch.stuck'),
    10_000,
  );
}
