import { CancelBatch } from '../../src/batches/commands/cancel-batch.command.js';
import { RecordExternalResults } from '../../src/batches/commands/record-external-results.command.js';
import { RetryItems } from '../../src/batches/commands/retry-items.command.js';
import type { ItemView } from '../../src/batches/item.view.js';
import { ListItems } from '../../src/batches/queries/list-items.query.js';
import type { InputOf } from '../../src/common/procedure.js';
import { Engine, keys } from '../support/engine.js';
import { assertInvariants } from '../support/invariants.js';

let engine: Engine;

beforeAll(async () => (engine = await Engine.start()));
afterEach(() => assertInvariants(engine.database));
afterAll(() => engine.close());

type Result = InputOf<RecordExternalResults>['results'][number];

const good = (key: string): Result => ({ key, success: true });
const record = (batchId: string, results: Result[]) => engine.call(RecordExternalResults, { batchId, results });

describe('a status finds items', () => {
  const found = async (batchId: string, status: ItemView['status'], page: { limit?: number; offset?: number } = {}) => {
    const { rows, total, hasMore } = await engine.call(ListItems, { batchId, status, ...page });
    expect(rows.every((row) => row.status === status)).toBe(true);
    return { keys: rows.map(({ key }) => key), total, hasMore };
  };

  test('in their order, with their payloads, a page at a time', async () => {
    const { id } = await engine.create({
      operation: 'export',
      external: true,
      items: keys(500).map((key) => ({ key, payload: { of: key } })),
      options: { batchSize: 7 },
    });
    const all = (await engine.items({ id })).map(({ key }) => key);
    const failing = all.filter((_key, index) => index % 50 === 3);
    const done = all.filter((_key, index) => index % 50 === 4);
    await record(id, [...failing.toReversed().map((key) => ({ key, success: false, error: 'no' })), ...done.map(good)]);
    expect(await found(id, 'failed', { limit: 4 })).toEqual({ keys: failing.slice(0, 4), total: 10, hasMore: true });
    expect(await found(id, 'failed', { limit: 8, offset: 8 })).toEqual({ keys: failing.slice(8), total: 10, hasMore: false });
    expect(await found(id, 'succeeded')).toEqual({ keys: done, total: 10, hasMore: false });
    const waiting = all.filter((key) => !failing.includes(key) && !done.includes(key));
    expect(await found(id, 'pending', { limit: 100, offset: 300 })).toEqual({ keys: waiting.slice(300, 400), total: 480, hasMore: true });
    const { rows } = await engine.call(ListItems, { batchId: id, status: 'failed', limit: 1 });
    expect(rows).toMatchObject([{ key: failing[0], payload: { of: failing[0] }, attempts: 1, error: { kind: 'external', message: 'no' } }]);
    expect(await found(id, 'running')).toEqual({ keys: [], total: 0, hasMore: false });
  });

  test('over the runs of a batch: what is repeated waits again, and what an earlier run left undone stays cancelled', async () => {
    const { id } = await engine.create({ operation: 'export', external: true, items: ['a', 'b', 'c', 'd'] });
    await record(id, [good('a'), { key: 'b', success: false }, { key: 'c', success: false }]);
    await engine.call(CancelBatch, { batchId: id });
    expect(await found(id, 'cancelled')).toMatchObject({ keys: ['d'], total: 1 });
    expect(await found(id, 'pending')).toMatchObject({ keys: [], total: 0 });
    await engine.call(RetryItems, { batchId: id, keys: ['b'] });
    expect(await found(id, 'pending')).toMatchObject({ keys: ['b'], total: 1 });
    expect(await found(id, 'cancelled')).toMatchObject({ keys: ['d'], total: 1 });
    expect(await found(id, 'failed')).toMatchObject({ keys: ['c'], total: 1 });
    await record(id, [good('b')]);
    expect(await found(id, 'succeeded')).toMatchObject({ keys: ['a', 'b'], total: 2 });
    await engine.call(RetryItems, { batchId: id, statuses: ['failed', 'unprocessed'] });
    expect(await found(id, 'pending')).toMatchObject({ keys: ['c', 'd'], total: 2 });
    await engine.call(CancelBatch, { batchId: id });
    expect(await found(id, 'cancelled')).toMatchObject({ keys: ['c', 'd'], total: 2 });
  });

  test('of no batch that is worked here, and says where to look instead', async () => {
    const { id } = await engine.create({ items: ['a'], start: false });
    await expect(engine.call(ListItems, { batchId: id, status: 'failed' })).rejects.toMatchObject({
      code: 'UNPROCESSABLE',
      message: expect.stringMatching(/^status: .*list the results by status/) as string,
    });
  });
});
