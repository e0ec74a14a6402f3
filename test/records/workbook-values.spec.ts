import { utils, write } from '@e965/xlsx';
import ExcelJS from 'exceljs';
import { workbookOf } from '../support/sample-files.js';
import { MAIN, read, rowsOf, stringsXml, stylesXml, withCells } from '../support/workbooks.js';

const headerOf = async (bytes: Buffer) => (await read(bytes)).sheets[0]!.header;

/** What a single cell shows. */
const shown = async (cell: string, format: number | string = 0) => {
  const bytes = withCells(cell.replace('<c ', '<c r="A1" s="0" '), { 'xl/styles.xml': stylesXml(format) });
  return (await rowsOf(bytes))[0]?.[0] ?? '';
};

const number = (value: string | number, format?: number | string) => shown(`<c ><v>${value}</v></c>`, format);

describe('an empty value is not the number 0:', () => {
  const strings = { 'xl/sharedStrings.xml': stringsXml('Order', 'paid') };

  test.each([
    ['a text cell without a value', '<c t="s"/>'],
    ['a text cell with an empty value', '<c t="s"><v></v></c>'],
    ['a text cell with a closed value', '<c t="s"><v/></c>'],
    ['a number without a value', '<c/>'],
    ['a number with an empty value', '<c><v/></c>'],
    ['a number of spaces', '<c><v> </v></c>'],
    ['a yes or no without a value', '<c t="b"/>'],
    ['a yes or no with an empty value', '<c t="b"><v/></c>'],
    ['a date without a value', '<c t="d"/>'],
    ['an error without a value', '<c t="e"/>'],
    ['an inline text without one', '<c t="inlineStr"/>'],
    ['an inline text with an empty one', '<c t="inlineStr"><is><t/></is></c>'],
  ])('%s stays empty', async (_, cell) => {
    const found = await read(withCells(`<c t="s"><v>0</v></c>${cell}<c t="s"><v>1</v></c>`, strings));
    expect(found).toMatchObject({ text: 'One\nOrder\t\tpaid\n', sheets: [{ header: ['Order', '', 'paid'] }] });
    expect(found.warnings).toBeUndefined();
  });

  test('empty texts of two libraries stay empty', async () => {
    const made = [
      await workbookOf({ One: [['Order', '', 'paid', null, 'x']] }),
      write({ SheetNames: ['One'], Sheets: { One: utils.aoa_to_sheet([['Order', '', 'paid', null, 'x']]) } }, { type: 'buffer' }) as Buffer,
      write(
        { SheetNames: ['One'], Sheets: { One: utils.aoa_to_sheet([['Order', '', 'paid', null, 'x']]) } },
        { type: 'buffer', bookSST: true },
      ) as Buffer,
    ];
    for (const bytes of made) expect(await headerOf(bytes)).toEqual(['Order', '', 'paid', '', 'x']);
  });

  test.each(['7', '-1', '1.5', 'x', '0x0', '99999999999999'])('a reference to the text %s, which is not there, is told', async (index) => {
    const found = await read(withCells(`<c t="s"><v>0</v></c><c t="s"><v>${index}</v></c><c><v>5</v></c>`, strings));
    expect(found).toMatchObject({
      sheets: [{ header: ['Order', '', '5'] }],
      warnings: ['cells whose text is missing in the workbook, shown empty: 1, first One!B1'],
    });
  });

  test('a style without a number is the first one, also when that is a date', async () => {
    expect(await headerOf(withCells('<c><v>46055</v></c><c s=""><v>46055</v></c>', { 'xl/styles.xml': stylesXml(14) }))).toEqual([
      '2026-02-02',
      '2026-02-02',
    ]);
  });
});

