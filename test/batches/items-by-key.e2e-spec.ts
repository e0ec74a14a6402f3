import { Readable } from 'node:stream';
import { AddItems } from '../../src/batches/commands/add-items.command.js';
import { RetryItems } from '../../src/batches/commands/retry-items.command.js';
import { hashesOf, mayHold } from '../../src/batches/key-summary.js';
import { itemsFromArray, itemsFromNdjson, type ItemSource } from '../../src/batches/item-source.js';
import { GetItemHistory } from '../../src/batches/queries/get-item-history.query.js';
import { ListOutcomes } from '../../src/batches/queries/list-outcomes.query.js';
import { Engine, FAST_RETRY } from '../support/engine.js';

let engine: Engine;

beforeAll(async () => (engine = await Engine.start()));
afterAll(() => engine.close());

const OPTIONS = { ...FAST_RETRY, retryAttempts: 0, batchSize: 7 };
/** Some are spelled with escapes in JSON, some look like the numbers that items without a key are called by. */
const KEYS = ['a', 'ä😀', '"quoted"', 'back\\slash', '\n', '\ud800'.toWellFormed(), '17', '3', 'x'.repeat(512)];

function valuesOf(count: number): { key?: string; payload: { n: number } }[] {
  return Array.from({ length: count }, (_, n) => ({ ...keyAt(n), payload: { n } }));
}

function keyAt(n: number): { key?: string } {
  if (n % 50 === 20) return { key: KEYS[Math.floor(n / 50) % KEYS.length]! };
  return n % 3 === 0 ? {} : { key: `order-${n}` };
}

/** Written with escapes wherever there may be some. */
function ndjson(values: object[]): ItemSource {
  const escaped = values.map((value) => JSON.stringify(value).replace(/[a-z\u0080-\uffff](?=[^"]*","payload")/g, escape16));
  return itemsFromNdjson(Readable.from([Buffer.from(escaped.join('\n'))]));
}

const escape16 = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

const CHUNKS = `SELECT count(*)::int AS chunks, count(keys)::int AS summaries FROM chunk_items i JOIN run r ON r.id = i.run_id AND r.no = 1 WHERE batch_id = $1`;

async function batchOf(sourceOf: (values: object[]) => ItemSource): Promise<string> {
  let failing = true;
  const { id } = await engine.run(
    ({ payload }) => {
      if (failing && payload.n % 10 === 0) throw new Error('no');
    },
    { open: true, start: true, options: OPTIONS },
  );
  await engine.call(AddItems, { batchId: id, source: sourceOf(valuesOf(600)), seal: true });
  await engine.ended({ id });
  failing = false;
  await engine.call(RetryItems, { batchId: id });
  await engine.ended({ id });
  return id;
}

/** What is found by each key, and by some that no item has, is what has it among all. */
async function expectFound(batchId: string): Promise<void> {
  const { rows: all } = await engine.call(ListOutcomes, { batchId, history: true, limit: 10_000 });
  const keys = [
    ...new Set(all.filter((_, n) => n % 7 === 0).map(({ key }) => key)),
    ...KEYS,
    'order-0',
    '599',
    '600',
    '601',
    '0',
    'nobody',
  ];
  for (const key of keys) {
    const expected = all.filter((row) => row.key === key);
    expect(await engine.call(ListOutcomes, { batchId, key, history: true })).toMatchObject({ rows: expected, total: expected.length });
    const seqs = new Set(expected.map(({ seq }) => seq));
    const history = engine.call(GetItemHistory, { batchId, key });
    if (seqs.size === 1) expect(await history).toMatchObject({ key, outcomes: expected });
    else await expect(history).rejects.toMatchObject({ code: seqs.size === 0 ? 'NOT_FOUND' : 'CONFLICT' });
  }
}

test.each([
  ['listed', itemsFromArray],
  ['streamed', ndjson],
])('items that were %s are found by their keys, in all runs, and by their numbers if they have none', async (_, sourceOf) => {
  const id = await batchOf(sourceOf);
  const [{ chunks, summaries }] = (await engine.sql<{ chunks: number; summaries: number }>(CHUNKS, [id])) as [never];
  expect(summaries).toBe(chunks);

  await expectFound(id);
});

test('items of chunks without a summary are found as well', async () => {
  const id = await batchOf(itemsFromArray);
  await engine.sql('UPDATE chunk_items SET keys = NULL WHERE run_id = (SELECT id FROM run WHERE batch_id = $1 AND no = 1)', [id]);

  await expectFound(id);
});

test('of 500 chunks whose items have other keys few are looked into', async () => {
  const { id } = await engine.create({
    items: Array.from({ length: 5_000 }, (_, n) => `order-${n}`),
    start: false,
    options: { batchSize: 10 },
  });
  const looked = `SELECT count(*)::int AS chunks FROM chunk_items WHERE run_id = (SELECT run_id FROM batch WHERE id = $1) AND ${mayHold('keys', '$2', '$3')}`;
  for (const key of ['order-77', 'order-4999', 'nobody', 'order-5000']) {
    const [{ chunks }] = (await engine.sql<{ chunks: number }>(looked, [id, ...hashesOf(key)])) as [never];
    expect(chunks).toBeLessThan(25);
  }
});
