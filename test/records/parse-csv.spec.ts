import fc from 'fast-check';
import { parseAll, read } from './bytes.js';

const MB = 1_048_576;

test('the header names the fields; quotes may hold commas, quotes and newlines', async () => {
  expect(await read('\ufeffname,note\r\nAda,"likes ""maths"",\r\nand poems"\r\n\r\nBob,plain\r\n', 'csv')).toEqual([
    { name: 'Ada', note: 'likes "maths",\r\nand poems' },
    { name: 'Bob', note: 'plain' },
  ]);
});

test.each([
  ['LF', 'a,b\n1,x\n2,y\n'],
  ['CRLF', 'a,b\r\n1,x\r\n2,y\r\n'],
  ['CR', 'a,b\r1,x\r2,y\r'],
  ['CR without the last one', 'a,b\r1,x\r2,y'],
  ['CR with quoted names', '"a","b"\r1,x\r2,y\r'],
  ['all three', 'a,b\r\n1,x\r2,y\n'],
  ['CR CR LF, as a program writes that ends lines twice', 'a,b\r\r\n1,x\r\r\n2,y\r\r\n'],
])('lines may end with %s, however the bytes are cut', async (_, text) => {
  for (const pieces of [1, 2, 3, 7, 1_000]) {
    const { rows } = await parseAll(text, 'csv', {}, pieces);
    expect(rows.map((row) => 'row' in row && row.row)).toEqual([
      { a: 1, b: 'x' },
      { a: 2, b: 'y' },
    ]);
  }
});

test('a CR inside quotes ends no row', async () => {
  expect(await read('a,b\r1,"x\ry"\r2,z\r', 'csv')).toEqual([
    { a: 1, b: 'x\ry' },
    { a: 2, b: 'z' },
  ]);
});

describe('a quote where none may be', () => {
  test.each([
    ['in the middle of a cell', '1,5" pipe', '5" pipe'],
    ['at the end of a cell', '1,pipe 5"', 'pipe 5"'],
    ['in a coordinate', `1,37°49'37.8"N`, `37°49'37.8"N`],
    ['in JSON', '1,{"a":"b"}', '{"a":"b"}'],
    ['twice in a cell', '1,the "old" one', 'the "old" one'],
    ['alone in a cell with others', '1,a"b"c"d', 'a"b"c"d'],
  ])('%s is text', async (_, line, note) => {
    const { rows, warnings } = await parseAll(`id,note\n${line}\n2,x\n`, 'csv');
    expect(rows).toMatchObject([{ row: { id: 1, note } }, { row: { id: 2, note: 'x' } }]);
    expect(warnings).toEqual([]);
  });

  test('after blanks it opens the cell, as in "a", "b"', async () => {
    expect(await read('sku, name\nA1, "Chair, red"\nA2,  "Desk"  \n', 'csv')).toEqual([
      { sku: 'A1', name: 'Chair, red' },
      { sku: 'A2', name: 'Desk' },
    ]);
  });

  test('after a closing one the cell is read as it stands there, and that is told', async () => {
    const { rows, warnings } = await parseAll('a,b\n1,"x"y\n2,"x" "y",\n3,z\n', 'csv');
    expect(rows).toMatchObject([{ row: { b: '"x"y' } }, { row: { b: '"x" "y"' } }, { row: { b: 'z' } }]);
    expect(warnings).toEqual(['2 rows (lines 2, 3) with text behind a closing quote: read as it stands there, quotes and all']);
  });
});

describe('a quote that is never closed spoils its own line and no other', () => {
  const OPEN = expect.stringMatching(/^3: a quote opens a cell and is never closed/) as unknown;

  test.each([
    ['at the end', 'a,b\n1,2\n3,"x\n4,5\n6,7\n', [{ a: 1, b: 2 }, OPEN, { a: 4, b: 5 }, { a: 6, b: 7 }]],
    ['before another quoted cell', 'a,b\n1,2\n3,"x\n4,"y"\n6,7\n', [{ a: 1, b: '2' }, OPEN, { a: 4, b: 'y' }, { a: 6, b: '7' }]],
    ['in the last line', 'a,b\n1,2\n3,"x', [{ a: 1, b: 2 }, OPEN]],
    ['in the last line, with a line end', 'a,b\n1,2\n3,"x\n', [{ a: 1, b: 2 }, OPEN]],
    ['where cells end with CR', 'a,b\r1,2\r3,"x\r4,5\r', [{ a: 1, b: 2 }, OPEN, { a: 4, b: 5 }]],
  ])('%s', async (_, text, rows) => {
    expect(await read(text, 'csv')).toEqual(rows);
  });

  test('also when a megabyte follows', async () => {
    const { rows } = await parseAll(`a,b\n1,"x\n${'3,4\n'.repeat(300_000)}5,6\n`, 'csv', {}, 65_536);
    expect(rows[0]).toMatchObject({ line: 2, problem: expect.stringContaining('never closed') });
    expect(rows).toHaveLength(300_002);
    expect(rows.at(-1)).toMatchObject({ line: 300_003, row: { a: 5, b: 6 } });
  });
});