describe('a number', () => {
  test.each([
    ['8.6999999999999993', '8.7'],
    ['0.30000000000000004', '0.30000000000000004'],
    ['9007199254740993', '9007199254740993'],
    ['12345678901234567890', '12345678901234567890'],
    ['-12345678901234567890', '-12345678901234567890'],
    ['1E-3', '0.001'],
    ['1.5E+3', '1500'],
    ['1.2300000000000001E+21', '1.23e+21'],
    ['-0', '0'],
    ['.5', '0.5'],
    [' 12 ', '12'],
    ['1e400', '1e400'],
  ])('%s is shown as %s', async (value, expected) => expect(await number(value)).toBe(expected));

  test.each(['1,5', '0x10', 'Infinity', 'NaN', '1_000', 'abc', '12 EUR'])(
    'that is none, %s, is shown as written, and told',
    async (value) => {
      const found = await read(withCells(`<c><v>${value}</v></c>`));
      expect(found.text).toBe(`One\n${value}\n`);
      expect(found.warnings).toEqual(['cells that should hold a number and hold something else, shown as written: 1, first One!A1']);
    },
  );

  test('of a percentage, an amount, a fraction or a count with words is its value', async () => {
    const formats = [
      '0%',
      '#,##0.00\\ [$€-407]',
      '# ?/?',
      '"Day" 0',
      '0.00" h"',
      '\\d0',
      '[Red]0;[Blue]-0',
      '0.00E+00',
      '[>100]0;0.0',
      '@',
    ];
    for (const format of formats) expect(await number(0.25, format)).toBe('0.25');
  });

  test('of a style that is missing is plain, and told', async () => {
    const found = await read(withCells('<c s="9"><v>46055</v></c>'));
    expect(found).toMatchObject({
      text: 'One\n46055\n',
      warnings: [expect.stringMatching(/cells whose format is missing.*: 1, first One!A1/)],
    });
  });
});

describe('a format says what a number stands for:', () => {
  test.each([
    // [format, number, shown]
    [14, 46055, '2026-02-02'],
    [22, 46055.5, '2026-02-02T12:00:00.000Z'],
    [18, 0.375, '09:00:00'],
    [20, 0.375, '09:00:00'],
    [21, 0, '00:00:00'],
    [45, 0.01, '00:14:24'],
    [46, 2.25, '54:00:00'],
    [47, 0.00001, '00:00:00.864'],
    [30, 46055, '2026-02-02'],
    [58, 46055, '2026-02-02'],
    [33, 0.75, '18:00:00'],
    ['[h]:mm:ss', 1.5, '36:00:00'],
    ['[hh]:mm', 0.0625, '01:30:00'],
    ['[mm]:ss', 0.5, '12:00:00'],
    ['[ss]', 0.001, '00:01:26.400'],
    ['[h]:mm', -0.0625, '-01:30:00'],
    ['[h]" h "mm', 100, '2400:00:00'],
    ['h:mm', 0.375, '09:00:00'],
    ['h:mm AM/PM', 0.875, '21:00:00'],
    ['[$-F400]h:mm:ss\\ AM/PM', 0.999988, '23:59:58.963'],
    ['mm:ss.0', 0.0005, '00:00:43.200'],
    ['h:mm', 1.5, '36:00:00'],
    ['h:mm', 45000.375, '2023-03-15T09:00:00.000Z'],
    ['yyyy\\-mm\\-dd', 46055, '2026-02-02'],
    ['[$-407]d\\.\\ mmmm\\ yyyy;@', 46055, '2026-02-02'],
    ['[$-411]ggge"年"m"月"d"日"', 46055, '2026-02-02'],
    ['m/d/yy\\ h:mm', 46055.25, '2026-02-02T06:00:00.000Z'],
    ['m/d/yy\\ h:mm', 0.25, '06:00:00'],
    ['mmmm', 46055, '2026-02-02'],
    ['dddd', 46055, '2026-02-02'],
    ['[<1]h:mm;[h]:mm', 0.5, '12:00:00'],
    ['[<1]h:mm;0" days"', 3, '3'],
    ['[>1000]yyyy\\-mm\\-dd;0', 46055, '2026-02-02'],
    ['[>1000]yyyy\\-mm\\-dd;0', 7, '7'],
    ['0;-0;yyyy', -3, '-3'],
    ['General;h:mm', 0.5, '0.5'],
    ['"Year" 0', 2026, '2026'],
    ['Standard', 46055, '46055'],
    ['0.00 h', 7.5, '7.5'],
    ['', 46055, '46055'],
  ])('%s shows %d as %s', async (format, value, expected) => expect(await number(value, format)).toBe(expected));

  test.each([
    [1, '1900-01-01'],
    [59, '1900-02-28'],
    [60, '1900-02-29'],
    [61, '1900-03-01'],
    [2_958_465, '9999-12-31'],
    [0, '0'],
    [-1, '-1'],
    [2_958_466, '2958466'],
    [1e300, '1e+300'],
    [43_101.999999999, '2018-01-02'],
  ])('the day %d is %s', async (value, expected) => expect(await number(value, 14)).toBe(expected));

  test('a duration without end stays a number', async () => expect(await number(1e300, '[h]:mm')).toBe('1e+300'));

  test('also where a conditional style has a format of the same number', async () => {
    const styles =
      `<styleSheet xmlns="${MAIN}"><numFmts><numFmt numFmtId="200" formatCode="0.00"/></numFmts><dxfs><dxf><numFmt numFmtId="200" formatCode="yyyy"/></dxf></dxfs><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs>` +
      '<cellXfs><xf numFmtId="0"/><xf numFmtId="200" applyNumberFormat="0"/></cellXfs>' +
      '</styleSheet>';
    expect(await headerOf(withCells('<c s="1"><v>46055</v></c>', { 'xl/styles.xml': styles }))).toEqual(['46055']);
  });

  test.each([
    ['2026-02-02', '2026-02-02'],
    ['2026-02-02T00:00:00', '2026-02-02'],
    ['2026-02-02T12:30:00', '2026-02-02T12:30:00.000Z'],
    ['2009-01-01T11:00:00.00000020954757600', '2009-01-01T11:00:00.000Z'],
    ['2026-02-02T12:30:00+02:00', '2026-02-02T10:30:00.000Z'],
    ['10:59:59.9999999999984025', '11:00:00'],
    ['PT0H11M0.000S', '00:11:00'],
    ['P1DT12H', '36:00:00'],
    ['-PT1H30M', '-01:30:00'],
    ['2026-02-31', '2026-02-31'],
    ['soon', 'soon'],
  ])('a date as text, %s, is %s', async (text, expected) => expect(await shown(`<c t="d"><v>${text}</v></c>`, 14)).toBe(expected));
});

