import { CancelBatch } from '../../src/batches/commands/cancel-batch.command.js';
import { PauseBatch } from '../../src/batches/commands/pause-batch.command.js';
import { RecordExternalResult } from '../../src/batches/commands/record-external-result.command.js';
import { ResumeBatch } from '../../src/batches/commands/resume-batch.command.js';
import { RetryItems } from '../../src/batches/commands/retry-items.command.js';
import { SealBatch } from '../../src/batches/commands/seal-batch.command.js';
import type { InputOf } from '../../src/common/procedure.js';
import { Engine, keys } from '../support/engine.js';
import { eventually } from '../support/eventually.js';
import { assertInvariants } from '../support/invariants.js';

let engine: Engine;

beforeAll(async () => (engine = await Engine.start()));
afterEach(() => assertInvariants(engine.database));
afterAll(() => engine.close());

const record = (batchId: string, key: string, more: Partial<InputOf<RecordExternalResult>> = {}) =>
  engine.call(RecordExternalResult, { batchId, key, success: true, ...more });
const typesOf = async (id: string) => (await engine.events({ id })).map(({ type }) => type).filter((type) => type !== 'batch.progress');

test('a batch of an operation without an item handler waits for its results, starts with the first and ends with the last', async () => {
  const batch = await engine.create({ operation: 'export', external: true, totalItems: 2 });
  expect(batch).toMatchObject({ external: true, sealed: true, status: 'pending', counts: { total: 2, pending: 2 } });
  expect(await record(batch.id, 'a', { output: { url: 'x' }, retries: 2, durationMs: 12.5, quality: 0.5 })).toMatchObject({
    status: 'running',
    progress: 50,
    counts: { total: 2, succeeded: 1, pending: 1 },
  });
  expect(await record(batch.id, 'b', { success: false, error: 'timeout' })).toMatchObject({
    status: 'completed',
    progress: 100,
    counts: { failed: 1 },
  });
  expect(await engine.outcomes(batch)).toMatchObject([
    { seq: 0, key: 'a', status: 'succeeded', output: { url: 'x' }, attempts: 3, durationMs: 12.5, quality: 0.5, error: null },
    {
      seq: 1,
      key: 'b',
      status: 'failed',
      output: null,
      attempts: 1,
      durationMs: null,
      quality: null,
      error: { kind: 'external', message: 'timeout' },
    },
  ]);
  expect(await typesOf(batch.id)).toEqual(['batch.created', 'batch.started', 'batch.completed']);
});

test('a second result for the same key changes nothing, also when it says the opposite', async () => {
  const { id } = await engine.create({ operation: 'export', external: true, totalItems: 2 });
  await record(id, 'a', { output: 1 });
  const before = await engine.rowCounts();
  expect(await record(id, 'a', { success: false, output: 2 })).toMatchObject({ counts: { succeeded: 1, failed: 0, pending: 1 } });
  expect(await engine.rowCounts()).toEqual(before);
  expect(await engine.outcomes({ id })).toMatchObject([{ output: 1 }]);
});

test('a batch whose number of results was never told grows with them and ends with the last one', async () => {
  for (const input of [{}, { totalItems: 0 }, { items: [] }]) {
    const batch = await engine.create({ operation: 'report', external: true, ...input });
    expect(batch).toMatchObject({ sealed: false, counts: { total: 0 } });
    expect(await record(batch.id, 'a')).toMatchObject({ status: 'running', counts: { total: 1, succeeded: 1 } });
    expect(await record(batch.id, 'b')).toMatchObject({ status: 'running', progress: 99, counts: { total: 2 } });
    expect(await record(batch.id, 'c', { last: true })).toMatchObject({
      status: 'completed',
      progress: 100,
      sealed: true,
      counts: { total: 3, succeeded: 3 },
    });
  }
});

test('a repeated result may still say that it was the last one', async () => {
  const { id } = await engine.create({ operation: 'report', external: true });
  await record(id, 'a');
  expect(await record(id, 'a', { last: true })).toMatchObject({ status: 'completed', counts: { total: 1 } });
});

test('"last" ends a batch of which fewer results came than were expected: those that came are all', async () => {
  const { id } = await engine.create({ operation: 'report', external: true, totalItems: 5 });
  await record(id, 'a');
  expect(await record(id, 'b', { last: true })).toMatchObject({
    status: 'completed',
    progress: 100,
    counts: { total: 2, succeeded: 2, cancelled: 0 },
  });
});

