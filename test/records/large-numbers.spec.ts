import { rowsFromArray } from '../../src/records/parse/parse-rows.js';
import type { RowFormat, RowOptions } from '../../src/records/parse/parse-rows.js';
import { parseAll } from './bytes.js';

/** Each row's fields, or its line and what is wrong with it, and at the end what is told of all of them. */
async function read(text: string, format: RowFormat, options?: RowOptions): Promise<unknown[]> {
  const { rows, warnings } = await parseAll(text, format, options);
  return [
    ...rows.map((row) => ('problem' in row ? `${row.line}: ${row.problem}` : row.row)),
    ...warnings.map((warning) => `warning: ${warning}`),
  ];
}

const A = '731904562218870001';
const B = '731904562218870002';

/** How a refused row reads. */
const refused = (line: number, path: string, number: string, row = '') =>
  `${line}: ${path}: ${number} has more digits than a JSON number holds exactly; write it as text: "${number}", ` +
  `or import with largeNumbers=text${row}`;

describe('numbers that JavaScript would round are refused', () => {
  test('by the line and the field of each, in NDJSON with any ends of lines', async () => {
    expect(await read(`{"id":${A}}\r\n\r\n{"id":7}\r\n{"id":"${A}"}\r\n{"user":{"ids":[1,-${B}]}}\r\n`, 'ndjson')).toEqual([
      refused(1, 'id', A),
      { id: 7 },
      { id: A },
      refused(5, 'user.ids.1', `-${B}`),
    ]);
  });

  test('by the line at which a row begins in a JSON array over several lines', async () => {
    const text = JSON.stringify([{ id: 1 }, { id: 'large' }, { deep: [{ amount: 'decimal' }] }], null, 2)
      .replace('"large"', A)
      .replace('"decimal"', '1234567890123456.78');
    expect(await read(text, 'json')).toEqual([{ id: 1 }, refused(5, 'id', A), refused(8, 'deep.0.amount', '1234567890123456.78')]);
  });

  test('by the number of the row too, when several begin in one line', async () => {
    expect(await read(`[{"id":1},{"id":${A}},\n{"id":${B}},{"id":${B}}]`, 'json')).toEqual([
      { id: 1 },
      refused(1, 'id', A, ' (row 2)'),
      refused(2, 'id', B),
      refused(2, 'id', B, ' (row 4)'),
    ]);
  });

  test('of any size and form, and what is exact is read', async () => {
    const lines = ['0.1', '1e21', '-0', '1.10', '100000000000000000000', '1152921504606847000'].map((number) => `{"n":${number}}`);
    expect(await read(lines.join('\n'), 'ndjson')).toEqual([0.1, 1e21, -0, 1.1, 1e20, 2 ** 60].map((n) => ({ n })));
    const wrong = ['1e400', '-1e-400', '0.3333333333333333333', '1.00000000000000000001', '9.007199254740993e15'];
    const told = await read(wrong.map((number) => `{"n":${number}}`).join('\n'), 'ndjson');
    expect(told).toEqual(wrong.map((number, index) => expect.stringContaining(`${index + 1}: n: ${number} `)));
  });

  test('in rows that are in memory, which hold BigInts', async () => {
    const rows = [];
    for await (const block of rowsFromArray([{ id: 5 }, { id: BigInt(A) }, { a: { n: Number.NaN } }, { at: new Map() }]))
      rows.push(...block);
    expect(rows).toMatchObject([
      { row: { id: 5 } },
      { line: 2, problem: expect.stringMatching(/^id: is a BigInt.*"731904562218870001"/) },
      { line: 3, problem: expect.stringMatching(/^a\.n: is NaN/) },
      { line: 4, problem: expect.stringMatching(/^at: is a Map/) },
    ]);
  });
});

describe('largeNumbers=text', () => {
  const text = { largeNumbers: 'text' } as const;

  test('keeps them as they are written, and tells how many in which fields', async () => {
    const lines = [`{"id":${A},"n":1}`, `{"id": -${B} ,"list":[{"x":1.00000000000000000001},{"x":1e400}]}`, `{"id":"${A}","a\\"b":0.30}`];
    expect(await read(lines.join('\n'), 'ndjson', text)).toEqual([
      { id: A, n: 1 },
      { id: `-${B}`, list: [{ x: '1.00000000000000000001' }, { x: '1e400' }] },
      { id: A, 'a"b': 0.3 },
      'warning: 4 numbers are too large for JSON and kept as text, by field: id (2), list.*.x (2)',
    ]);
  });

  test('tells of numbers in the same fields that stay numbers, before and after', async () => {
    const lines = ['{"id":1,"n":1}', `{"id":${A},"n":2}`, '{"id":2.5}', `{"id":"${B}"}`];
    expect((await read(`[${lines.join(',\n')}]`, 'json', text)).at(-1)).toBe(
      'warning: 1 number is too large for JSON and kept as text, by field: id (1); ' +
        'other numbers in these fields stayed numbers: id (2)',
    );
  });

  test('makes a column of long ids text in all of its rows, also of those that end in zeros', async () => {
    const ids = [A, '731904562218870000', '1152921504606846976', '9007199254740992'];
    expect(await read(ids.map((id) => `{"id":${id}}`).join('\n'), 'ndjson', text)).toEqual([
      ...ids.map((id) => ({ id })),
      'warning: 4 numbers are too large for JSON and kept as text, by field: id (4)',
    ]);
  });

  test('says nothing when there are none, and reads what is wrong otherwise as wrong', async () => {
    expect(await read('{"id":1}\n{"id":"x"}', 'ndjson', text)).toEqual([{ id: 1 }, { id: 'x' }]);
    expect(await read(`{"id":${A}\n{"id":${A},"__proto__":${A}}\n[${A}]\n${'['.repeat(200)}`, 'ndjson', text)).toEqual([
      expect.stringMatching(/^1: not JSON/),
      expect.stringMatching(/^2: __proto__/),
      '3: a row must be a JSON object',
      expect.stringMatching(/^4: .*100 levels/),
    ]);
  });
});