describe('hours, times and dates of two libraries', () => {
  const FORMATS: [format: string, value: number, expected: string][] = [
    ['[h]:mm:ss', 1.5, '36:00:00'],
    ['[h]:mm', 7.75, '186:00:00'],
    ['hh:mm', 0.3333333333333333, '08:00:00'],
    ['[mm]:ss', 0.0625, '01:30:00'],
    ['dd.mm.yyyy', 45000, '2023-03-15'],
    ['dd/mm/yyyy hh:mm', 45000.75, '2023-03-15T18:00:00.000Z'],
    ['0.00" h"', 7.5, '7.5'],
  ];

  test('are those that were written', async () => {
    const book = new ExcelJS.Workbook();
    const row = book.addWorksheet('One').addRow(FORMATS.map(([, value]) => value));
    FORMATS.forEach(([format], at) => (row.getCell(at + 1).numFmt = format));
    const sheet = utils.aoa_to_sheet([FORMATS.map(([, value]) => value)]);
    FORMATS.forEach(([format], c) => ((sheet[utils.encode_cell({ c, r: 0 })] as { z: string }).z = format));
    const made = [
      Buffer.from(await book.xlsx.writeBuffer()),
      write({ SheetNames: ['One'], Sheets: { One: sheet } }, { type: 'buffer' }) as Buffer,
    ];
    for (const bytes of made) expect(await headerOf(bytes)).toEqual(FORMATS.map(([, , expected]) => expected));
  });

  test('of calendars that begin in 1904 are the same days', async () => {
    const day = new Date('2025-11-01T00:00:00Z');
    const book = new ExcelJS.Workbook();
    book.properties.date1904 = true;
    book.addWorksheet('One').addRow([day, new Date('2025-11-01T06:00:00Z')]);
    const sheet = { '!ref': 'A1:A1', A1: { t: 'n', v: 44500, z: 'yyyy-mm-dd' } };
    const other = write(
      { SheetNames: ['One'], Sheets: { One: sheet }, Workbook: { WBProps: { date1904: true } } },
      { type: 'buffer' },
    ) as Buffer;
    expect(await headerOf(Buffer.from(await book.xlsx.writeBuffer()))).toEqual(['2025-11-01', '2025-11-01T06:00:00.000Z']);
    expect(await headerOf(other)).toEqual(['2025-11-01']);
  });
});

