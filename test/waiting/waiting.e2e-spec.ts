import { PauseBatch } from '../../src/batches/commands/pause-batch.command.js';
import { StartBatch } from '../../src/batches/commands/start-batch.command.js';
import { ListEvents } from '../../src/batches/queries/list-events.query.js';
import { PermanentError } from '../../src/operations/item-handler.js';
import { GetItemWaiting } from '../../src/waiting/queries/get-item-waiting.query.js';
import { GetWaiting } from '../../src/waiting/queries/get-waiting.query.js';
import { Engine } from '../support/engine.js';
import { eventually, Gate } from '../support/eventually.js';
import { assertInvariants } from '../support/invariants.js';

let engine: Engine;
let release: Gate;

beforeAll(async () => {
  engine = await Engine.start({ STUCK_AFTER_MS: '1000' });
});
beforeEach(() => (release = new Gate()));
afterEach(async () => {
  release.open();
  await assertInvariants(engine.database);
});
afterAll(() => engine.close());

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
  const batch = await engine.run(
    async ({ key }) => {
      if (key === 'item-1') throw new Error('not yet');
      await release.opened;
    },
    { filters: { count: 9 }, options },
  );
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
  expect(retried).toMatchObject({ status: 'retrying', attempts: 1, gates: [{ gate: 'retry', items: 1 }] });
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

test('an operation that no worker knows is named, and its batch is reported as stuck, once', async () => {
  const batch = await engine.run(() => release.opened, { filters: { count: 3 }, start: false });
  await engine.sql(`UPDATE batch SET operation = 'of-another-release' WHERE id = $1`, [batch.id]);
  await engine.call(StartBatch, { batchId: batch.id });
  expect((await until(batch.id, 'no-worker')).gates[0]!.message).toContain('nobody works the operation of-another-release');
  const events = () => engine.call(ListEvents, { batchId: batch.id });
  const told = await eventually(events, (all) => all.some(({ type }) => type === 'batch.stuck'), 10_000);
  expect(told.at(-1)!.data.reason).toContain('of-another-release');
  const stuckAt = Date.parse(told.at(-1)!.at);
  await eventually(
    () => Date.now(),
    (now) => now > stuckAt + 2_500,
  );
  expect((await events()).filter(({ type }) => type === 'batch.stuck')).toHaveLength(1);
});
