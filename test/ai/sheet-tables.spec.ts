import { toSourceDocument } from '../../src/ai/document/source-document.js';
import { analyzeDocument } from '../../src/ai/offline/document/analyze-document.js';
import { tablesIn } from '../../src/ai/offline/document/extract.js';
import { findTables } from '../../src/ai/offline/document/tables.js';
import type { Findings } from '../../src/ai/document/analysis.js';
import { workbookOf } from '../support/sample-files.js';
import { read } from '../support/workbooks.js';

type Rows = Parameters<typeof workbookOf>[0][string];

/** A workbook as the analyzers take it. */
const documentOf = async (sheets: Record<string, Rows>, maxTextCharacters = 100_000, fields = {}) => {
  const found = await read(await workbookOf(sheets), { cells: true, maxTextCharacters });
  const cut = found.characters > found.text.length;
  return {
    ...toSourceDocument(fields, found.text, cut),
    sheets: found.sheets.map(({ name, rows, cells }) => ({ name, rows, cells: cells! })),
  };
};

const tablesOf = async (sheets: Record<string, Rows>) => tablesIn(await documentOf(sheets)).tables;

const STOCK: Rows = [['Item', 'Colour', 'Price'], ['Chair', 'red', 49], ['Desk', null, 199], ['Lamp']];

const STOCK_ROWS = [
  ['Chair', 'red', '49'],
  ['Desk', '', '199'],
  ['Lamp', '', ''],
];

describe('the tables of a workbook', () => {
  test('keep empty cells in their places', async () => {
    const document = await documentOf({ Orders: STOCK });
    const findings = analyzeDocument(document, 'DATA_EXTRACTION') as Findings<'DATA_EXTRACTION'>;
    expect(findings.extraction.tables).toEqual([{ name: 'Orders', columns: ['Item', 'Colour', 'Price'], rows: STOCK_ROWS, rowCount: 3 }]);
  });

  test('are those of all sheets, in their order', async () => {
    const tables = await tablesOf({
      Orders: STOCK,
      Empty: [],
      Prices: [
        ['Dish', 'Price'],
        ['Soup', 4.5],
      ],
    });
    expect(tables.map(({ name, columns, rowCount }) => [name, columns.length, rowCount])).toEqual([
      ['Orders', 3, 3],
      ['Prices', 2, 1],
    ]);
  });

  test('have the title that stands above them, and begin where their first column is', async () => {
    const rows = [[], [null, 'Stock of May'], [], ...STOCK.map((row) => [null, null, ...(row as string[])])];
    expect(await tablesOf({ Orders: rows })).toEqual([
      { name: 'Stock of May', columns: ['Item', 'Colour', 'Price'], rows: STOCK_ROWS, rowCount: 3 },
    ]);
    expect(await tablesOf({ Orders: [['Stock of May'], ...STOCK] })).toMatchObject([{ name: 'Stock of May', rowCount: 3 }]);
  });

  test('are parted by blank rows', async () => {
    const tables = await tablesOf({ Orders: [...STOCK, [], ['Dish', 'Price'], ['Soup', 4.5], [], ['Total', 252.5]] });
    expect(tables).toMatchObject([
      { columns: ['Item', 'Colour', 'Price'], rowCount: 3 },
      { columns: ['Dish', 'Price'], rows: [['Soup', '4.5']] },
    ]);
  });

  test('may have columns without a name, rows longer than the header, and no rows at all', async () => {
    expect(
      await tablesOf({
        One: [
          ['Item', null, 'Price'],
          ['Chair', 'red', 49, 'sold'],
        ],
      }),
    ).toEqual([{ name: 'One', columns: ['Item', '', 'Price', ''], rows: [['Chair', 'red', '49', 'sold']], rowCount: 1 }]);
    expect(await tablesOf({ One: [['Item', 'Price']] })).toEqual([{ name: 'One', columns: ['Item', 'Price'], rows: [], rowCount: 0 }]);
    expect(await tablesOf({ One: [['just one cell'], ['and another']] })).toEqual([]);
  });

  test('hold line breaks, tabs and the dividers of text in their cells', async () => {
    const odd = ['two\nlines', 'a\tb', 'a|b', 'a;b,c,d', '007', '1.10'];
    expect(await tablesOf({ One: [['a', 'b', 'c', 'd', 'e', 'f'], odd] })).toMatchObject([{ rows: [odd], rowCount: 1 }]);
  });

  test('stand beside those of the fields of its record', async () => {
    const document = await documentOf({ Orders: STOCK }, 100_000, {
      lines: [
        { sku: 'a', price: 3 },
        { sku: 'b', price: 4 },
      ],
    });
    expect(tablesIn(document).tables.map(({ name }) => name)).toEqual(['lines', 'Orders']);
  });

  test('say when they have more rows, columns or neighbours than are told', async () => {
    const wide = Array.from({ length: 120 }, (_, n) => `c${n}`);
    const many = Array.from({ length: 12 }, () => [['a', 'b'], [1, 2], []]).flat();
    const long = Array.from({ length: 500 }, (_, n) => [n, `row ${n}`]);
    const told = tablesIn(await documentOf({ Wide: [wide, wide], Long: [['n', 'text'], ...long] }, 3_000));
    expect(told.tables.map(({ columns, rows }) => [columns.length, rows.length])).toEqual([
      [100, 1],
      [2, 50],
    ]);
    expect(told.warnings).toEqual([
      'the table "Wide" has 120 columns; the first 100 are told',
      expect.stringMatching(/^the table "Long" has more than the \d+ rows that are counted: its document is longer than what is read$/),
    ]);
    expect(tablesIn(await documentOf({ Many: many }))).toMatchObject({
      tables: { length: 10 },
      warnings: ['12 tables were found; the first 10 are told'],
    });
  });
});

describe('a table in text that a program made', () => {
  test('keeps empty cells in their places, also at the ends of its lines', () => {
    const text = 'Orders\nItem\tColour\tPrice\nChair\tred\t49\nDesk\t\t199\n\tblue\t5\nLamp\t\t\n';
    expect(findTables(text)).toEqual([
      {
        name: 'Orders',
        columns: ['Item', 'Colour', 'Price'],
        rows: [
          ['Chair', 'red', '49'],
          ['Desk', '', '199'],
          ['', 'blue', '5'],
          ['Lamp', '', ''],
        ],
        rowCount: 4,
      },
    ]);
  });

  test('may have columns without a name', () => {
    expect(findTables('Item\t\tPrice\nChair\tred\t49\nDesk\t\t199\n')).toMatchObject([{ columns: ['Item', '', 'Price'], rowCount: 2 }]);
    expect(findTables('Item;;Price\nChair;red;49\nDesk;;199\n')).toEqual([]);
  });
});
