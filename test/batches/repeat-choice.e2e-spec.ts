import { AddItems } from '../../src/batches/commands/add-items.command.js';
import { CancelBatch } from '../../src/batches/commands/cancel-batch.command.js';
import { RecordExternalResult } from '../../src/batches/commands/record-external-result.command.js';
import { RetryItems } from '../../src/batches/commands/retry-items.command.js';
import { itemsFromArray } from '../../src/batches/item-source.js';
import { ListOutcomes } from '../../src/batches/queries/list-outcomes.query.js';
import type { InputOf } from '../../src/common/procedure.js';
import { Engine, FAST_RETRY, keys } from '../support/engine.js';
import { eventually, Gate } from '../support/eventually.js';
import { assertInvariants } from '../support/invariants.js';

let engine: Engine;

beforeAll(async () => (engine = await Engine.start()));
afterEach(() => assertInvariants(engine.database));
afterAll(() => engine.close());

const ONCE = { ...FAST_RETRY, retryAttempts: 0 };
const retry = (batchId: string, more: Partial<InputOf<RetryItems>> = {}) => engine.call(RetryItems, { batchId, ...more });
const items = (count: number) => keys(count).map((key) => ({ key, payload: { n: Number(key) } }));
const refusal = (code: string, message: string) => ({ code, message: expect.stringContaining(message) as string });

/** What the script does with an item: succeed, skip, hang; anything else is the message it fails with. */
type Ending = string;

/** A batch whose items end as `endings` say at the time, by key; and the keys that were run. */
async function scripted(endings: Record<string, Ending>, options: object = {}) {
  const ran: string[] = [];
  const batch = await engine.run(
    async ({ key }, { signal }) => {
      ran.push(key);
      const ending = endings[key] ?? 'succeed';
      if (ending === 'succeed') return { output: key };
      if (ending === 'skip') return { skipped: 'nothing to do' };
      if (ending === 'hang') await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))));
      throw new Error(ending);
    },
    { items: items(Object.keys(endings).length), options: { ...ONCE, ...options } },
  );
  return { id: batch.id, ran };
}

const ranOnly = async (ran: string[], id: string, expected: string[]): Promise<void> => {
  await engine.ended({ id });
  expect(ran.splice(0).sort()).toEqual(expected);
};

