import { Readable } from 'node:stream';
import { AddItems } from '../../src/batches/commands/add-items.command.js';
import { CancelBatch } from '../../src/batches/commands/cancel-batch.command.js';
import { DeleteBatch } from '../../src/batches/commands/delete-batch.command.js';
import { PauseBatch } from '../../src/batches/commands/pause-batch.command.js';
import { StartBatch } from '../../src/batches/commands/start-batch.command.js';
import { type ItemSource, itemsFromArray, itemsFromNdjson } from '../../src/batches/item-source.js';
import { ListAudit } from '../../src/batches/queries/list-audit.query.js';
import { Engine, keys } from '../support/engine.js';
import { eventually } from '../support/eventually.js';
import { assertInvariants } from '../support/invariants.js';

let engine: Engine;

beforeAll(async () => (engine = await Engine.start()));
afterEach(() => assertInvariants(engine.database));
afterAll(() => engine.close());

const ndjson = (lines: string[]): ItemSource => itemsFromNdjson(Readable.from([Buffer.from(lines.join('\n'))]));
const open = () => engine.create({ open: true });
const add = (batchId: string, source: ItemSource, more: { onInvalid?: 'refuse' | 'skip'; seal?: boolean } = {}) =>
  engine.call(AddItems, { batchId, source, ...more });

test('items are added to an open batch from lists and streams, and sealing ends it', async () => {
  const { id } = await open();
  expect(await add(id, itemsFromArray(['a', 'b']))).toMatchObject({ added: 2, skipped: 0, problems: [], total: 2 });
  expect(await add(id, ndjson(['{"key":"c"}', '', '{"payload":5}', '']))).toMatchObject({ added: 2, skipped: 0, problems: [], total: 4 });
  await engine.call(StartBatch, { batchId: id, open: true });
  await eventually(
    () => engine.get(id),
    ({ counts }) => counts.succeeded === 4,
  );
  expect(await engine.get(id)).toMatchObject({ status: 'running', sealed: false, progress: 99 });
  expect(await add(id, itemsFromArray(['e']), { seal: true })).toMatchObject({ added: 1, total: 5 });
  expect(await engine.ended({ id })).toMatchObject({ status: 'completed', sealed: true, counts: { total: 5, succeeded: 5 } });
  expect((await engine.outcomes({ id })).map(({ key }) => key)).toEqual(['a', 'b', 'c', '4', 'e']);
});

test('a batch that is sealed without an item completes', async () => {
  const { id } = await open();
  await engine.call(StartBatch, { batchId: id, open: true });
  expect(await add(id, itemsFromArray([]), { seal: true })).toMatchObject({ added: 0, skipped: 0, problems: [], total: 0 });
  expect(await engine.ended({ id })).toMatchObject({ status: 'completed', counts: { total: 0 } });
});

test('one wrong line refuses all of them, each named with its number, and leaves nothing behind', async () => {
  const { id } = await open();
  await add(id, itemsFromArray(['kept']));
  const before = await engine.rowCounts();
  const lines = [
    ...keys(12_000).map((key) => `{"key":"${key}"}`),
    'not json',
    '',
    '{"key":7}',
    '[1]',
    '{"other":1}',
    '{"payload":{"__proto__":1}}',
  ];
  await expect(add(id, ndjson(lines))).rejects.toMatchObject({
    code: 'INVALID_INPUT',
    message: expect.stringMatching(/nothing was added: line 12001: not JSON/),
    details: {
      errors: [12_001, 12_003, 12_004, 12_005, 12_006].map((line) =>
        expect.objectContaining({ path: `items.${line - 1}`, message: expect.stringContaining(`line ${line}: `) }),
      ),
    },
  });
  expect(await engine.rowCounts()).toEqual(before);
  expect((await engine.get(id)).counts.total).toBe(1);
});

