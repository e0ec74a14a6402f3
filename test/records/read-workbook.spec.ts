import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readWorkbook } from '../../src/records/contents/read-workbook.js';
import { zipOf } from '../support/sample-files.js';

const SHEET = 'xl/worksheets/sheet1.xml';

/** The parts of a workbook with one sheet, as programs of several makers write them. */
const PARTS = {
  '[Content_Types].xml': '<Types/>',
  'xl/workbook.xml': '<workbook><sheets><sheet name="One" sheetId="1" r:id="rId1"/></sheets></workbook>',
  'xl/_rels/workbook.xml.rels': '<Relationships><Relationship Id="rId1" Target="worksheets/sheet1.xml"/></Relationships>',
};

describe('a workbook of another maker', () => {
  let folder: string;

  beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), 'batchwise-workbooks-'))));
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const read = async (parts: Record<string, string>) => {
    const entries = Object.entries({ ...PARTS, ...parts }).map(([name, text]) => [name, Buffer.from(text)]);
    const path = join(folder, 'book.xlsx');
    await writeFile(path, zipOf(Object.fromEntries(entries) as Record<string, Buffer>));
    const options = { signal: new AbortController().signal, onProgress: () => undefined, maxTextCharacters: 1_000, cells: false };
    return readWorkbook(path, options);
  };

  const rows = (cells: string) => ({ [SHEET]: `<worksheet><sheetData><row r="1">${cells}</row></sheetData></worksheet>` });
  const textsOf = async (parts: Record<string, string>) => (await read(parts)).sheets[0]!.header;

  test('may put a prefix before the names of its elements', async () => {
    const found = await read({
      'xl/workbook.xml': '<x:workbook><x:sheets><x:sheet name="One" sheetId="1" rel:id="rId1"/></x:sheets></x:workbook>',
      'xl/sharedStrings.xml': '<x:sst><x:si><x:t>Dish</x:t></x:si></x:sst>',
      [SHEET]:
        '<x:worksheet><x:sheetData><x:row r="1"><x:c r="A1" t="s"><x:v>0</x:v></x:c><x:c r="C1"><x:v>4.5</x:v></x:c></x:row></x:sheetData></x:worksheet>',
    });
    expect(found.sheets).toEqual([{ name: 'One', rows: 1, columns: 3, header: ['Dish', '', '4.5'] }]);
  });

  test('need not say where its rows and cells are', async () => {
    const found = await read({
      [SHEET]: '<worksheet><sheetData><row><c><v>1</v></c><c/><c><v>2</v></c></row><row><c><v>3</v></c></row></sheetData></worksheet>',
    });
    expect(found.sheets).toEqual([{ name: 'One', rows: 2, columns: 3, header: ['1', '', '2'] }]);
  });

  test('shows the letters of a text, not the reading aids beside them', async () => {
    const strings =
      '<sst><si><t>東京</t><rPh sb="0" eb="2"><t>トウキョウ</t></rPh></si>\n<si>\n<r><t>one, </t></r>\n<r><t>two</t></r>\n</si></sst>';
    const cells =
      '<c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c r="C1" t="inlineStr"><is><r><t>a</t></r><r><t>b</t></r></is></c>';
    expect(await textsOf({ 'xl/sharedStrings.xml': strings, ...rows(cells) })).toEqual(['東京', 'one, two', 'ab']);
  });

  test("shows a formula's result like any other value: a date, a yes or no, an error, a text", async () => {
    const styles =
      '<styleSheet><numFmts><numFmt numFmtId="170" formatCode="[$-407]d. mmmm yyyy"/><numFmt numFmtId="171" formatCode="0.0 &quot;days&quot;"/></numFmts>' +
      '<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="170"/><xf numFmtId="171"/></cellXfs></styleSheet>';
    const cells =
      '<c r="A1" s="1"><f>TODAY()</f><v>46055</v></c><c r="B1" s="2"><v>46055.5</v></c><c r="C1" s="3"><v>2.5</v></c><c r="D1" s="0"><v>46055</v></c>' +
      '<c r="E1" t="b"><f>1=1</f><v>1</v></c><c r="F1" t="e"><f>1/0</f><v>#DIV/0!</v></c><c r="G1" t="str"><f>A1&amp;""</f><v>a &amp; b</v></c><c r="H1"><f>Z9</f></c>';
    expect(await textsOf({ 'xl/styles.xml': styles, ...rows(cells) })).toEqual([
      '2026-02-02',
      '2026-02-02T12:00:00.000Z',
      '2.5',
      '46055',
      'true',
      '#DIV/0!',
      'a & b',
      '=Z9',
    ]);
  });

  test('may count its days from 1904', async () => {
    const list = '<workbook><workbookPr date1904="1"/><sheets><sheet name="One" r:id="rId1"/></sheets></workbook>';
    const styles = '<styleSheet><cellXfs><xf numFmtId="14"/></cellXfs></styleSheet>';
    const parts = { 'xl/workbook.xml': list, 'xl/styles.xml': styles, ...rows('<c r="A1" s="0"><v>44593</v></c>') };
    expect(await textsOf(parts)).toEqual(['2026-02-02']);
  });

  test('passes over a page that is a chart', async () => {
    const found = await read({
      'xl/workbook.xml': '<workbook><sheets><sheet name="Chart" r:id="rId2"/><sheet name="One" r:id="rId1"/></sheets></workbook>',
      'xl/_rels/workbook.xml.rels':
        '<Relationships><Relationship Id="rId1" Target="/xl/worksheets/sheet1.xml"/><Relationship Id="rId2" Target="chartsheets/sheet1.xml"/></Relationships>',
      'xl/chartsheets/sheet1.xml': '<chartsheet/>',
      ...rows('<c r="A1"><v>1</v></c>'),
    });
    expect(found.sheets.map(({ name }) => name)).toEqual(['One']);
  });

  test.each([
    ['refers to a sheet that is not there', { 'xl/worksheets/other.xml': '<worksheet/>' }, /cells of its sheet One are missing/],
    ['has a document type', { [SHEET]: '<!DOCTYPE a [<!ENTITY x "aaaa">]><worksheet/>' }, /document type/],
    ['is cut off in the middle of its XML', { [SHEET]: '<worksheet><sheetData><row r="1"><c r="A1"><v>5</v>' }, /unclosed tag/],
    ['names a cell beyond the last column', rows('<c r="ZZZ1"><v>1</v></c>'), /more than 16384 cells/],
  ])('that %s cannot be read', async (_, parts, message) => {
    await expect(read(parts)).rejects.toThrow(message);
  });
});