test('all failed is failed', async () => {
  const { id } = await engine.create({ operation: 'validate', external: true, totalItems: 2 });
  await record(id, 'a', { success: false });
  expect(await record(id, 'b', { success: false })).toMatchObject({ status: 'failed', reason: 'every item failed' });
  expect((await engine.outcomes({ id }))[0]!.error).toEqual({ kind: 'external', message: 'failed without a message' });
});

test('results of listed items are found at their items', async () => {
  const batch = await engine.create({ operation: 'export', external: true, items: ['x', { key: 'y', payload: { n: 1 } }, 'z'] });
  expect(batch).toMatchObject({ sealed: true, counts: { total: 3 } });
  await record(batch.id, 'y', { success: false, error: 'broken' });
  await record(batch.id, 'x');
  expect((await engine.items(batch)).map(({ key, status, error }) => [key, status, error?.message])).toEqual([
    ['x', 'succeeded', undefined],
    ['y', 'failed', 'broken'],
    ['z', 'pending', undefined],
  ]);
  await record(batch.id, 'z');
  expect((await engine.items(batch)).map(({ status }) => status)).toEqual(['succeeded', 'failed', 'succeeded']);
});

test('an item handler’s operation can be told to take results from outside', async () => {
  const batch = await engine.create({ operation: 'noop', external: true, totalItems: 1 });
  expect(batch).toMatchObject({ external: true, status: 'pending' });
  expect(await record(batch.id, 'a')).toMatchObject({ status: 'completed' });
});

describe('refused, with nothing changed:', () => {
  const refused = async (work: Promise<unknown>, code: string, message: RegExp) => {
    await expect(work).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  };

  test('more results than expected, and results after the end', async () => {
    const { id } = await engine.create({ operation: 'export', external: true, totalItems: 1 });
    await record(id, 'a');
    const before = await engine.rowCounts();
    await refused(record(id, 'b'), 'CONFLICT', /is completed/);
    await refused(record(id, 'a'), 'CONFLICT', /is completed/);
    expect(await engine.rowCounts()).toEqual(before);
  });

  test('results of a batch that an item handler works', async () => {
    const { id } = await engine.create({ items: ['a'], start: false });
    await refused(record(id, 'a'), 'CONFLICT', /worked by the item handler of noop/);
    expect(await engine.get(id)).toMatchObject({ status: 'pending' });
  });

  test('results of a cancelled batch', async () => {
    const { id } = await engine.create({ operation: 'export', external: true, totalItems: 3 });
    await record(id, 'a');
    expect(await engine.call(CancelBatch, { batchId: id })).toMatchObject({
      status: 'cancelled',
      stopping: false,
      counts: { succeeded: 1, cancelled: 2 },
    });
    await refused(record(id, 'b'), 'CONFLICT', /is cancelled/);
  });

  test.each<[string, object]>([
    ['an empty key', { key: '' }],
    ['a key with a NUL', { key: 'a\0' }],
    ['a success that is no boolean', { success: 'yes' }],
    ['a quality of 2', { quality: 2 }],
    ['a negative duration', { durationMs: -1 }],
    ['1.5 retries', { retries: 1.5 }],
    ['an unknown field', { colour: 'red' }],
    ['an output that is not JSON', { output: 1n }],
    ['an output nested absurdly deep', { output: JSON.parse('['.repeat(20_000) + ']'.repeat(20_000)) }],
  ])('%s', async (_what, more) => {
    const { id } = await engine.create({ operation: 'export', external: true, totalItems: 1 });
    const before = await engine.rowCounts();
    await refused(record(id, 'a', more), 'INVALID_INPUT', /./);
    expect(await engine.rowCounts()).toEqual(before);
  });

  test('an output that is too large', async () => {
    const { id } = await engine.create({ operation: 'export', external: true, totalItems: 1 });
    await refused(record(id, 'a', { output: 'x'.repeat(262_144) }), 'TOO_LARGE', /at most 262144/);
  });
});