test('a wrong row is told by the line it begins at', async () => {
  const bytes = Buffer.concat([Buffer.from('a\n"é\né"\n'), Buffer.from([0xe9]), Buffer.from('\nx\n')]);
  expect(await read(bytes, 'csv')).toEqual([{ a: 'é\né' }, '4: not valid UTF-8', { a: 'x' }]);
});

test('a row longer than 1 MB is told and passed over', async () => {
  for (const newline of ['\n', '\r\n', '\r']) {
    const { rows } = await parseAll(['a', 'x'.repeat(MB + 1), 'y', ''].join(newline), 'csv', {}, 65_536);
    expect(rows).toMatchObject([
      { line: 2, problem: expect.stringContaining('longer than') },
      { line: 3, row: { a: 'y' } },
    ]);
  }
});

test.each([
  ['', /is empty/],
  ['\n\n  \n', /is empty/],
  ['a,__proto__\n1,2', /line 1: __proto__ cannot be the name of a column/],
  ['a,constructor\n1,2', /constructor cannot be the name of a column/],
  ['a,"b\n1,2', /line 1: a quote opens a cell and is never closed/],
  [`${Array.from({ length: 1_001 }, (_, index) => `c${index}`).join()}\n`, /it has 1001 columns; at most 1000 are read/],
])('a wrong header is refused, and the reason told: %.20j', async (text, message) => {
  await expect(read(text, 'csv')).rejects.toMatchObject({ code: 'INVALID_INPUT', message: expect.stringMatching(message) });
});

test('a key column that is not there is refused, and those that are there are named', async () => {
  await expect(read('id,name\n1,x\n', 'csv', { textColumn: 'sku' })).rejects.toMatchObject({
    code: 'INVALID_INPUT',
    message: 'keyField: the CSV has no column sku; it has id, name',
  });
});

test('property: what was written is read again, however the bytes are cut', () =>
  fc.assert(
    fc.asyncProperty(
      tableArbitrary(),
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom('\n', '\r\n', '\r'),
      fc.constantFrom(',', ';', '\t', '|'),
      async ({ columns, rows }, size, newline, delimiter) => {
        const text = [columns, ...rows].map((cells) => cells.map(quote).join(delimiter)).join(newline);
        const { rows: parsed } = await parseAll(text, 'csv', { delimiter, header: 1, cells: 'text' }, size);
        expect(parsed.map((row) => ('row' in row ? row.row : row))).toEqual(
          rows
            .filter((cells) => cells.some((cell) => cell.trim() !== ''))
            .map((cells) => Object.fromEntries(columns.map((column, index) => [column, cells[index]]))),
        );
      },
    ),
  ));

function quote(cell: string): string {
  return `"${cell.replaceAll('"', '""')}"`;
}

function tableArbitrary(): fc.Arbitrary<{ columns: string[]; rows: string[][] }> {
  const cell = fc.string({ unit: fc.constantFrom('a', 'é', '"', ',', ';', '\n', '\r', ' ', '1', '.', '😀', '|'), maxLength: 12 });
  return fc
    .uniqueArray(fc.stringMatching(/^[a-z][a-z "',]{0,6}[a-z]$/), { minLength: 1, maxLength: 5 })
    .filter((columns) => !columns.includes('constructor') && !columns.includes('prototype'))
    .chain((columns) =>
      fc.record({
        columns: fc.constant(columns),
        rows: fc.array(fc.array(cell, { minLength: columns.length, maxLength: columns.length }), { maxLength: 10 }),
      }),
    );
}
