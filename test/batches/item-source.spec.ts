import { Readable } from 'node:stream';
import { type ItemSource, itemsFromArray, itemsFromGenerator, itemsFromNdjson, type SourceItem } from '../../src/batches/item-source.js';
import type { NewItem } from '../../src/operations/item-handler.js';

async function read(source: ItemSource): Promise<SourceItem[]> {
  const items: SourceItem[] = [];
  for await (const slice of source) items.push(...slice);
  return items;
}

test('a list gives an item for each of its values, with its line and its key', async () => {
  expect(await read(itemsFromArray(['a', 7, { key: 'b', payload: [1] }, {}, { payload: null }]))).toEqual([
    { line: 1, text: '{"key":"a"}', key: 'a' },
    { line: 2, text: '{"key":"7"}', key: '7' },
    { line: 3, text: '{"key":"b","payload":[1]}', key: 'b' },
    { line: 4, text: '{}' },
    { line: 5, text: '{"payload":null}' },
  ]);
  const many = await read(itemsFromArray(Array.from({ length: 1_234 }, (_, n) => n)));
  expect(many.map((item) => ('line' in item ? item.line : undefined))).toEqual(Array.from({ length: 1_234 }, (_, n) => n + 1));
});

test.each<[string, unknown, RegExp]>([
  ['null', null, /must be an object/],
  ['a list', [1], /must be an object/],
  ['undefined', undefined, /not a JSON value/],
  ['a function', () => 1, /not a JSON value/],
  ['a key that is a number', { key: 5 }, /key must be a string of 1 to 512/],
  ['an empty key', { key: '' }, /key must be a string/],
  ['an unknown field', { kye: 'a' }, /^kye is not a known field/],
  ['a forbidden key', JSON.parse('{"payload":[{"__proto__":1}]}'), /^payload\.0\.__proto__ is a forbidden key/],
  ['a cycle', cyclic(), /not a JSON value: payload\.itself: is circular/],
  ['a BigInt', { payload: { ids: [5n] } }, /not a JSON value: payload\.ids\.0: is a BigInt/],
  ['a key that is NaN', Number.NaN, /not a JSON value: is NaN/],
  ['a number that is none', { payload: { n: Infinity } }, /not a JSON value: payload\.n: is Infinity/],
  ['half a surrogate pair in a key', { key: 'a\ud800' }, /key has a NUL character or half of a surrogate pair/],
])('%s is a problem, whatever it comes from', async (_what, value, problem) => {
  expect(await read(itemsFromArray(['a', value]))).toMatchObject([
    { text: '{"key":"a"}' },
    { line: 2, problem: expect.stringMatching(problem) },
  ]);
  async function* generator(): AsyncGenerator<NewItem> {
    yield { key: 'a' };
    yield value as NewItem;
  }
  expect(await read(itemsFromGenerator(generator()))).toMatchObject([{ line: 1 }, { line: 2, problem: expect.stringMatching(problem) }]);
});

function cyclic(): object {
  const payload: Record<string, unknown> = {};
  payload.itself = payload;
  return { payload };
}

test('NDJSON is the same wherever it is cut, and keeps the text of a payload as it came', async () => {
  const lines = [
    '\uFEFF{"key":"ä😀"}',
    '',
    '{"payload":{"n":1.0, "s":"\\u0041"}}\r',
    'nonsense',
    '"text"',
    '{"key":"x","payload":1234567890123456.5e-10}',
    '{"key":"y","payload":{"id":[12345678901234567890]}}',
  ];
  const bytes = Buffer.from(lines.join('\n'));
  const whole = await read(itemsFromNdjson(Readable.from([bytes])));
  expect(whole).toEqual([
    { line: 1, text: '{"key":"ä😀"}', key: 'ä😀' },
    { line: 3, text: '{"payload":{"n":1.0, "s":"\\u0041"}}' },
    { line: 4, problem: expect.stringMatching(/^not JSON: /) },
    { line: 5, problem: expect.stringMatching(/must be an object/) },
    { line: 6, text: '{"key":"x","payload":1234567890123456.5e-10}', key: 'x' },
    { line: 7, problem: expect.stringMatching(/^payload\.id\.0: 12345678901234567890 has more digits/) },
  ]);
  for (let at = 1; at < bytes.length; at += 1) {
    expect(await read(itemsFromNdjson(Readable.from([bytes.subarray(0, at), bytes.subarray(at)])))).toEqual(whole);
  }
});