describe('a text', () => {
  test.each([
    ['line one_x000D_\nline two', 'line one\nline two'],
    ['line one_x000D_line two', 'line one\nline two'],
    ['line one_x000a_line two', 'line one\nline two'],
    ['line one&#13;\nline two', 'line one\nline two'],
    ['a_x0009_b', 'a\tb'],
    ['_x005F_x000D_', '_x000D_'],
    ['_x005F_x005F_x005F_x000D_', '_x005F_x000D_'],
    ['_x0041__x0042_', 'AB'],
    ['_xD83C__xDF72_', '🍲'],
    ['_xD83C_', '\ufffd'],
    ['a_x0000_b', 'a\ufffdb'],
    ['_X0041_ _x41_ _x004g_ _x', '_X0041_ _x41_ _x004g_ _x'],
    ['  spaces  ', '  spaces  '],
  ])('%j is read as %j', async (written, expected) => {
    const strings = { 'xl/sharedStrings.xml': stringsXml(written) };
    const preserved = `<t xml:space="preserve">${written}</t>`;
    const cells = [
      '<c t="s"><v>0</v></c>',
      `<c t="inlineStr"><is>${preserved}</is></c>`,
      `<c t="inlineStr"><is><r>${preserved}</r></is></c>`,
      `<c t="str"><v>${written}</v></c>`,
      `<c t="str"><f>A1</f><v>${written}</v></c>`,
    ];
    expect(await headerOf(withCells(cells.join(''), strings))).toEqual(cells.map(() => expected));
  });

  test('with line breaks, escapes and tabs is the same from two libraries', async () => {
    const texts = ['one\r\ntwo', 'one\ntwo', 'bell\u0007', 'emoji 🍲', '<&>"\'', ' lead', 'trail ', 'Ünïcödé 東京'];
    const plain = texts.map((text) => text.replaceAll('\r\n', '\n'));
    const sheets = { SheetNames: ['One'], Sheets: { One: utils.aoa_to_sheet([texts]) } };
    expect(await headerOf(write(sheets, { type: 'buffer' }) as Buffer)).toEqual(plain);
    expect(await headerOf(write(sheets, { type: 'buffer', bookSST: true }) as Buffer)).toEqual(plain);
    // The other library writes control characters as they are, which XML does not allow.
    const allowed = texts.filter((text) => !text.includes('\u0007'));
    expect(await headerOf(await workbookOf({ One: [allowed] }))).toEqual(allowed.map((text) => text.replaceAll('\r\n', '\n')));
  });

  test('is that of all its runs, without reading aids, also when a run follows plain text', async () => {
    const strings =
      `<sst xmlns="${MAIN}"><si><t>東京</t><rPh sb="0" eb="2"><t>トウキョウ</t></rPh><phoneticPr fontId="1"/></si>` +
      '<si><r><rPr><b/></rPr><t>one, </t></r>\n<r><t>two</t></r></si><si/><si><t>plain</t><r><t> and run</t></r></si></sst>';
    const cells = [0, 1, 2, 3].map((index) => `<c t="s"><v>${index}</v></c>`).join('');
    expect(await headerOf(withCells(cells, { 'xl/sharedStrings.xml': strings }))).toEqual(['東京', 'one, two', '', 'plain and run']);
  });

  test('that looks like a number stays as it was typed', async () => {
    const texts = ['007', '1.10', '1E5', '12345678901234567890', '=1+1', 'TRUE', '2026-01-31'];
    expect(await headerOf(await workbookOf({ One: [texts] }))).toEqual(texts);
  });

  test("as a sheet's name has its escapes undone too", async () => {
    const { sheets } = await read(
      withCells('<c><v>1</v></c>', {
        'xl/workbook.xml': `<workbook xmlns="${MAIN}" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="a_x005F_x0041_" sheetId="1" r:id="rId1"/></sheets></workbook>`,
      }),
    );
    expect(sheets[0]!.name).toBe('a_x0041_');
  });
});