describe('what is repeated', () => {
  test('is what was cancelled: items that never got an outcome, with their payloads, and nothing else', async () => {
    const endings: Record<string, Ending> = { '1': 'no', '2': 'succeed', '3': 'skip', '4': 'hang', '5': 'succeed', '6': 'succeed' };
    const { id, ran } = await scripted(endings, { concurrency: 1, batchSize: 2 });
    await eventually(() => expect(ran).toContain('4'));
    await engine.call(CancelBatch, { batchId: id });
    // Item 4 was told to stop: that is no end of its own.
    const first = await engine.ended({ id });
    expect(first).toMatchObject({ status: 'cancelled', counts: { total: 6, succeeded: 1, failed: 1, skipped: 1, cancelled: 3 } });
    ran.splice(0);
    endings['4'] = 'succeed';
    const started = await retry(id, { statuses: ['cancelled'] });
    expect(started).toMatchObject({ run: 2, counts: { total: 6, succeeded: 1, failed: 1, skipped: 1, cancelled: 0 } });
    await ranOnly(ran, id, ['4', '5', '6']);
    expect(await engine.get(id)).toMatchObject({ status: 'completed', counts: { succeeded: 4, failed: 1, skipped: 1, cancelled: 0 } });
    await retry(id, { statuses: ['failed', 'skipped'] });
    await ranOnly(ran, id, ['1', '3']);
    expect(await engine.get(id)).toMatchObject({ run: 3, counts: { succeeded: 4, failed: 1, skipped: 1, cancelled: 0 } });
    const history = await engine.call(ListOutcomes, { batchId: id, history: true, key: '5' });
    expect(history.rows.map(({ run, status }) => [run, status])).toEqual([
      [1, 'cancelled'],
      [2, 'succeeded'],
    ]);
    expect(await engine.outcomes({ id })).toHaveLength(6);
  });

  test('is an item again and again, though it is cancelled again and again, also when it waited for its retry', async () => {
    const endings: Record<string, Ending> = { '1': 'no', '2': 'succeed', '3': 'no' };
    const { id, ran } = await scripted(endings, { retryAttempts: 1, retryDelay: 60_000, concurrency: 1 });
    for (const run of [1, 2, 3]) {
      await eventually(
        () => engine.get(id),
        (batch) => batch.run === run && batch.retrying,
      );
      expect(ran.splice(0).sort()).toEqual(run === 1 ? ['1', '2', '3'] : ['1', '3']);
      await engine.call(CancelBatch, { batchId: id });
      expect(await engine.ended({ id })).toMatchObject({ status: 'cancelled', counts: { total: 3, succeeded: 1, cancelled: 2 } });
      await assertInvariants(engine.database);
      if (run < 3) expect(await retry(id, { statuses: ['unprocessed'] })).toMatchObject({ run: run + 1, counts: { cancelled: 0 } });
    }
    endings['1'] = 'succeed';
    await retry(id, { statuses: ['unprocessed'], keys: ['1'], continueAttempts: true });
    await ranOnly(ran, id, ['1']);
    expect(await engine.get(id)).toMatchObject({ run: 4, status: 'completed', counts: { succeeded: 2, cancelled: 1 } });
    // It had one try in each run, and goes on counting those of the run before.
    expect((await engine.outcomes({ id })).map(({ key, attempts }) => [key, attempts])).toEqual([
      ['1', 2],
      ['2', 1],
    ]);
    const states = (await engine.items({ id })).map(({ key, status }) => [key, status]);
    expect(states).toEqual([
      ['1', 'succeeded'],
      ['2', 'succeeded'],
      ['3', 'cancelled'],
    ]);
  });

  test('is what ran out of time: its own, and the batch’s, told apart from what was cancelled', async () => {
    const endings: Record<string, Ending> = { '1': 'hang', '2': 'no', '3': 'succeed', '4': 'succeed' };
    const { id, ran } = await scripted(endings, { timeout: 100, retryTimeouts: false, concurrency: 1 });
    expect(await engine.ended({ id })).toMatchObject({ counts: { succeeded: 2, failed: 2 } });
    ran.splice(0);
    endings['1'] = 'succeed';
    await retry(id, { statuses: ['timed_out'] });
    await ranOnly(ran, id, ['1']);
    expect(await engine.get(id)).toMatchObject({ counts: { succeeded: 3, failed: 1 } });

    const slow: Record<string, Ending> = { '1': 'hang', '2': 'succeed', '3': 'succeed' };
    const late = await scripted(slow, { batchTimeout: 300, concurrency: 1 });
    expect(await engine.ended(late)).toMatchObject({ status: 'timed_out', counts: { total: 3, failed: 0, cancelled: 3 } });
    await expect(retry(late.id, { statuses: ['cancelled'] })).rejects.toMatchObject(refusal('CONFLICT', 'no item that is chosen'));
    late.ran.splice(0);
    slow['1'] = 'succeed';
    await retry(late.id, { statuses: ['timed_out'] });
    await ranOnly(late.ran, late.id, ['1', '2', '3']);
    expect(await engine.get(late.id)).toMatchObject({ counts: { succeeded: 3, failed: 0, cancelled: 0 } });
  });

  test.each<[string, Partial<InputOf<RetryItems>>, string[]]>([
    ['the kind of error', { errorKind: 'retryable' }, ['1', '2', '4']],
    ['another kind', { errorKind: 'timeout', statuses: ['failed', 'timed_out'] }, ['3']],
    ['the whole message', { error: 'disk full' }, ['1']],
    ['part of the message', { error: 'full', errorMatch: 'contains' }, ['1', '2']],
    ['message and kind', { error: 'full', errorMatch: 'contains', errorKind: 'retryable' }, ['1', '2']],
    ['message and name', { error: 'full', errorMatch: 'contains', seqs: [1] }, ['2']],
    ['signs that stand for themselves', { error: '%', errorMatch: 'contains' }, ['4']],
  ])('is chosen by %s', async (_, choice, expected) => {
    const endings: Record<string, Ending> = { '1': 'disk full', '2': 'queue full', '3': 'hang', '4': 'only 5 %', '5': 'succeed' };
    const { id, ran } = await scripted(endings, { timeout: 200, retryTimeouts: false });
    await engine.ended({ id });
    ran.splice(0);
    for (const key of ['1', '2', '3', '4']) endings[key] = 'succeed';
    await retry(id, choice);
    await ranOnly(ran, id, expected);
    expect(await engine.get(id)).toMatchObject({ counts: { succeeded: 1 + expected.length, failed: 4 - expected.length } });
  });

  test('may be all of it at once, named by keys, twins and items without a key as well', async () => {
    const hold = new Gate();
    let fails = true;
    const ran: number[] = [];
    const { id } = await engine.run(
      async ({ payload }, { signal }) => {
        ran.push(payload.n);
        if (payload.n === 1 && fails) throw new Error('no');
        // Its worker has heard of the cancel then, and begins no other item.
        signal.addEventListener('abort', hold.open);
        if (payload.n === 2) await hold.opened;
      },
      {
        items: [{ key: 'twin', payload: { n: 1 } }, { payload: { n: 2 } }, { key: 'twin', payload: { n: 3 } }, { payload: { n: 4 } }],
        options: { ...ONCE, concurrency: 1, batchSize: 1 },
      },
    );
    await eventually(() => expect(ran).toEqual([1, 2]));
    await engine.call(CancelBatch, { batchId: id });
    expect(await engine.ended({ id })).toMatchObject({ counts: { succeeded: 1, failed: 1, cancelled: 2 } });
    fails = false;
    const statuses: InputOf<RetryItems>['statuses'] = ['failed', 'cancelled'];
    await expect(retry(id, { statuses, keys: ['twin', '2', 'x'] })).rejects.toMatchObject(refusal('CONFLICT', '2, x are not'));
    await expect(retry(id, { keys: ['4'] })).rejects.toMatchObject(refusal('CONFLICT', '4 did not fail'));
    await retry(id, { statuses, keys: ['twin', '4'] });
    expect(await engine.ended({ id })).toMatchObject({ run: 2, counts: { succeeded: 4, failed: 0, cancelled: 0 } });
    expect(ran.slice(2).sort()).toEqual([1, 3, 4]);
  });

  test('may be a whole batch that was cancelled before it started, was open, and has gaps in its positions', async () => {
    const { id } = await engine.create({ operation: 'noop', items: ['a', 'b'], open: true });
    const bad = engine.call(AddItems, { batchId: id, source: itemsFromArray(['c', { wrong: 1 }]) });
    await expect(bad).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await engine.call(AddItems, { batchId: id, source: itemsFromArray([{ key: 'nul', payload: { output: 'a\0b\ud800' } }, 'e']) });
    await engine.call(CancelBatch, { batchId: id });
    expect(await engine.ended({ id })).toMatchObject({ status: 'cancelled', counts: { total: 4, cancelled: 4 }, startedAt: null });
    expect(await retry(id, { statuses: ['cancelled'] })).toMatchObject({ run: 2, counts: { total: 4, cancelled: 0 } });
    expect(await engine.ended({ id })).toMatchObject({ status: 'completed', progress: 100, counts: { total: 4, succeeded: 4 } });
    expect((await engine.items({ id })).map(({ key, status }) => [key, status])).toEqual(
      ['a', 'b', 'nul', 'e'].map((key) => [key, 'succeeded']),
    );
  });

  test('leaves figures right: what a skipped item told is taken out as well', async () => {
    const endings: Record<string, Ending> = { '1': 'skip', '2': 'succeed' };
    const { id } = await scripted(endings);
    await engine.ended({ id });
    endings['1'] = 'succeed';
    await retry(id, { statuses: ['skipped'] });
    await engine.ended({ id });
    const [row] = await engine.sql<{ count: number; errors: unknown[] }>(
      `SELECT (r.carried_tally #>> '{durations,count}')::int AS count, r.carried_tally -> 'errors' AS errors
       FROM batch b JOIN run r ON r.id = b.run_id WHERE b.id = $1`,
      [id],
    );
    expect(row).toEqual({ count: 1, errors: [] });
  });
});