test('a paused batch takes results, and ends with the last of them', async () => {
  const { id } = await engine.create({ operation: 'export', external: true, totalItems: 3 });
  await record(id, 'a');
  await engine.call(PauseBatch, { batchId: id, reason: 'a look at it' });
  expect(await record(id, 'b')).toMatchObject({ status: 'paused', progress: 66 });
  expect(await record(id, 'c')).toMatchObject({ status: 'completed', progress: 100, reason: null });
  await expect(engine.call(ResumeBatch, { batchId: id })).rejects.toMatchObject({ code: 'CONFLICT' });
});

test('a paused batch ends when it is sealed and nothing is open', async () => {
  const { id } = await engine.create({ operation: 'export', external: true });
  await record(id, 'a');
  await engine.call(PauseBatch, { batchId: id });
  expect(await engine.call(SealBatch, { batchId: id })).toMatchObject({ status: 'completed', counts: { total: 1, succeeded: 1 } });
});

test('a batch that nobody finishes in time is timed out', async () => {
  const { id } = await engine.create({ operation: 'export', external: true, totalItems: 2, options: { batchTimeout: 200 } });
  await record(id, 'a', { output: { text: 'a\0b' } });
  expect(await engine.ended({ id })).toMatchObject({
    status: 'timed_out',
    reason: 'Job timeout exceeded',
    counts: { succeeded: 1, cancelled: 1 },
  });
  expect((await engine.outcomes({ id }))[0]!.output).toEqual({ text: 'a\uFFFDb' });
});

test('fifty results at once are each recorded', async () => {
  const { id } = await engine.create({ operation: 'export', external: true, totalItems: 50 });
  await Promise.all(keys(50).map((key) => record(id, key)));
  expect(await engine.get(id)).toMatchObject({ status: 'completed', counts: { succeeded: 50 } });
  expect((await engine.outcomes({ id })).map(({ seq }) => seq)).toEqual(keys(50).map((key) => Number(key) - 1));
});

test('a batch whose items were listed takes results of those alone', async () => {
  const { id } = await engine.create({ operation: 'export', external: true, items: ['a', { payload: 1 }] });
  await expect(record(id, 'x')).rejects.toMatchObject({
    code: 'NOT_FOUND',
    message: expect.stringContaining('no item with the key x') as string,
  });
  expect(await engine.get(id)).toMatchObject({ status: 'pending', counts: { succeeded: 0 } });
  await record(id, 'a');
  expect(await record(id, '2')).toMatchObject({ status: 'completed', counts: { succeeded: 2 } });
});

test('a batch of unknown size is completed by being sealed, with results or without', async () => {
  const some = await engine.create({ operation: 'export', external: true });
  await record(some.id, 'a');
  expect(await engine.call(SealBatch, { batchId: some.id })).toMatchObject({
    status: 'completed',
    progress: 100,
    counts: { total: 1, succeeded: 1 },
  });
  const none = await engine.create({ operation: 'export', external: true });
  expect(await engine.call(SealBatch, { batchId: none.id })).toMatchObject({ status: 'completed', counts: { total: 0 } });
  await expect(engine.call(SealBatch, { batchId: none.id })).rejects.toMatchObject({ code: 'CONFLICT' });
});

test('an open batch of items ends when it is sealed after its items are done', async () => {
  const { id } = await engine.create({ items: keys(3), open: true, start: true });
  await eventually(
    () => engine.get(id),
    (batch) => batch.counts.succeeded === 3,
  );
  expect(await engine.call(SealBatch, { batchId: id })).toMatchObject({ counts: { total: 3, succeeded: 3 } });
  expect(await engine.ended({ id })).toMatchObject({ status: 'completed' });
});

test('an unknown parameter of an operation without a handler is refused', async () => {
  await expect(engine.create({ operation: 'export', external: true, totalItems: 1, parameters: { rate: 5 } })).rejects.toMatchObject({
    code: 'INVALID_INPUT',
    details: { errors: [{ path: 'parameters.rate', code: 'unrecognized_keys' }] },
  });
});

