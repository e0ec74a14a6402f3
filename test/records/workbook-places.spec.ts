import { utils, write } from '@e965/xlsx';
import ExcelJS from 'exceljs';
import fc from 'fast-check';
import { workbookOf } from '../support/sample-files.js';
import { handMade, read, rowsOf, SHEET, sheetXml, stringsXml, stylesXml, withCells, workbookXml } from '../support/workbooks.js';

const made = (sheets: Record<string, ExcelJS.CellValue[][]>) => workbookOf(sheets);

/** The same rows written by another library. */
const madeElsewhere = (rows: unknown[][], options: object = {}): Buffer =>
  write({ SheetNames: ['One'], Sheets: { One: utils.aoa_to_sheet(rows) } }, { type: 'buffer', ...options }) as Buffer;

describe('cells keep their columns', () => {
  const STOCK = [['Item', 'Colour', 'Price'], ['Chair', 'red', 49], ['Desk', null, 199], [null, null, 5], ['Lamp']];
  const TEXT = 'One\nItem\tColour\tPrice\nChair\tred\t49\nDesk\t\t199\n\t\t5\nLamp\n';

  test('where others are empty', async () => {
    expect((await read(await made({ One: STOCK }))).text).toBe(TEXT);
    for (const options of [{}, { bookSST: true }, { compression: true }])
      expect((await read(madeElsewhere(STOCK, options))).text).toBe(TEXT);
  });

  test('in a header with gaps, and in a sheet that begins further right', async () => {
    const found = await read(
      await made({
        One: [
          ['Item', null, 'Price'],
          ['Chair', 'red', 49],
        ],
        Two: [[], [null, null, 'x'], [null, 'y']],
      }),
    );
    expect(found.sheets).toEqual([
      { name: 'One', rows: 2, columns: 3, header: ['Item', '', 'Price'] },
      { name: 'Two', rows: 2, columns: 3, header: ['', '', 'x'] },
    ]);
    expect(found.text).toBe('One\nItem\t\tPrice\nChair\tred\t49\nTwo\n\t\tx\n\ty\n');
  });

  test('whatever is between them: styled cells without a value, empty texts, empty formulas', async () => {
    const cells =
      '<c r="A1"><v>1</v></c><c r="B1" s="0"/><c r="C1" t="s"/><c r="D1" t="str"><f>""</f><v></v></c><c r="E1"><v>2</v></c><c r="F1" s="0"/>';
    expect(await read(withCells(cells))).toMatchObject({
      text: 'One\n1\t\t\t\t2\n',
      sheets: [{ columns: 5, header: ['1', '', '', '', '2'] }],
    });
  });

  test('whatever order they are written in, and the later of two at one place counts', async () => {
    const cells = '<c r="C1"><v>3</v></c><c r="A1"><v>1</v></c><c r="C1"><v>4</v></c><c r="$B$1"><v>2</v></c>';
    expect(await rowsOf(withCells(cells))).toEqual([['1', '2', '4']]);
  });

  test('when they say nothing of their place, or nothing that can be understood', async () => {
    expect(await rowsOf(withCells('<c><v>1</v></c><c/><c><v>2</v></c>'))).toEqual([['1', '', '2']]);
    expect(await rowsOf(withCells('<c r="B1"><v>1</v></c><c><v>2</v></c><c r=""><v>3</v></c>'))).toEqual([['', '1', '2', '3']]);
    expect(await rowsOf(withCells('<c r="b1"><v>1</v></c><c r="aa1"><v>2</v></c>'))).toEqual([
      ['', '1', ...Array<string>(24).fill(''), '2'],
    ]);
    const odd = await read(withCells('<c r="0"><v>1</v></c><c r="1"><v>2</v></c>'));
    expect(odd).toMatchObject({
      text: 'One\n1\t2\n',
      warnings: ['cells whose place is not told as it should be, put beside the one before them: 2, first One!A1'],
    });
  });

  test('also the last one that there is', async () => {
    const found = await read(withCells('<c r="A1"><v>1</v></c><c r="XFD1"><v>2</v></c>'), { maxTextCharacters: 100 });
    expect(found.sheets).toMatchObject([{ columns: 16_384, header: ['1', ...Array<string>(99).fill('')] }]);
    expect(found.text).toBe(`One\n1${'\t'.repeat(95)}`);
    expect(found.characters).toBe('One\n1'.length + 16_383 + 2);
  });

  test('in rows that two libraries fill at random', async () => {
    const cell = fc.oneof(
      { weight: 2, arbitrary: fc.constant(null) },
      { weight: 1, arbitrary: fc.integer() },
      { weight: 1, arbitrary: fc.boolean() },
      { weight: 1, arbitrary: fc.stringMatching(/^[ -~À-ž東京]{1,12}$/).filter((text) => !/_x[0-9a-f]{4}_/i.test(text)) },
    );
    const shownOf = (rows: (string | number | boolean | null)[][]) =>
      rows
        .map((row) => row.map((value) => (value === null ? '' : String(value))).slice(0, row.findLastIndex((value) => value !== null) + 1))
        .filter((row) => row.length > 0);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(cell, { maxLength: 6 }), { maxLength: 6 }), async (rows) => {
        const withoutGaps = (found: string[][]): string[][] => found.filter((row) => row.length > 0);
        expect(withoutGaps(await rowsOf(await made({ One: rows })))).toEqual(shownOf(rows));
        expect(withoutGaps(await rowsOf(madeElsewhere(rows)))).toEqual(shownOf(rows));
      }),
      { numRuns: 40 },
    );
  });
});