test('wrong lines are skipped and named when that is asked for', async () => {
  const { id } = await open();
  const broken = Buffer.concat([
    Buffer.from('{"key":"a"}\n{"key":"b'),
    Buffer.from([0xff, 0xfe]),
    Buffer.from('"}\nnonsense\n{"key":"c"}\n'),
  ]);
  const long = Buffer.from(`{"payload":"${'x'.repeat(1_048_577)}"}\n{"key":"d"}`);
  const report = await add(id, itemsFromNdjson(Readable.from([broken, long])), { onInvalid: 'skip', seal: true });
  expect(report).toEqual({
    warnings: [],
    added: 3,
    skipped: 3,
    total: 3,
    problems: [
      { line: 2, message: 'not valid UTF-8' },
      { line: 3, message: expect.stringContaining('not JSON') },
      { line: 5, message: 'longer than 1048576 bytes' },
    ],
  });
  await engine.call(StartBatch, { batchId: id });
  await engine.ended({ id });
  expect((await engine.outcomes({ id })).map(({ key }) => key)).toEqual(['a', 'c', 'd']);
});

test('only the first hundred of many problems are named', async () => {
  const { id } = await open();
  const report = await add(id, ndjson(keys(5_000).map((key) => (Number(key) % 2 ? 'wrong' : `{"key":"${key}"}`))), { onInvalid: 'skip' });
  expect(report).toMatchObject({ added: 2_500, skipped: 2_500, total: 2_500, problems: { length: 100 } });
});

test('lines nested too deep or with a forbidden key anywhere are refused, not run into', async () => {
  const { id } = await open();
  const report = await add(
    id,
    ndjson([
      `{"payload":${'['.repeat(400_000)}${']'.repeat(400_000)}}`,
      `{"payload":${'{"\\u0061":'.repeat(50_000)}1${'}'.repeat(50_000)}}`,
      '{"payload":[{"\\u005f_proto__":1}]}',
      '{"key":"fine","payload":"constructor"}',
    ]),
    { onInvalid: 'skip' },
  );
  expect(report).toMatchObject({ added: 1, skipped: 3 });
});

test('a stream that breaks in the middle leaves nothing in refuse mode, and what came before it in skip mode', async () => {
  const { id } = await open();
  async function* breaking(): ItemSource {
    yield* itemsFromArray(keys(12_000));
    throw new Error('connection lost');
  }
  const before = await engine.rowCounts();
  await expect(add(id, breaking())).rejects.toThrow('connection lost');
  expect(await engine.rowCounts()).toEqual(before);
  expect((await engine.get(id)).counts.total).toBe(0);
  await expect(add(id, breaking(), { onInvalid: 'skip' })).rejects.toThrow('connection lost');
  const { counts } = await engine.get(id);
  expect(counts.total).toBeGreaterThan(0);
  expect(counts.total).toBeLessThanOrEqual(12_000);
});

test('items of a refused intake leave a gap that nobody sees', async () => {
  const { id } = await open();
  await add(id, itemsFromArray(['a']));
  await expect(add(id, itemsFromArray([...keys(6_000), false]))).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  await add(id, itemsFromArray(['b']), { seal: true });
  await engine.call(StartBatch, { batchId: id });
  expect(await engine.ended({ id })).toMatchObject({ status: 'completed', counts: { total: 2, succeeded: 2 } });
  expect((await engine.items({ id })).map(({ key, status }) => [key, status])).toEqual([
    ['a', 'succeeded'],
    ['b', 'succeeded'],
  ]);
});

test('many who add at once get distinct places, while the batch runs', async () => {
  const batch = await engine.run(({ key }) => ({ output: key }), { open: true, start: true, options: { concurrency: 60, batchSize: 100 } });
  await Promise.all(
    Array.from({ length: 12 }, (_, adder) =>
      add(batch.id, itemsFromArray(keys(700).map((key) => `${adder}-${key}`)), { onInvalid: adder % 2 ? 'skip' : 'refuse' }),
    ),
  );
  await add(batch.id, itemsFromArray([]), { seal: true });
  expect(await engine.ended(batch)).toMatchObject({ status: 'completed', counts: { total: 8_400, succeeded: 8_400 } });
  const outcomes = await engine.outcomes(batch);
  expect(new Set(outcomes.map(({ key }) => key)).size).toBe(8_400);
  expect(new Set(outcomes.map(({ seq }) => seq)).size).toBe(8_400);
});

