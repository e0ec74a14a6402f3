import type ExcelJS from 'exceljs';
import { Api } from '../contracts/api.js';
import { eventually } from '../support/eventually.js';
import { csvOf, workbookOf } from '../support/sample-files.js';
import { startTestService, type TestService } from '../support/service.js';
import { type FormFile, formOf, upload, uploadDone } from '../support/upload.js';
import {
  handMade,
  packed,
  relations,
  SHEET,
  sheetXml,
  stringsXml,
  stylesXml,
  unpacked,
  withCells,
  workbookXml,
} from '../support/workbooks.js';

/** Workbooks of other people's programs, from the upload to the result that a user sees. */
describe('a workbook that was uploaded', () => {
  let service: TestService;
  let api: Api;

  beforeAll(async () => {
    service = await startTestService({ UPLOADS_PER_HOUR: '100' });
    api = new Api(service.url);
  });

  afterAll(() => service.close());

  const uploaded = async (files: FormFile[]) => uploadDone(api, (await upload(service.url, formOf(files))).body.data.batchId, 120_000);

  const STOCK: ExcelJS.CellValue[][] = [
    ['Item', 'Colour', 'Price'],
    ['Chair', 'red', 49],
    ['Desk', null, 199],
    ['Lamp', 'red', 20],
  ];

  const DATED = { 'xl/styles.xml': stylesXml(14) };
  const X15 = 'xmlns:x15="http://schemas.microsoft.com/office/spreadsheetml/2010/11/main"';
  const dueDates = (extension: string) =>
    withCells('<c><v>44500</v></c>', {
      ...DATED,
      'xl/workbook.xml': workbookXml('<sheet name="One" r:id="rId1"/>', '<workbookPr date1904="1"/>', extension),
    });

  const CASES: Record<string, [bytes: () => Buffer | Promise<Buffer>, expected: object]> = {
    'module.xlsm': [
      () =>
        withCells('<c t="s"><v>0</v></c>', {
          'xl/sharedStrings.xml': stringsXml('Order'),
          'xl/workbook.xml': workbookXml('<sheet name="One" r:id="rId1"/><sheet name="Module1" state="veryHidden" r:id=""/>'),
        }),
      { sheetCount: 1, sheets: [{ name: 'One', rows: 1 }], warnings: ['the sheet Module1 is left out: it has no cells of its own'] },
    ],
    'due-dates.xlsx': [() => dueDates(`<extLst><ext ${X15}><x15:workbookPr/></ext></extLst>`), { text: 'One\n2025-11-01\n' }],
    'due-dates-plain.xlsx': [() => dueDates(''), { text: 'One\n2025-11-01\n' }],
    'times.xlsx': [
      () =>
        withCells('<c s="0"><v>1.5</v></c><c s="1"><v>0.375</v></c><c s="2"><v>2.25</v></c>', {
          'xl/styles.xml': stylesXml('[h]:mm:ss', 'h:mm', 46),
        }),
      { text: 'One\n36:00:00\t09:00:00\t54:00:00\n' },
    ],
    'orders.xlsx': [
      () =>
        handMade({
          'xl/sharedStrings.xml': stringsXml('Order', 'A-1', 'paid', 'A-2'),
          [SHEET]: sheetXml(
            '<row r="1"><c t="s"><v>0</v></c></row><row r="2"><c t="s"><v>1</v></c><c t="s"/><c t="s"><v>2</v></c></row>' +
              '<row r="3"><c t="s"><v>3</v></c><c t="s"></c><c t="s"><v/></c></row>',
          ),
        }),
      { text: 'One\nOrder\nA-1\t\tpaid\nA-2\n' },
    ],
    'stock.xlsx': [() => workbookOf({ One: STOCK }), { text: 'One\nItem\tColour\tPrice\nChair\tred\t49\nDesk\t\t199\nLamp\tred\t20\n' }],
    'note.xlsx': [
      () => withCells('<c t="s"><v>0</v></c>', { 'xl/sharedStrings.xml': stringsXml('line one_x000D_\nline two') }),
      { text: 'One\nline one\nline two\n' },
    ],
    'other-folder.xlsx': [
      () =>
        packed({
          '_rels/.rels': relations(['rId1', 'officeDocument', 'workbook.xml']),
          'workbook.xml': workbookXml('<sheet name="One" r:id="rId1"/>'),
          '_rels/workbook.xml.rels': relations(['rId1', 'worksheet', 'sheet1.xml'], ['rId2', 'sharedStrings', 'sharedStrings.xml']),
          'sheet1.xml': sheetXml('<row><c t="s"><v>0</v></c></row>'),
          'sharedStrings.xml': stringsXml('Order'),
        }),
      { sheets: [{ name: 'One', rows: 1, header: ['Order'] }] },
    ],
    'terms.xlsx': [
      () =>
        workbookOf({ One: Array.from({ length: 4_501 }, (_, n) => [n, 'Delivery within ten working days after receipt. '.repeat(90)]) }),
      { sheets: [{ rows: 4_501, columns: 2 }] },
    ],
    'template.xltx': [() => workbookOf({ One: [['Order']] }), { sheets: [{ header: ['Order'] }] }],
  };

  test('tells its cells as they are, each in its place, and what is not sure', async () => {
    const names = Object.keys(CASES);
    const { files } = await uploaded(await Promise.all(names.map(async (name) => ({ name, bytes: await CASES[name]![0]() }))));
    const results = files.map(({ filename, result, error }) => [filename, error ?? (JSON.parse(result!) as object)]);
    expect(Object.fromEntries(results)).toMatchObject(Object.fromEntries(names.map((name) => [name, CASES[name]![1]])));
    const withWarnings = files.filter(({ result }) => 'warnings' in (JSON.parse(result!) as object)).map(({ filename }) => filename);
    expect(withWarnings).toEqual(['module.xlsm']);
  }, 180_000);

  test('fails alone when it is damaged or too large, with its reason', async () => {
    const whole = await workbookOf({ Prices: Array.from({ length: 200 }, (_, n) => [`Dish ${n * 7919}`, n]) });
    const bomb = withCells('<c><v>1</v></c>');
    bomb.writeUInt32LE(2_000_000_000, bomb.lastIndexOf(SHEET) - 46 + 24);
    const damaged = await unpacked(whole);
    const { batch, files } = await uploaded([
      { name: 'cut.xlsx', bytes: whole.subarray(0, whole.length - 100) },
      { name: 'half.xlsx', bytes: whole.subarray(0, 2_000) },
      { name: 'bomb.xlsx', bytes: bomb },
      { name: 'broken.xlsx', bytes: packed({ ...damaged, 'xl/workbook.xml': '<workbook><sheets>' }) },
      { name: 'good.csv', bytes: csvOf([['a'], [1]]) },
    ]);
    expect(batch).toMatchObject({ status: 'completed', failed_files: 4, processed_files: 5 });
    expect(files.map(({ filename, error }) => [filename, error])).toEqual([
      ['cut.xlsx', expect.stringMatching(/^this workbook cannot be opened: .*central dir/)],
      ['half.xlsx', expect.stringMatching(/^this workbook cannot be opened: .*central dir/)],
      ['bomb.xlsx', expect.stringMatching(/^this workbook cannot be opened: it unpacks to 2\d{9} bytes; at most 1073741824 are read/)],
      ['broken.xlsx', expect.stringMatching(/^this workbook cannot be opened: unclosed tag/)],
      ['good.csv', undefined],
    ]);
  }, 120_000);

  test('is a document whose tables keep their places, and whose warnings are told', async () => {
    const sheets = {
      Orders: STOCK,
      Open: [
        ['Order', 'Total'],
        ['A-1', { formula: 'B1*2' } as ExcelJS.CellFormulaValue],
      ],
    };
    const file = new FormData();
    file.append('file', new Blob([new Uint8Array(await workbookOf(sheets))]), 'stock.xlsx');
    const stored = (await (await fetch(`${service.url}/api/files`, { method: 'POST', body: file })).json()) as { data: { id: string } };
    const job = await api.post<{ data: { jobId: string } }>('/api/v1/documents/batch-process', {
      documentIds: [stored.data.id],
      type: 'DATA_EXTRACTION',
    });
    const done = await eventually(
      () => api.get<{ data: { status: string; results: { data: object }[] } }>(`/api/v1/documents/batch-process/${job.body.data.jobId}`),
      ({ body }) => body.data.status === 'COMPLETED',
      60_000,
    );
    expect(done.body.data.results[0]!.data).toMatchObject({
      extraction: {
        tables: [
          {
            name: 'Orders',
            columns: ['Item', 'Colour', 'Price'],
            rows: [
              ['Chair', 'red', '49'],
              ['Desk', '', '199'],
              ['Lamp', 'red', '20'],
            ],
            rowCount: 3,
          },
          { name: 'Open', columns: ['Order', 'Total'], rows: [['A-1', '=B1*2']] },
        ],
      },
      warnings: [expect.stringMatching(/^formulas without a stored result.*first Open!B2$/)],
    });
  });
});