describe('rows', () => {
  const row = (number: string, value: number) => `<row ${number}><c><v>${value}</v></c></row>`;

  test('are counted where they hold something, and blank ones passed over', async () => {
    const found = await read(await made({ One: [[], ['a'], [], [], ['b'], [null, null]] }), { cells: true });
    expect(found).toMatchObject({ text: 'One\na\nb\n', sheets: [{ rows: 2, cells: [['a'], [], ['b']] }] });
  });

  test('need not say where they are', async () => {
    const found = await read(handMade({ [SHEET]: sheetXml(row('', 1) + row('r="5"', 2) + row('r=""', 3) + row('r="x"', 4)) }), {
      cells: true,
    });
    expect(found.sheets[0]!.cells).toEqual([['1'], [], ['2'], ['3'], ['4']]);
  });

  test('that the file has in another order are put in theirs, and that is told', async () => {
    const rows = row('r="3"', 3) + row('r="1"', 1) + row('r="2"', 2) + row('r="4"', 4);
    expect(await read(handMade({ [SHEET]: sheetXml(rows) }))).toMatchObject({
      text: 'One\n1\n2\n3\n4\n',
      sheets: [{ rows: 4, header: ['1'] }],
      warnings: ['rows that stand in the file after later ones, or twice: 2, first One!1'],
    });
  });

  test('that the file has in two pieces are one row', async () => {
    const rows = '<row r="1"><c r="A1"><v>1</v></c></row><row r="2"><c r="A2"><v>2</v></c></row><row r="1"><c r="C1"><v>3</v></c></row>';
    expect(await read(handMade({ [SHEET]: sheetXml(rows) }))).toMatchObject({
      text: 'One\n1\t\t3\n2\n',
      characters: 11,
      sheets: [{ rows: 2, columns: 3 }],
    });
  });

  test('in another order are told from the first on, also where not all of them are told', async () => {
    const numbers = Array.from({ length: 300 }, (_, n) => 300 - n);
    const found = await read(handMade({ [SHEET]: sheetXml(numbers.map((n) => row(`r="${n}"`, n)).join('')) }), { maxTextCharacters: 20 });
    expect(found).toMatchObject({ text: 'One\n1\n2\n3\n4\n5\n6\n7\n8\n', sheets: [{ rows: 300, header: ['1'] }] });
    expect(found.characters).toBe(4 + 9 * 2 + 90 * 3 + 201 * 4);
  });
});