describe('a formula', () => {
  test.each([
    ['without a stored result', '<c><f>SUM(A1:A3)</f></c>', '=SUM(A1:A3)'],
    ['with an empty result where a number should be', '<c><f>A1*2</f><v></v></c>', '=A1*2'],
    ['of text without a result', '<c t="str"><f>A1&amp;"x"</f></c>', '=A1&"x"'],
    ["that is another one's, without a result", '<c><f t="shared" si="0"/></c>', '=…'],
    ['whose error is not stored', '<c t="e"><f>1/0</f><v/></c>', '=1/0'],
  ])('%s is shown as the formula, and told', async (_, cell, expected) => {
    const found = await read(withCells(`<c><v>1</v></c>${cell}`));
    expect(found.sheets[0]!.header).toEqual(['1', expected]);
    expect(found.warnings).toEqual([expect.stringMatching(/^formulas without a stored result, shown as formulas; .*: 1, first One!B1$/)]);
  });

  test('may have an empty text as its result', async () => {
    const found = await read(withCells('<c><v>1</v></c><c t="str"><f>""</f><v></v></c><c><v>2</v></c>'));
    expect(found.sheets[0]!.header).toEqual(['1', '', '2']);
    expect(found.warnings).toBeUndefined();
  });

  test('of a library that does not calculate is told, and one with a result is not', async () => {
    const made = await workbookOf({ One: [[1, { formula: 'A1*2' }, { formula: 'A1*2', result: 2 }]] });
    const found = await read(made);
    expect(found.sheets[0]!.header).toEqual(['1', '=A1*2', '2']);
    expect(found.warnings).toEqual([expect.stringMatching(/: 1, first One!B1$/)]);
  });

  test('whose result may be out of date is told', async () => {
    const book = new ExcelJS.Workbook();
    book.calcProperties.fullCalcOnLoad = true;
    book.addWorksheet('One').addRow([1, { formula: 'A1*2', result: 0 }]);
    const found = await read(Buffer.from(await book.xlsx.writeBuffer()));
    expect(found.sheets[0]!.header).toEqual(['1', '0']);
    expect(found.warnings).toEqual([expect.stringMatching(/^formulas whose stored results may be out of date, .*: 1, first One!B1$/)]);
  });

  test('shows its result like any other value: a date, a yes or no, a text', async () => {
    const cells = [
      '<c s="1"><f>TODAY()</f><v>46055</v></c>',
      '<c t="b"><f>1=1</f><v>1</v></c>',
      '<c t="str"><f>A1&amp;""</f><v>a &amp; b</v></c>',
      '<c t="b"><v>0</v></c>',
      '<c t="b"><v>true</v></c>',
    ];
    expect(await headerOf(withCells(cells.join(''), { 'xl/styles.xml': stylesXml(0, 14) }))).toEqual([
      '2026-02-02',
      'true',
      'a & b',
      'false',
      'true',
    ]);
  });
});

describe('an error', () => {
  test('is shown as it is, and told', async () => {
    const made = await workbookOf({ One: [['a', { error: '#N/A' }, { formula: '1/0', result: { error: '#DIV/0!' } }, 'b']] });
    const found = await read(made);
    expect(found.sheets[0]!.header).toEqual(['a', '#N/A', '#DIV/0!', 'b']);
    expect(found.warnings).toEqual(['cells with an error such as #N/A or #DIV/0! instead of a value: 2, first One!B1']);
  });

  test('that stands for a picture or linked data is told as that', async () => {
    const found = await read(withCells('<c t="e" vm="1"><v>#VALUE!</v></c>'));
    expect(found.warnings).toEqual(['cells with a picture or linked data, of which only the placeholder #VALUE! is read: 1, first One!A1']);
  });
});
