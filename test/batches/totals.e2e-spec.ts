import { CancelBatch } from '../../src/batches/commands/cancel-batch.command.js';
import { DeleteBatch } from '../../src/batches/commands/delete-batch.command.js';
import { RetryItems } from '../../src/batches/commands/retry-items.command.js';
import { CountItems } from '../../src/batches/queries/count-items.query.js';
import { GetBatchStats } from '../../src/batches/queries/get-batch-stats.query.js';
import { GetBatchTotals } from '../../src/batches/queries/get-batch-totals.query.js';
import { ListBatches } from '../../src/batches/queries/list-batches.query.js';
import { foldEndedTotals } from '../../src/batches/store/ended-totals.js';
import type { BatchView } from '../../src/batches/batch.view.js';
import { Engine, FAST_RETRY, keys } from '../support/engine.js';
import { eventually } from '../support/eventually.js';
import { assertInvariants } from '../support/invariants.js';

let engine: Engine;

beforeAll(async () => (engine = await Engine.start()));
afterEach(() => assertInvariants(engine.database));
afterAll(() => engine.close());

const OPTIONS = { ...FAST_RETRY, retryAttempts: 0 };
const ADDED_UP = ['pending', 'running', 'paused', 'completed', 'failed', 'cancelled', 'timed_out'] as const;

/** What the tenant's batches come to, looked at one by one. */
async function expectTotals(): Promise<void> {
  const { rows } = await engine.call(ListBatches, { limit: 100 });
  const sum = (figure: (batch: BatchView) => number) => rows.reduce((total, batch) => total + figure(batch), 0);
  const having = (holds: (batch: BatchView) => boolean) => rows.filter(holds).length;
  const byStatus = Object.fromEntries(ADDED_UP.map((status) => [status, having((batch) => batch.status === status)]));
  const operations = [...new Set(rows.map(({ operation }) => operation))];
  const byOperation = Object.fromEntries(operations.map((name) => [name, having(({ operation }) => operation === name)]));
  const items = Object.fromEntries(
    (['total', 'succeeded', 'failed', 'skipped'] as const).map((name) => [name, sum(({ counts }) => counts[name])]),
  );
  const timed = rows.filter(({ startedAt, endedAt }) => startedAt !== null && endedAt !== null);

  expect(await engine.call(GetBatchStats, {})).toEqual({ total: rows.length, byStatus, byOperation });
  const totals = await engine.call(GetBatchTotals, {});
  expect(totals).toMatchObject({ batches: rows.length, byStatus, byOperation, items, ended: { batches: timed.length } });
  expect(
    Math.abs(totals.ended.durationMs - timed.reduce((ms, each) => ms + Date.parse(each.endedAt!) - Date.parse(each.startedAt!), 0)),
  ).toBeLessThan(1 + timed.length);
  expect(await engine.call(CountItems, {})).toMatchObject({ ...items, cancelled: sum(({ counts }) => counts.cancelled) });
  for (const status of ADDED_UP)
    expect(await engine.call(ListBatches, { status: [status], limit: 1 })).toMatchObject({ total: byStatus[status] });
  for (const operation of operations)
    expect(await engine.call(ListBatches, { operation, limit: 1 })).toMatchObject({ total: byOperation[operation] });
}

const rowsOfTotals = async () => (await engine.sql<{ n: number }>('SELECT count(*)::int AS n FROM ended_total'))[0]!.n;
const fold = () => foldEndedTotals(engine.database.pool);

test('totals are those of the batches that are there, as they end, are repeated, end again and are deleted', async () => {
  let failing = true;
  const ended: BatchView[] = [];
  for (let n = 0; n < 6; n += 1) {
    const items = keys(10 + n);
    const batch = await engine.run(
      ({ key }) => {
        if (Number(key) % 3 === 0) return { skipped: 'nothing to do' };
        if (failing && Number(key) % 2 === 0) throw new Error('no');
        return undefined;
      },
      { items, options: { ...OPTIONS, priority: n % 2 ? 'high' : 'low' } },
    );
    ended.push(await engine.ended(batch));
  }
  const waiting = await engine.create({ items: keys(5), start: false });
  const cancelled = await engine.create({ items: keys(7), start: false });
  await engine.call(CancelBatch, { batchId: cancelled.id });
  await expectTotals();

  failing = false;
  await engine.call(RetryItems, { batchId: ended[0]!.id });
  await engine.ended(ended[0]!);
  await expectTotals();
  for (const { id } of [ended[0]!, ended[1]!, waiting, cancelled]) await engine.call(DeleteBatch, { batchId: id });
  await expectTotals();
});

test('totals that were added up say the same, and many who do it at once lose nothing', async () => {
  for (let n = 0; n < 50; n += 1) await engine.create({ operation: n % 5 ? 'noop' : 'checked', items: [] });
  await eventually(
    () => engine.call(CountItems, {}),
    ({ activeBatches }) => activeBatches === 0,
  );
  const before = await engine.call(GetBatchTotals, {});
  await Promise.all([fold(), fold(), fold(), fold()]);
  expect(await engine.call(GetBatchTotals, {})).toEqual(before);
  expect(await rowsOfTotals()).toBeLessThan(50);
  await expectTotals();
});
