import { parse } from 'csv-parse/sync';
import { stringify } from 'csv-stringify/sync';
import fc from 'fast-check';
import { type CsvRow, type CsvSyntax, RowCutter } from '../../../src/records/csv/cut-rows.js';

function cut(text: string, syntax: CsvSyntax, pieces = text.length): CsvRow[] {
  const cutter = new RowCutter(syntax);
  const rows: CsvRow[] = [];
  for (let from = 0; from < text.length; from += Math.max(1, pieces)) rows.push(...cutter.cut(text.slice(from, from + pieces)));
  return [...rows, ...cutter.end()];
}

const cellsOf = (rows: CsvRow[]): string[][] => rows.map(({ cells }) => cells);

const CELL = fc.string({ unit: fc.constantFrom('a', '1', '"', ',', ';', '\t', '|', '\n', '\r', ' ', 'é', '😀'), maxLength: 8 });
const TABLE = fc.array(fc.array(CELL, { minLength: 1, maxLength: 4 }), { maxLength: 6 });

test('property: what csv-stringify writes is read as csv-parse reads it, however it is cut', () =>
  fc.assert(
    fc.property(
      TABLE,
      fc.constantFrom(',', ';', '\t', '|'),
      fc.boolean(),
      fc.integer({ min: 1, max: 20 }),
      (table, delimiter, quoted, pieces) => {
        const text = stringify(table, { delimiter, quoted });
        const expected = parse(text, {
          delimiter,
          relax_column_count: true,
          skip_empty_lines: true,
          record_delimiter: ['\r\n', '\n', '\r'],
        });
        expect(cellsOf(cut(text, { delimiter, quote: '"' }, pieces))).toEqual(expected);
      },
    ),
  ));

test('property: text without quotes is read as csv-parse reads it', () =>
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', ',', '\n', '\r', ' ', '1'), maxLength: 40 }),
      fc.integer({ min: 1, max: 9 }),
      (text, pieces) => {
        const expected = parse(text, { relax_column_count: true, skip_empty_lines: true, record_delimiter: ['\r\n', '\n', '\r'] });
        expect(cellsOf(cut(text, { delimiter: ',', quote: '"' }, pieces))).toEqual(expected);
      },
    ),
  ));

test('property: any text at all is cut the same, however its pieces lie, and no line of it is lost', () =>
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r', ' '), maxLength: 40 }),
      fc.integer({ min: 1, max: 5 }),
      (text, pieces) => {
        const syntax = { delimiter: ',', quote: '"' };
        const whole = cut(text, syntax);
        expect(cut(text, syntax, pieces)).toEqual(whole);
        const letters = (one: string): number => one.split('a').length - 1;
        expect(whole.reduce((sum, { cells }) => sum + letters(cells.join('')), 0)).toBe(letters(text));
      },
    ),
  ));

test('cells in quotes are told from others', () => {
  expect(cut('"1",2,"",\n3,4,5,6\n', { delimiter: ',', quote: '"' })).toEqual([
    { line: 1, cells: ['1', '2', '', ''], quoted: [true, false, true, false] },
    { line: 2, cells: ['3', '4', '5', '6'] },
  ]);
});

test('rows know the lines that they begin at, also behind cells of several lines and empty lines', () => {
  const rows = cut('a\n"b\nc\r\nd"\n\n\ne\r\nf', { delimiter: ',', quote: '"' });
  expect(rows.map(({ line, isAfterGap = false }) => [line, isAfterGap])).toEqual([
    [1, false],
    [2, false],
    [7, true],
    [8, false],
  ]);
});

test('lines before the first one that counts may hold anything', () => {
  const cutter = new RowCutter({ delimiter: ',', quote: '"' }, 3);
  expect(cellsOf([...cutter.cut('a "title\n"open, and\nx,y\n'), ...cutter.end()])).toEqual([['x', 'y']]);
});

test('without quotes a quote is text, and a blank delimiter parts', () => {
  expect(cellsOf(cut('a "b\nc" d\n', { delimiter: ' ' }))).toEqual([
    ['a', '"b'],
    ['c"', 'd'],
  ]);
  expect(cellsOf(cut('"a b" c\n', { delimiter: ' ', quote: '"' }))).toEqual([['a b', 'c']]);
});