describe('retrying failed results', () => {
  const fail = (id: string, key: string) => record(id, key, { success: false, error: `${key} broke` });

  test('of listed items waits for new ones of just these, which take their items’ places', async () => {
    const batch = await engine.create({ operation: 'export', external: true, items: ['a', 'b', 'c', 'd'] });
    const { id } = batch;
    for (const key of ['d', 'b']) await fail(id, key);
    for (const key of ['a', 'c']) await record(id, key);
    expect(await engine.call(RetryItems, { batchId: id })).toMatchObject({
      run: 2,
      status: 'running',
      sealed: true,
      counts: { total: 4, succeeded: 2, failed: 0, pending: 2 },
    });
    expect((await engine.items(batch)).map(({ status }) => status)).toEqual(['succeeded', 'pending', 'succeeded', 'pending']);
    await expect(record(id, 'a')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await record(id, 'd')).toMatchObject({ status: 'running', progress: 75, counts: { succeeded: 3, pending: 1 } });
    expect(await record(id, 'd')).toMatchObject({ counts: { succeeded: 3, pending: 1 } });
    expect(await fail(id, 'b')).toMatchObject({ status: 'completed', progress: 100, counts: { total: 4, succeeded: 3, failed: 1 } });
    expect((await engine.outcomes(batch)).map(({ key, run, status }) => [key, run, status])).toEqual([
      ['a', 1, 'succeeded'],
      ['b', 2, 'failed'],
      ['c', 1, 'succeeded'],
      ['d', 2, 'succeeded'],
    ]);
    expect((await engine.items(batch)).map(({ status }) => status)).toEqual(['succeeded', 'failed', 'succeeded', 'succeeded']);
    await engine.call(RetryItems, { batchId: id, keys: ['b'] });
    expect(await record(id, 'b')).toMatchObject({ run: 3, status: 'completed', counts: { succeeded: 4, failed: 0 } });
  });

  test('of items that were never listed keeps their order', async () => {
    const { id } = await engine.create({ operation: 'report', external: true });
    for (const key of ['x', 'y', 'z']) await fail(id, key);
    expect(await engine.call(SealBatch, { batchId: id })).toMatchObject({ status: 'failed', counts: { failed: 3 } });
    await engine.call(RetryItems, { batchId: id, keys: ['x', 'z'] });
    await record(id, 'z');
    expect(await record(id, 'x')).toMatchObject({ status: 'completed', counts: { total: 3, succeeded: 2, failed: 1 } });
    expect((await engine.outcomes({ id })).map(({ key, status }) => [key, status])).toEqual([
      ['x', 'succeeded'],
      ['y', 'failed'],
      ['z', 'succeeded'],
    ]);
  });

  test('cannot be cut short without losing items: "last" and a seal are refused until all are there', async () => {
    const { id } = await engine.create({ operation: 'report', external: true, totalItems: 2 });
    await fail(id, 'a');
    await fail(id, 'b');
    await engine.call(RetryItems, { batchId: id });
    const refusal = { code: 'CONFLICT', message: expect.stringContaining('repeated items') as string };
    await expect(engine.call(SealBatch, { batchId: id })).rejects.toMatchObject(refusal);
    await expect(record(id, 'a', { last: true })).rejects.toMatchObject(refusal);
    expect(await engine.get(id)).toMatchObject({ status: 'running', counts: { total: 2, pending: 2 } });
    await record(id, 'a');
    expect(await record(id, 'b', { last: true })).toMatchObject({ status: 'completed', counts: { total: 2, succeeded: 2 } });
  });

  test('counts those that never came as cancelled when the batch is cancelled', async () => {
    const batch = await engine.create({ operation: 'report', external: true, items: ['a', 'b', 'c'] });
    await record(batch.id, 'a');
    for (const key of ['b', 'c']) await fail(batch.id, key);
    await engine.call(RetryItems, { batchId: batch.id });
    await fail(batch.id, 'b');
    expect(await engine.call(CancelBatch, { batchId: batch.id })).toMatchObject({
      status: 'cancelled',
      counts: { succeeded: 1, failed: 1, cancelled: 1 },
    });
    expect((await engine.items(batch)).map(({ status }) => status)).toEqual(['succeeded', 'failed', 'cancelled']);
    await engine.call(RetryItems, { batchId: batch.id });
    expect(await record(batch.id, 'b')).toMatchObject({ status: 'completed', progress: 66, counts: { succeeded: 2, cancelled: 1 } });
  });

  test('cannot go on counting tries: whoever records the results counts them', async () => {
    const { id } = await engine.create({ operation: 'report', external: true, totalItems: 1 });
    await fail(id, 'a');
    const again = engine.call(RetryItems, { batchId: id, continueAttempts: true });
    await expect(again).rejects.toMatchObject({ code: 'UNPROCESSABLE' });
  });
});