describe('what a sheet hides or joins is told:', () => {
  const bookOf = async (change: (sheet: ExcelJS.Worksheet, book: ExcelJS.Workbook) => void) => {
    const book = new ExcelJS.Workbook();
    const sheet = book.addWorksheet('One');
    sheet.addRows([
      ['a', 'b', 'c'],
      ['d', 'e', 'f'],
      ['g', 'h', 'i'],
    ]);
    change(sheet, book);
    return read(Buffer.from(await book.xlsx.writeBuffer()));
  };

  test('merged cells, whose value is in the first one', async () => {
    const found = await bookOf((sheet) => {
      sheet.mergeCells('A1:C1');
      sheet.mergeCells('B2:B3');
    });
    expect(found.warnings).toEqual(['merged ranges of cells, whose value is shown in their first cell alone: 2, first One!A1:C1']);
    expect(found.text.split('\n')[1]!.split('\t')[0]).toBe('a');
  });

  test('hidden rows and columns', async () => {
    const found = await bookOf((sheet) => {
      sheet.getRow(2).hidden = true;
      sheet.getColumn(2).hidden = true;
      sheet.getColumn(3).hidden = true;
    });
    expect(found.warnings).toEqual([
      'hidden columns, read like all others: 2, first One!B',
      'hidden rows, read like all others: 1, first One!2',
    ]);
    expect(found.text).toBe('One\na\tb\tc\nd\te\tf\ng\th\ti\n');
  });

  test.each(['hidden', 'veryHidden'] as const)('a sheet that is %s', async (state) => {
    const found = await bookOf((_, book) => book.addWorksheet('Lists', { state }).addRow(['x']));
    expect(found.sheets).toEqual([
      { name: 'One', rows: 3, columns: 3, header: ['a', 'b', 'c'] },
      { name: 'Lists', rows: 1, columns: 1, header: ['x'], state },
    ]);
    expect(found.warnings).toEqual(['the sheet Lists is hidden; it is read like the others']);
  });

  test('and a workbook without any of it has no warnings', async () =>
    expect(await bookOf(() => undefined)).not.toHaveProperty('warnings'));
});

describe('sheets', () => {
  test('without cells, with a header alone and with many of them are told in their order', async () => {
    const found = await read(await made({ Empty: [], Head: [['a', 'b']], Last: [[1]] }));
    expect(found.sheets).toEqual([
      { name: 'Empty', rows: 0, columns: 0, header: [] },
      { name: 'Head', rows: 1, columns: 2, header: ['a', 'b'] },
      { name: 'Last', rows: 1, columns: 1, header: ['1'] },
    ]);
  });

  test('whose text is not told any more still have their rows and headers', async () => {
    const found = await read(
      await made({
        One: [['a'.repeat(100)]],
        Two: [
          ['x', 'y'],
          [1, 2],
        ],
      }),
      { maxTextCharacters: 10 },
    );
    expect(found).toMatchObject({
      text: 'One\naaaaaa',
      characters: 4 + 101 + 4 + 8,
      sheets: [{ rows: 1 }, { rows: 2, header: ['x', 'y'] }],
    });
  });

  test('that are named very often or very long leave their warnings bounded', async () => {
    const names = Array.from({ length: 200 }, (_, n) => `<sheet name="${'n'.repeat(500)}${n}" r:id=""/>`).join('');
    const { warnings } = await read(
      handMade({ [SHEET]: sheetXml(''), 'xl/workbook.xml': workbookXml(`${names}<sheet name="One" r:id="rId1"/>`) }),
    );
    expect(warnings).toHaveLength(51);
    expect(warnings!.at(-1)).toBe('150 more of the kind');
    expect(Math.max(...warnings!.map(({ length }) => length))).toBeLessThan(200);
  });

  test('tell in their text what would be a column of its own as a space', async () => {
    const strings = { 'xl/sharedStrings.xml': stringsXml('a&#9;b'), 'xl/styles.xml': stylesXml(0) };
    expect((await read(withCells('<c t="s"><v>0</v></c><c><v>1</v></c>', strings))).text).toBe('One\na b\t1\n');
  });
});