test('one seal wins over adders that come too late: what is refused is not there', async () => {
  for (let round = 0; round < 20; round += 1) {
    const { id } = await open();
    const reports = await Promise.all([
      ...['a', 'b', 'c'].map((key) =>
        add(id, itemsFromArray([key])).catch((error: unknown) => expect(error).toMatchObject({ code: 'CONFLICT' })),
      ),
      add(id, itemsFromArray(['last']), { seal: true }),
    ]);
    const added = reports.filter((report) => report !== undefined).length;
    expect((await engine.get(id)).counts.total).toBe(added);
  }
});

describe('nothing is added', () => {
  const refused = async (batchId: string, message: RegExp) => {
    const before = await engine.rowCounts();
    for (const onInvalid of ['refuse', 'skip'] as const) {
      await expect(add(batchId, itemsFromArray(['late']), { onInvalid })).rejects.toMatchObject({
        code: 'CONFLICT',
        message: expect.stringMatching(message),
      });
    }
    expect(await engine.rowCounts()).toEqual(before);
  };

  test('to a sealed batch', async () => {
    const { id } = await engine.create({ items: ['a'], start: false });
    await refused(id, /is sealed/);
  });

  test('to a batch that has ended', async () => {
    const { id } = await open();
    await engine.call(CancelBatch, { batchId: id });
    await refused(id, /is cancelled/);
  });

  test('to a batch with results from outside', async () => {
    const { id } = await engine.create({ operation: 'export', external: true });
    await refused(id, /results from outside/);
  });

  test('to a batch that is not there, or is another tenant’s', async () => {
    const { id } = await open();
    await expect(add('nowhere', itemsFromArray(['a']))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(engine.call(AddItems, { batchId: id, source: itemsFromArray(['a']) }, { tenant: 'globex' })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  test('to a batch that is cancelled or deleted while the stream runs', async () => {
    for (const end of [
      (id: string) => engine.call(CancelBatch, { batchId: id }),
      (id: string) => engine.call(DeleteBatch, { batchId: id }),
    ]) {
      const { id } = await open();
      async function* source(): ItemSource {
        yield* itemsFromArray(keys(5_000));
        await end(id);
        yield* itemsFromArray(keys(5_000));
      }
      await expect(add(id, source())).rejects.toMatchObject({ code: expect.stringMatching(/CONFLICT|NOT_FOUND/) });
      expect(await engine.sql('SELECT 1 FROM chunk WHERE state = 3')).toEqual([]);
    }
  });

  test('but a paused batch takes items', async () => {
    const { id } = await open();
    await engine.call(StartBatch, { batchId: id, open: true });
    await engine.call(PauseBatch, { batchId: id });
    expect(await add(id, itemsFromArray(['a']))).toMatchObject({ added: 1, total: 1 });
    expect(await engine.get(id)).toMatchObject({ status: 'paused', counts: { total: 1, pending: 1 } });
  });
});

test('the audit tells how many items each request added, also one that broke off, and who sealed the batch', async () => {
  const { id } = await open();
  const by = { tenant: 'acme', subject: 'ann' };
  const addAs = (source: ItemSource, more: object = {}) => engine.call(AddItems, { batchId: id, source, ...more }, by);
  await addAs(itemsFromArray(['a', 'b']));
  await addAs(ndjson(['{"key":"c"}', 'not json']), { onInvalid: 'skip' });
  await expect(addAs(ndjson(['{"key":"d"}', 'not json']))).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  await addAs(ndjson(['not json']), { onInvalid: 'skip' });
  const breaksOff = async function* (): ItemSource {
    yield keys(5_000).map((key) => ({ line: Number(key), text: `{"key":"${key}"}`, key }));
    await Promise.reject(new Error('the client is gone'));
  };
  await expect(addAs(breaksOff(), { onInvalid: 'skip' })).rejects.toThrow('the client is gone');
  await addAs(itemsFromArray(['e']), { seal: true });
  const { rows } = await engine.call(ListAudit, { batchId: id });
  expect(rows.map(({ action, details, by: who }) => [action, details, who])).toEqual([
    ['seal', { items: 5_004 }, 'ann'],
    ['add items', { items: 1 }, 'ann'],
    ['add items', { items: 5_000 }, 'ann'],
    ['add items', { items: 1 }, 'ann'],
    ['add items', { items: 2 }, 'ann'],
  ]);
});
