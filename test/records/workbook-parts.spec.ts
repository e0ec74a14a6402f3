import { write, utils } from '@e965/xlsx';
import ExcelJS from 'exceljs';
import { workbookOf } from '../support/sample-files.js';
import {
  DOCUMENT_RELATIONS,
  handMade,
  MAIN,
  packed,
  type Parts,
  read,
  relations,
  SHEET,
  sheetXml,
  stringsXml,
  stylesXml,
  unpacked,
  withCells,
  workbookXml,
} from '../support/workbooks.js';

const CELL = '<c t="s"><v>0</v></c>';
const ORDER = { 'xl/sharedStrings.xml': stringsXml('Order') };
const ONE = { name: 'One', rows: 1, columns: 1, header: ['Order'] };

describe('the parts of a workbook', () => {
  const elsewhere = (root: string, workbook: string, sheet: string, strings: string, targets: [string, string, string]): Parts => ({
    '_rels/.rels': relations(['rId1', 'officeDocument', root]),
    [workbook]: workbookXml('<sheet name="One" sheetId="1" r:id="rId1"/>'),
    [`${workbook.replace(/[^/\\]*$/, '')}_rels/${workbook.replace(/^.*[/\\]/, '')}.rels`]: relations(
      ['rId1', 'worksheet', targets[0]],
      ['rId2', 'sharedStrings', targets[1]],
      ['rId3', 'styles', targets[2]],
    ),
    [sheet]: sheetXml(`<row r="1">${CELL}</row>`),
    [strings]: stringsXml('Order'),
  });

  const PLACES: [string, Parts][] = [
    ['in no folder', elsewhere('workbook.xml', 'workbook.xml', 'sheet1.xml', 'strings.xml', ['sheet1.xml', 'strings.xml', 'styles.xml'])],
    [
      'in a folder of another name',
      elsewhere('/book/main.xml', 'book/main.xml', 'book/a/b.xml', 'book/c.xml', ['a/b.xml', 'c.xml', 'd.xml']),
    ],
    [
      'by their places from the root',
      elsewhere('xl/workbook.xml', 'xl/workbook.xml', 'data/s.xml', 't.xml', ['/data/s.xml', '/t.xml', '/u.xml']),
    ],
    [
      'by ways back',
      elsewhere('./xl/../xl/workbook.xml', 'xl/workbook.xml', 'data/s.xml', 't.xml', ['../data/s.xml', '../xl/./../t.xml', 'u.xml']),
    ],
    [
      'with backslashes',
      elsewhere('xl\\workbook.xml', 'xl/workbook.xml', 'xl\\sheets\\s.xml', 'xl\\t.xml', ['sheets\\s.xml', 't.xml', 'u.xml']),
    ],
    [
      'in another case',
      elsewhere('XL/Workbook.xml', 'xl/workbook.xml', 'xl/Sheets/S.XML', 'xl/SharedStrings.xml', [
        'sheets/s.xml',
        'sharedstrings.XML',
        'u',
      ]),
    ],
    [
      'with escapes',
      elsewhere('xl/workbook.xml', 'xl/workbook.xml', 'xl/my sheet.xml', 'xl/t%C3%A9xt.xml', ['my%20sheet.xml', 'téxt.xml', 'u']),
    ],
  ];

  test.each(PLACES)('are found %s', async (_, parts) => {
    const found = await read(packed(parts));
    expect(found.sheets).toEqual([ONE]);
  });

  test('are found when a library made them and a program moved them to other folders', async () => {
    const parts = await unpacked(
      await workbookOf({
        Prices: [
          ['Dish', 'Since'],
          ['Soup', new Date('2026-01-31T00:00:00Z')],
        ],
      }),
    );
    const moved = Object.entries(parts).map(([name, text]) => [
      name.replace(/^xl\//, 'office/data/').replace('/worksheets/sheet1', '/tabs/first'),
      text.replaceAll('xl/workbook.xml', 'office/data/workbook.xml').replaceAll('worksheets/sheet1.xml', 'tabs/first.xml'),
    ]);
    const found = await read(packed(Object.fromEntries(moved) as Parts));
    expect(found.text).toBe('Prices\nDish\tSince\nSoup\t2026-01-31\n');
  });

  test('may lack a list of the whole file and of types', async () => {
    expect((await read(withCells(CELL, { ...ORDER, '_rels/.rels': undefined }))).sheets).toEqual([ONE]);
  });

  test('are looked for at their usual places when the workbook does not say where they are', async () => {
    const parts = { ...ORDER, 'xl/_rels/workbook.xml.rels': undefined };
    expect(await read(withCells(CELL, parts))).toMatchObject({
      sheets: [ONE],
      warnings: [expect.stringMatching(/does not tell where its parts are/)],
    });
  });

  test('may be written in other encodings than UTF-8', async () => {
    const sheet = sheetXml('<row r="1"><c t="inlineStr"><is><t>Ä€東</t></is></c></row>');
    const utf16 = Buffer.from(`\ufeff<?xml version="1.0" encoding="UTF-16"?>${sheet}`, 'utf16le');
    for (const bytes of [utf16, utf16.subarray(2), Buffer.from(utf16).swap16(), Buffer.from(utf16.subarray(2)).swap16()]) {
      expect((await read(handMade({ [SHEET]: bytes }))).sheets[0]!.header).toEqual(['Ä€東']);
    }
    const latin = Buffer.from(`<?xml version="1.0" encoding="ISO-8859-1"?>${sheet.replace('Ä€東', 'Äé')}`, 'latin1');
    expect((await read(handMade({ [SHEET]: latin }))).sheets[0]!.header).toEqual(['Äé']);
  });

  test('with bytes that are no letters are read, and that is told', async () => {
    const sheet = Buffer.from(sheetXml('<row r="1"><c t="inlineStr"><is><t>M\xfcller</t></is></c></row>'), 'latin1');
    expect(await read(handMade({ [SHEET]: sheet }))).toMatchObject({
      sheets: [{ header: ['M\ufffdller'] }],
      warnings: ['parts with bytes that are no letters in their encoding, shown as \ufffd: 1, first xl/worksheets/sheet1.xml'],
    });
  });
});

describe('names of elements', () => {
  test('may have any prefix', async () => {
    const parts = await unpacked(await workbookOf({ Prices: [['Dish', 4.5, true]] }));
    const prefixed = Object.entries(parts).map(([name, text]) => [
      name,
      name.endsWith('.rels') || !text.includes(MAIN)
        ? text
        : text.replaceAll(/<(\/?)(?=[a-zA-Z]+[\s/>])/g, '<$1x:').replace('xmlns=', 'xmlns:x='),
    ]);
    expect((await read(packed(Object.fromEntries(prefixed) as Parts))).text).toBe('Prices\nDish\t4.5\ttrue\n');
  });

  test('may have a prefix that is not declared', async () => {
    const found = await read(
      handMade({
        'xl/workbook.xml': '<x:workbook><x:sheets><x:sheet name="One" rel:id="rId1"/></x:sheets></x:workbook>',
        [SHEET]: '<x:worksheet><x:sheetData><x:row><x:c><x:v>7</x:v></x:c></x:row></x:sheetData></x:worksheet>',
      }),
    );
    expect(found.sheets).toEqual([{ name: 'One', rows: 1, columns: 1, header: ['7'] }]);
  });

  test('may be of the strict variant of the format', async () => {
    const parts = await unpacked(await workbookOf({ Prices: [['Dish', new Date('2026-01-31T00:00:00Z')]] }));
    const strict = Object.entries(parts).map(([name, text]) => [
      name,
      text
        .replaceAll(MAIN, 'http://purl.oclc.org/ooxml/spreadsheetml/main')
        .replaceAll(DOCUMENT_RELATIONS, 'http://purl.oclc.org/ooxml/officeDocument/relationships'),
    ]);
    expect((await read(packed(Object.fromEntries(strict) as Parts))).text).toBe('Prices\nDish\t2026-01-31\n');
  });

  const X15 = 'xmlns:x15="http://schemas.microsoft.com/office/spreadsheetml/2010/11/main"';
  const MC = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"';
  const date = { 'xl/styles.xml': stylesXml(14) };

  test.each([
    [
      'in the list of extensions',
      workbookXml(
        '<sheet name="One" r:id="rId1"/>',
        '<workbookPr date1904="1"/>',
        `<extLst><ext ${X15}><x15:workbookPr chartTrackingRefBase="1"/></ext></extLst>`,
      ),
    ],
    ["before the format's own", workbookXml('<sheet name="One" r:id="rId1"/>', `<x15:workbookPr ${X15}/><workbookPr date1904="1"/>`)],
    [
      "after the format's own",
      workbookXml('<sheet name="One" r:id="rId1"/>', `<workbookPr date1904="true"/><x15:workbookPr ${X15} date1904="0"/>`),
    ],
    [
      'without a prefix of their own',
      workbookXml('<sheet name="One" r:id="rId1"/>', '<workbookPr date1904="1"/><workbookPr xmlns="urn:other" date1904="0"/>'),
    ],
    [
      'of the same namespace in an extension',
      workbookXml('<sheet name="One" r:id="rId1"/>', '<workbookPr date1904="1"/>', '<extLst><ext><workbookPr/></ext></extLst>'),
    ],
    [
      'in an alternative for others',
      workbookXml(
        '<sheet name="One" r:id="rId1"/>',
        `<workbookPr date1904="1"/><mc:AlternateContent ${MC}><mc:Choice Requires="x15"><workbookPr/></mc:Choice></mc:AlternateContent>`,
      ),
    ],
  ])("that are the same as the format's are not taken for them %s", async (_, workbook) => {
    expect((await read(withCells('<c><v>44500</v></c>', { ...date, 'xl/workbook.xml': workbook }))).sheets[0]!.header).toEqual([
      '2025-11-01',
    ]);
  });

  test('of extensions do not add sheets, rows, cells, texts or styles', async () => {
    const other = 'xmlns:o="urn:other"';
    const found = await read(
      handMade({
        'xl/workbook.xml': workbookXml('<sheet name="One" r:id="rId1"/><o:sheet xmlns:o="urn:other" name="Two" r:id="rId1"/>'),
        'xl/sharedStrings.xml': `<sst xmlns="${MAIN}" ${other}><o:si><t>wrong</t></o:si><si><o:t>not</o:t><t>Order</t></si></sst>`,
        'xl/styles.xml': `<styleSheet xmlns="${MAIN}" ${other}><cellXfs><o:xf numFmtId="14"/><xf numFmtId="0"/></cellXfs></styleSheet>`,
        [SHEET]:
          `<worksheet xmlns="${MAIN}" ${other} ${MC}><o:sheetData><row><c><v>1</v></c></row></o:sheetData><sheetData><row r="1">` +
          `<o:c r="B1"><v>9</v></o:c><c r="A1" t="s"><o:v>7</o:v><v>0</v></c><c r="C1"><v>44500</v><extLst><ext><v>8</v></ext></extLst></c></row>` +
          `<mc:AlternateContent><mc:Choice Requires="o"><row r="2"><c><v>1</v></c></row></mc:Choice><mc:Fallback><row r="2"><c><v>2</v></c></row></mc:Fallback>` +
          `</mc:AlternateContent></sheetData><extLst><ext><row r="9"><c><v>3</v></c></row></ext></extLst></worksheet>`,
      }),
    );
    expect(found.text).toBe('One\nOrder\t\t44500\n2\n');
    expect(found.sheets).toHaveLength(1);
  });

  test("of the id of a sheet's part go by their namespace", async () => {
    const workbook = workbookXml('<sheet name="One" o:id="rId3" xmlns:o="urn:other" r:id="rId1"/>');
    expect((await read(withCells(CELL, { ...ORDER, 'xl/workbook.xml': workbook }))).sheets).toEqual([ONE]);
  });
});

describe('a part that is missing or broken costs only what is in it:', () => {
  const two = (parts: Parts) =>
    read(
      handMade({
        ...ORDER,
        'xl/workbook.xml': workbookXml('<sheet name="Lost" r:id="rId9"/><sheet name="One" r:id="rId1"/>'),
        'xl/_rels/workbook.xml.rels': relations(
          ['rId9', 'worksheet', 'worksheets/sheet9.xml'],
          ['rId1', 'worksheet', 'worksheets/sheet1.xml'],
          ['rId3', 'sharedStrings', 'sharedStrings.xml'],
        ),
        [SHEET]: sheetXml(`<row r="1">${CELL}</row>`),
        ...parts,
      }),
    );

  const LOST = 'xl/worksheets/sheet9.xml';

  test.each([
    ['a sheet that is not there', {}, /^the cells of its sheet Lost are missing$/],
    [
      'a sheet that breaks off',
      { [LOST]: `<worksheet xmlns="${MAIN}"><sheetData><row><c><v>5</v>` },
      /^the cells of its sheet Lost are broken: .*unclosed tag/,
    ],
    ['a sheet that is no XML', { [LOST]: 'cells' }, /^the cells of its sheet Lost are broken: /],
    ['a sheet with entities of its own', { [LOST]: '<!DOCTYPE a [<!ENTITY x "aaaa">]><worksheet/>' }, /are broken: .*document type/],
    ['a sheet in an unknown encoding', { [LOST]: '<?xml version="1.0" encoding="klingon"?><worksheet/>' }, /are broken: .*klingon/],
    [
      'a sheet without an id (a module of old)',
      { 'xl/workbook.xml': workbookXml('<sheet name="Lost" r:id=""/><sheet name="One" r:id="rId1"/>') },
      /^the sheet Lost is left out: it has no cells of its own$/,
    ],
    [
      'a sheet with an id of nothing',
      { 'xl/workbook.xml': workbookXml('<sheet name="Lost" r:id="rId77"/><sheet name="One" r:id="rId1"/>') },
      /^the cells of its sheet Lost are missing$/,
    ],
    ['a chart', { [LOST]: `<chartsheet xmlns="${MAIN}"/>` }, /^the sheet Lost is left out: it is a chart$/],
    ['a dialog', { [LOST]: `<dialogsheet xmlns="${MAIN}"/>` }, /^the sheet Lost is left out: it is a dialog$/],
    [
      'a sheet of macros',
      { [LOST]: '<xm:macrosheet xmlns:xm="http://schemas.microsoft.com/office/excel/2006/main"/>' },
      /it is a sheet of macros$/,
    ],
  ])('%s', async (_, parts, warning) => {
    const found = await two(parts);
    expect(found).toMatchObject({ sheets: [ONE], text: 'One\nOrder\n', warnings: [expect.stringMatching(warning)] });
  });

  test('styles', async () => {
    for (const styles of [undefined, '<styleSheet>', 'no XML']) {
      const found = await read(withCells('<c s="1"><v>46055</v></c><c t="s"><v>0</v></c>', { ...ORDER, 'xl/styles.xml': styles }));
      expect(found.sheets[0]!.header).toEqual(['46055', 'Order']);
      expect(found.warnings).toEqual([
        expect.stringMatching(/^its styles are (?:missing|broken)/),
        expect.stringMatching(/^cells whose format is missing .*: 1, first One!A1$/),
      ]);
    }
  });

  test('shared texts', async () => {
    const found = await read(withCells(`${CELL}<c><v>5</v></c>`, { 'xl/sharedStrings.xml': undefined }));
    expect(found.sheets[0]!.header).toEqual(['', '5']);
    expect(found.warnings).toEqual([
      'its shared texts are missing',
      expect.stringMatching(/^cells whose text is missing .*: 1, first One!A1$/),
    ]);
  });

  test('the rest of the shared texts, where they break off', async () => {
    const broken = stringsXml('Order', 'paid').replace('paid</t>', 'paid');
    const found = await read(withCells(`${CELL}<c t="s"><v>1</v></c>`, { 'xl/sharedStrings.xml': broken }));
    expect(found.sheets[0]!.header).toEqual(['Order']);
    expect(found.warnings).toHaveLength(2);
  });

  test('the rest of the workbook, when none of its sheets can be read', async () => {
    await expect(read(handMade({}))).rejects.toThrow('this workbook cannot be opened: the cells of its sheet One are missing');
  });

  test('a part whose bytes were changed', async () => {
    const bytes = await workbookOf({ Prices: Array.from({ length: 50 }, (_, n) => [`Dish ${n * 7919}`, n]) });
    const at = bytes.indexOf('xl/worksheets/sheet1.xml') + 200;
    bytes[at] = bytes[at]! ^ 1;
    await expect(read(bytes)).rejects.toThrow(/the cells of its sheet Prices are broken/);
  });

  test('a part whose check sum is another one', async () => {
    const bytes = withCells(CELL, ORDER);
    bytes.writeUInt32LE(7, bytes.lastIndexOf(SHEET) - 46 + 16);
    await expect(read(bytes)).rejects.toThrow('the cells of its sheet One are broken: a part of it is damaged: its check sum is wrong');
  });

  test('a part that is there twice is told, and the later one read', async () => {
    const twice = packed({ ...(await unpacked(withCells(CELL, ORDER))), 'XL/sharedstrings.xml': stringsXml('Later') });
    expect(await read(twice)).toMatchObject({
      sheets: [{ header: ['Later'] }],
      warnings: ['parts that are in the file twice, of which the later one is read: 1, first xl/sharedstrings.xml'],
    });
  });
});

describe('a zip', () => {
  const streamed = async (options: object): Promise<Buffer> => {
    const chunks: Buffer[] = [];
    const { PassThrough } = await import('node:stream');
    const stream = new PassThrough().on('data', (chunk: Buffer) => chunks.push(chunk));
    const writer = new ExcelJS.stream.xlsx.WorkbookWriter({ stream, zip: options });
    writer.addWorksheet('One').addRow(['Order']).commit();
    await writer.commit();
    return Buffer.concat(chunks);
  };

  test.each([
    ['with its sizes after its parts', {}],
    ['without compression', { store: true }],
    ['of the large kind (Zip64)', { forceZip64: true }],
    ['with a comment', { comment: 'made by hand' }],
  ])('%s is read', async (_, options) => expect((await read(await streamed(options))).sheets).toEqual([ONE]));

  const plain = () => withCells(CELL, ORDER);

  test.each([
    ['before it', (zip: Buffer) => Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\n\r\n'), zip])],
    ['after it', (zip: Buffer) => Buffer.concat([zip, Buffer.from('\r\n<!-- end of page -->\r\n')])],
    ['before and after it', (zip: Buffer) => Buffer.concat([Buffer.alloc(300, 7), zip, Buffer.alloc(70_000)])],
  ])('with other bytes %s is read', async (_, change) => {
    expect((await read(change(plain()))).sheets).toEqual([ONE]);
  });

  test.each([
    [
      'a Word document',
      { '_rels/.rels': relations(['rId1', 'officeDocument', 'word/document.xml']), 'word/document.xml': '<w:document xmlns:w="urn:w"/>' },
      /it is a Word document/,
    ],
    [
      'a presentation',
      { '_rels/.rels': relations(['rId1', 'officeDocument', 'ppt/presentation.xml']), 'ppt/presentation.xml': '<p/>' },
      /it is a PowerPoint/,
    ],
    [
      'a binary workbook',
      { '_rels/.rels': relations(['rId1', 'officeDocument', 'xl/workbook.bin']), 'xl/workbook.bin': Buffer.from([131, 1, 0]) },
      /it is a binary workbook \(\.xlsb\); save it as \.xlsx/,
    ],
    [
      'an OpenDocument spreadsheet',
      { mimetype: 'application/vnd.oasis.opendocument.spreadsheet', 'content.xml': '<x/>' },
      /it is an OpenDocument file/,
    ],
    ['a Numbers file', { 'Index/Document.iwa': 'x' }, /it is a Numbers/],
    ['any other', { 'a.txt': 'text' }, /without an Excel workbook in it/],
  ])('that is %s is named for what it is', async (_, parts, message) => {
    await expect(read(packed(parts))).rejects.toThrow(message);
  });

  test('of another library is told so too', async () => {
    const book = { SheetNames: ['One'], Sheets: { One: utils.aoa_to_sheet([['Order']]) } };
    for (const [bookType, message] of [
      ['xlsb', /binary workbook/],
      ['ods', /OpenDocument/],
    ] as const) {
      await expect(read(write(book, { type: 'buffer', bookType }) as Buffer)).rejects.toThrow(message);
    }
    for (const bookType of ['xlsx', 'xlsm'] as const) {
      expect((await read(write(book, { type: 'buffer', bookType }) as Buffer)).sheets).toEqual([ONE]);
    }
  });
});