describe('of results from outside', () => {
  const result = (batchId: string, key: string, success = true) => engine.call(RecordExternalResult, { batchId, key, success });

  test('listed items that got none are waited for again, with those that failed, and each takes its place', async () => {
    const { id } = await engine.create({ operation: 'outside', external: true, items: ['a', 'b', 'c', 'd'] });
    await result(id, 'b', false);
    await result(id, 'c');
    await engine.call(CancelBatch, { batchId: id });
    expect(await engine.ended({ id })).toMatchObject({ counts: { succeeded: 1, failed: 1, cancelled: 2 } });
    const statuses: InputOf<RetryItems>['statuses'] = ['failed', 'cancelled'];
    expect(await retry(id, { statuses })).toMatchObject({ run: 2, counts: { total: 4, succeeded: 1, pending: 3, cancelled: 0 } });
    await expect(result(id, 'c')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await result(id, 'd');
    await engine.call(CancelBatch, { batchId: id });
    expect(await engine.ended({ id })).toMatchObject({ counts: { succeeded: 2, failed: 0, cancelled: 2 } });
    await retry(id, { statuses: ['unprocessed'], keys: ['a'] });
    await result(id, 'a');
    expect(await engine.ended({ id })).toMatchObject({ run: 3, counts: { succeeded: 3, cancelled: 1 } });
    await retry(id, { statuses: ['cancelled'], seqs: [1] });
    await result(id, 'b');
    expect(await engine.ended({ id })).toMatchObject({ run: 4, status: 'completed', counts: { succeeded: 4, cancelled: 0 } });
    expect((await engine.items({ id })).map(({ key, status }) => [key, status])).toEqual(
      ['a', 'b', 'c', 'd'].map((key) => [key, 'succeeded']),
    );
  });

  test('nobody can tell which ones are missing of items that were never listed', async () => {
    const { id } = await engine.create({ operation: 'outside', external: true, totalItems: 3 });
    await result(id, 'a', false);
    await engine.call(CancelBatch, { batchId: id });
    await engine.ended({ id });
    await expect(retry(id, { statuses: ['unprocessed'] })).rejects.toMatchObject(refusal('UNPROCESSABLE', 'were never listed'));
    expect(await retry(id)).toMatchObject({ counts: { total: 3, pending: 1, cancelled: 2 } });
    await result(id, 'a');
    expect(await engine.ended({ id })).toMatchObject({ counts: { succeeded: 1, cancelled: 2 } });
  });
});

test.each<[string, object]>([
  ['statuses', { statuses: [] }],
  ['statuses', { statuses: ['succeeded'] }],
  ['errorKind', { errorKind: '' }],
  ['error', { error: 'x'.repeat(2_001) }],
  ['errorMatch', { errorMatch: 'regex', error: 'x' }],
  ['errorMatch', { errorMatch: 'exact' }],
  ['payload', { payload: { n: 1 } }],
])('a wrong %s is refused %#', async (path, wrong) => {
  const { id } = await scripted({ '1': 'no', '2': 'no' });
  await engine.ended({ id });
  const before = await engine.rowCounts();
  await expect(retry(id, wrong)).rejects.toMatchObject({ code: 'INVALID_INPUT', details: { errors: [{ path }] } });
  expect(await engine.rowCounts()).toEqual(before);
});

test('nothing that is chosen is told with what there is', async () => {
  const { id } = await scripted({ '1': 'no', '2': 'succeed' });
  await engine.ended({ id });
  const message = `nothing to retry: batch ${id} has no item that is chosen (it has 1 failed, 0 skipped and 0 unprocessed)`;
  for (const choice of [{ statuses: ['cancelled' as const] }, { error: 'another' }, { statuses: ['timed_out' as const] }]) {
    await expect(retry(id, choice)).rejects.toMatchObject(refusal('CONFLICT', message));
  }
  expect(await engine.get(id)).toMatchObject({ run: 1 });
});
