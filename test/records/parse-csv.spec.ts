import fc from 'fast-check';
import { inPieces, parseAll, read } from './bytes.js';

const MB = 1_048_576;

test('the header names the fields; quotes may hold commas, quotes and newlines', async () => {
  expect(await read('\ufeffname,note\r\nAda,"likes ""maths"",\r\nand poems"\r\n\r\nBob,plain\r\n', 'csv')).toEqual([
    { name: 'Ada', note: 'likes "maths",\r\nand poems' },
    { name: 'Bob', note: 'plain' },
  ]);
});

test('plain numbers, true, false and empty cells get their types; codes stay text', async () => {
  expect(await read('a,b,c,d,e,f,g\n12,-1.50,true,,007,1e5,+49301234\n', 'csv')).toEqual([
    { a: 12, b: -1.5, c: true, d: null, e: '007', f: '1e5', g: '+49301234' },
  ]);
  expect(await read('a,b\n1234567890123456789,0.1\n', 'csv')).toEqual([{ a: '1234567890123456789', b: 0.1 }]);
});

test('every cell stays text when asked for, and the key column always does', async () => {
  expect(await read('a,b\n1,\n', 'csv', { cells: 'text' })).toEqual([{ a: '1', b: '' }]);
  expect(await read('version,downloads\n1.10,5\n', 'csv', { textColumn: 'version' })).toEqual([{ version: '1.10', downloads: 5 }]);
});

test.each([';', '\t', ','])('cells may be parted by %j', async (delimiter) => {
  expect(await read(['a', 'b'].join(delimiter) + `\n1${delimiter}"x${delimiter}y"\n`, 'csv')).toEqual([{ a: 1, b: `x${delimiter}y` }]);
});

test('a wrong row is told by the line it begins at, and spoils no other', async () => {
  const text = 'a,b\n1,2\n3\n4,5,6\n"x\ny",7\n8,9" pipe\n10,"a"b\n11,12\n';
  expect(await read(text, 'csv')).toEqual([
    { a: 1, b: 2 },
    '3: the row has 1 cells and the header 2',
    '4: the row has 3 cells and the header 2',
    { a: 'x\ny', b: 7 },
    expect.stringMatching(/^7: not CSV/),
    expect.stringMatching(/^8: not CSV/),
    { a: 11, b: 12 },
  ]);
});

test('a quote that is never closed takes the rest with it, and is told where it begins', async () => {
  expect(await read('a,b\n1,2\n3,"x\n4,5\n6,7\n', 'csv')).toEqual([
    { a: 1, b: 2 },
    expect.stringMatching(/^3: not CSV: a quote is not closed/),
  ]);
});

test('a quote that stays open for a megabyte was no quote: the rows after it are read', async () => {
  const rows = await parseAll(inPieces(`a,b\n1,"x\n${'3,4\n'.repeat(300_000)}5,6\n`, 65_536), 'csv');
  expect(rows[0]).toMatchObject({ line: 2, problem: expect.stringContaining('longer than') as string });
  expect(rows.at(-1)).toMatchObject({ line: 300_003, row: { a: 5, b: 6 } });
});

test('a row that is not UTF-8 is told by its line', async () => {
  const bytes = Buffer.concat([Buffer.from('a\né\n'), Buffer.from([0xe9]), Buffer.from('\nx\n')]);
  expect(await read(bytes, 'csv')).toEqual([{ a: 'é' }, '3: not valid UTF-8', { a: 'x' }]);
});

test('a row longer than 1 MB is told and passed over', async () => {
  const rows = await parseAll(inPieces(`a\n${'x'.repeat(MB + 1)}\ny\n`, 65_536), 'csv');
  expect(rows).toMatchObject([
    { line: 2, problem: expect.stringContaining('longer than') as string },
    { line: 3, row: { a: 'y' } },
  ]);
});

test.each([
  ['', 'is empty'],
  ['a,__proto__\n1,2', '__proto__ cannot be the name of a column'],
  ['a,constructor\n1,2', 'constructor cannot be the name of a column'],
  ['a,a\n1,2', 'two columns are named a'],
  ['a,\n1,2', 'column 2 has no name'],
  ['a,"b\n1,2', 'not valid CSV'],
  [Array.from({ length: 1_001 }, (_, index) => `c${index}`).join(), 'at most 1000'],
])('a wrong header is refused: %.20j', async (text, message) => {
  await expect(read(text, 'csv')).rejects.toMatchObject({ code: 'INVALID_INPUT', message: expect.stringContaining(message) as string });
});

test('property: what was written is read again, however the bytes are cut', () =>
  fc.assert(
    fc.asyncProperty(
      tableArbitrary(),
      fc.integer({ min: 1, max: 40 }),
      fc.constantFrom('\n', '\r\n'),
      async ({ columns, rows }, size, newline) => {
        const text = [columns, ...rows].map((cells) => cells.map(quote).join(',')).join(newline);
        const parsed = await parseAll(inPieces(text, size), 'csv', { cells: 'text' });
        expect(parsed.map((row) => ('row' in row ? row.row : row))).toEqual(
          rows.map((cells) => Object.fromEntries(columns.map((column, index) => [column, cells[index]]))),
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
