import { stringify } from 'csv-stringify/sync';
import ExcelJS from 'exceljs';
import iconv from 'iconv-lite';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BatchView } from '../../src/batches/batch.view.js';
import { Config } from '../../src/config.js';
import type { RecordView } from '../../src/records/record.view.js';
import { Api, type Problem } from '../contracts/api.js';
import { eventually } from '../support/eventually.js';
import { startTestService, type TestService } from '../support/service.js';
import { formOf, upload, uploadDone } from '../support/upload.js';

interface ImportReply {
  data: BatchView;
  skipped: number;
  problems: { line: number; message: string }[];
  warnings: string[];
}

/** What a file holds, by the road that it came on. */
interface Outcome {
  status: number;
  records: Record<string, unknown>[];
  warnings: string[];
  message?: string;
}

/** Tables as programs write them, each with the records that are in it. */
const FILES: Record<string, { bytes: Buffer | string; records: Record<string, unknown>[]; warnings?: RegExp[] }> = {
  'commas at the end of each line': {
    bytes: 'sku,name,\nA1,Chair,\nA2,Desk,\n',
    records: [
      { sku: 'A1', name: 'Chair' },
      { sku: 'A2', name: 'Desk' },
    ],
  },
  'an index without a name': {
    bytes: ',sku,name\n0,A1,Chair\n1,A2,Desk\n',
    records: [
      { 'column 1': 0, sku: 'A1', name: 'Chair' },
      { 'column 1': 1, sku: 'A2', name: 'Desk' },
    ],
    warnings: [/^column 1 has no name/],
  },
  'CR at the end of lines': {
    bytes: 'sku,name\rA1,Chair\rA2,Desk\r',
    records: [
      { sku: 'A1', name: 'Chair' },
      { sku: 'A2', name: 'Desk' },
    ],
  },
  'semicolons, with commas in the names': {
    bytes: 'Name;Price (EUR, net);Size (cm, outer, max)\nDesk;1,5;3\nChair;2,5;4\n',
    records: [
      { Name: 'Desk', 'Price (EUR, net)': 1.5, 'Size (cm, outer, max)': 3 },
      { Name: 'Chair', 'Price (EUR, net)': 2.5, 'Size (cm, outer, max)': 4 },
    ],
  },
  'rows of commas': {
    bytes: 'sku,name\nA1,Chair\n,\n,\nA2,Desk\n,\n',
    records: [
      { sku: 'A1', name: 'Chair' },
      { sku: 'A2', name: 'Desk' },
    ],
    warnings: [/^3 rows \(lines 3, 4, 6\)/],
  },
  'a quote that stands for inches': {
    bytes: 'sku,name\nA1,5" pipe\nA2,hose\n',
    records: [
      { sku: 'A1', name: '5" pipe' },
      { sku: 'A2', name: 'hose' },
    ],
  },
  'a blank before a quote': {
    bytes: 'sku, name\nA1, "Chair, red"\n',
    records: [{ sku: 'A1', name: 'Chair, red' }],
    warnings: [/^the blank behind each ","/],
  },
  'UTF-16 with tabs, as spreadsheets write Unicode text': {
    bytes: iconv.encode('sku\tname\r\nA1\tStühle\r\n', 'utf-16le', { addBOM: true }),
    records: [{ sku: 'A1', name: 'Stühle' }],
  },
  'UTF-16 with the big end first': {
    bytes: iconv.encode('sku,name\nA1,椅子\n', 'utf-16be', { addBOM: true }),
    records: [{ sku: 'A1', name: '椅子' }],
  },
  'windows-1252': {
    bytes: iconv.encode('sku;name\nA1;Stühle – 5 €\n', 'windows-1252'),
    records: [{ sku: 'A1', name: 'Stühle – 5 €' }],
    warnings: [/^read as windows-1252, which is a guess/],
  },
  'a letter of windows-1252 after a megabyte of ASCII': {
    bytes: iconv.encode(`sku,name\nA1,${'x'.repeat(1_000_000)}\nA2,Stühle\n`, 'windows-1252'),
    records: [
      { sku: 'A1', name: 'x'.repeat(1_000_000) },
      { sku: 'A2', name: 'Stühle' },
    ],
    warnings: [/^read as windows-1252/],
  },
  'a title, a total and a source': {
    bytes: 'Monthly report\n\nsku,name,price\nA1,Chair,4.5\nA2,Desk,9\n\nTotal,,13.5\nSource: the shop\n',
    records: [
      { sku: 'A1', name: 'Chair', price: 4.5 },
      { sku: 'A2', name: 'Desk', price: 9 },
    ],
    warnings: [/^line 1 is passed over as a title/, /^line 7 is passed over as a note/, /^line 8 is passed over as a note/],
  },
  "Excel's sep line": {
    bytes: 'sep=;\nsku;name\nA1;Chair, red\n',
    records: [{ sku: 'A1', name: 'Chair, red' }],
    warnings: [/^line 1 is no row/],
  },
};

describe('tables as programs write them', () => {
  let service: TestService;
  let api: Api;
  let collections = 0;

  beforeAll(async () => {
    service = await startTestService({ CREATE_LIMIT_PER_MINUTE: '100000', UPLOADS_PER_HOUR: '100000' });
    api = new Api(service.url);
  });

  afterAll(() => service.close());

  const ended = async (id: string): Promise<BatchView> =>
    (
      await eventually(
        () => api.get<{ data: BatchView }>(`/api/batches/${id}`),
        ({ body }) => body.data.endedAt !== null,
      )
    ).body.data;

  const recordsOf = async (collection: string, query = ''): Promise<Record<string, unknown>[]> =>
    (await api.get<{ data: RecordView[] }>(`/api/records/${collection}?limit=200${query}`)).body.data.map(({ fields }) => fields);

  const post = async (
    path: string,
    body: Buffer | string,
    headers: Record<string, string>,
  ): Promise<{ status: number; body: ImportReply & Problem }> => {
    const answer = await fetch(service.url + path, {
      method: 'POST',
      body: typeof body === 'string' ? body : new Uint8Array(body),
      headers,
    });
    return { status: answer.status, body: (await answer.json()) as ImportReply & Problem };
  };

  const outcomeOf = async (collection: string, { status, body }: { status: number; body: ImportReply & Problem }): Promise<Outcome> => {
    if (status !== 201) return { status, records: [], warnings: [], message: body.message };
    const batch = await ended(body.data.id);
    return { status, records: await recordsOf(collection), warnings: batch.warnings };
  };

  const imported = async (
    body: Buffer | string,
    headers: Record<string, string> = { 'content-type': 'text/csv' },
    query = '',
  ): Promise<Outcome> => {
    const collection = `c${(collections += 1)}`;
    return outcomeOf(collection, await post(`/api/records/${collection}/import${query}`, body, headers));
  };

  const stored = async (bytes: Buffer | string, name = 'table.csv', type = 'text/csv'): Promise<string> => {
    const form = new FormData();
    form.append('file', new Blob([typeof bytes === 'string' ? bytes : new Uint8Array(bytes)], { type }), name);
    const answer = await fetch(`${service.url}/api/files`, { method: 'POST', body: form });
    return ((await answer.json()) as { data: { id: string } }).data.id;
  };

  describe.each(Object.entries(FILES))('with %s', (_, { bytes, records, warnings = [] }) => {
    const told = (found: string[]): void => expect(found).toEqual(warnings.map((warning) => expect.stringMatching(warning)));

    test('are read as a body', async () => {
      const found = await imported(bytes);
      expect(found).toMatchObject({ status: 201, records });
      told(found.warnings);
    });

    test('are read as a stored file, also through the ERP interface', async () => {
      const fileId = await stored(bytes);
      const collection = `c${(collections += 1)}`;
      const created = await api.post<{ batch: { id: string } }>('/api/batch/create', {
        operation: 'import',
        options: { collection, fileId },
      });
      told((await ended(created.body.batch.id)).warnings);
      expect(await recordsOf(collection)).toEqual(records);
    });

    test('have as many rows and the same warnings as an upload', async () => {
      const form = formOf([{ name: 'table.csv', bytes: Buffer.from(bytes as string) }]);
      const { files } = await uploadDone(api, (await upload(service.url, form)).body.data.batchId);
      const result = JSON.parse(files[0]!.result!) as {
        rows: number;
        raggedRows: number;
        columns: { name: string }[];
        warnings?: string[];
      };
      expect(result).toMatchObject({ kind: 'csv', rows: records.length, raggedRows: 0 });
      expect(result.columns.map(({ name }) => name)).toEqual(Object.keys(records[0]!));
      told(result.warnings ?? []);
    });
  });

  test('a column with a text in it stays text, so that filters find all of its rows', async () => {
    const collection = 'addresses';
    await outcomeOf(
      collection,
      await post(`/api/records/${collection}/import?keyField=id`, 'id,zip\nA,10115\nB,01067\nC,10117\n', { 'content-type': 'text/csv' }),
    );
    const found = async (filter: object): Promise<unknown[]> =>
      (await recordsOf(collection, `&filter=${encodeURIComponent(JSON.stringify(filter))}`)).map(({ id }) => id);
    expect(await found({ zip: '10115' })).toEqual(['A']);
    expect(await found({ zip: { gte: '01000', lt: '10200' } })).toEqual(['A', 'B', 'C']);
  });

  test('rows of commas do no harm to a key field', async () => {
    expect(await imported('sku,name\nA1,Chair\n,\n,\nA2,Desk\n,\n', { 'content-type': 'text/csv' }, '?keyField=sku')).toMatchObject({
      records: [{ sku: 'A1' }, { sku: 'A2' }],
    });
  });

  test('what csv-stringify and ExcelJS write is read again', async () => {
    const rows = [
      ['id', 'name', 'note'],
      ['1', 'Chair; red', 'say "hi",\nthen go'],
      ['2', 'Desk', ''],
    ];
    for (const options of [
      {},
      { delimiter: ';' },
      { delimiter: '\t', quoted: true },
      { delimiter: '|', bom: true },
      { record_delimiter: 'windows' as const },
    ]) {
      expect((await imported(stringify(rows, options))).records).toMatchObject([
        { name: 'Chair; red', note: 'say "hi",\nthen go' },
        { name: 'Desk' },
      ]);
    }
    const workbook = new ExcelJS.Workbook();
    workbook.addWorksheet('Prices').addRows(rows);
    expect((await imported(Buffer.from(await workbook.csv.writeBuffer()))).records).toMatchObject([
      { name: 'Chair; red', note: 'say "hi",\nthen go' },
      { name: 'Desk' },
    ]);
  });

  describe('media types', () => {
    const NDJSON = '{"id":"a"}\n';
    const TSV = 'id\tname\n1\tDesk\n';

    test.each([
      ['application/jsonl', NDJSON, [{ id: 'a' }]],
      ['application/x-jsonlines', NDJSON, [{ id: 'a' }]],
      ['application/x-ndjson; charset=utf-8', NDJSON, [{ id: 'a' }]],
      ['text/tab-separated-values', TSV, [{ id: 1, name: 'Desk' }]],
      ['application/csv', TSV, [{ id: 1, name: 'Desk' }]],
      ['text/x-csv', TSV, [{ id: 1, name: 'Desk' }]],
      ['application/vnd.ms-excel', TSV, [{ id: 1, name: 'Desk' }]],
      ['text/plain', TSV, [{ id: 1, name: 'Desk' }]],
      ['application/octet-stream', TSV, [{ id: 1, name: 'Desk' }]],
      ['text/plain', NDJSON, [{ id: 'a' }]],
      ['application/octet-stream', '[{"id":"a"}]', [{ id: 'a' }]],
      ['TEXT/CSV;header=absent', '1,Desk\n', [{ 'column 1': 1, 'column 2': 'Desk' }]],
      ['text/csv; charset=iso-8859-1', iconv.encode('name\nStühle\n', 'latin1'), [{ name: 'Stühle' }]],
      ['text/csv; charset="iso-8859-2"', iconv.encode('name\nŁódź\n', 'iso-8859-2'), [{ name: 'Łódź' }]],
      ['application/x-ndjson; charset=utf-16le', iconv.encode('{"name":"Stühle"}\n', 'utf-16le'), [{ name: 'Stühle' }]],
      ['application/x-ndjson', iconv.encode('{"name":"Stühle"}\n', 'utf-16le', { addBOM: true }), [{ name: 'Stühle' }]],
      ['application/x-ndjson; charset=iso-8859-1', iconv.encode('{"name":"Stühle"}\n', 'latin1'), [{ name: 'Stühle' }]],
    ])('%s is read', async (type, bytes, records) => {
      expect(await imported(bytes, { 'content-type': type })).toMatchObject({ status: 201, records, warnings: [] });
    });

    test.each(['text/csv', 'application/csv', 'application/vnd.ms-excel'])(
      '%s is read as the JSON that it is, and that is told',
      async (type) => {
        expect(await imported(NDJSON, { 'content-type': type })).toMatchObject({
          status: 201,
          records: [{ id: 'a' }],
          warnings: [expect.stringMatching(/^read as ndjson/)],
        });
        expect(await imported('[{"id":"a"}]', { 'content-type': type })).toMatchObject({
          records: [{ id: 'a' }],
          warnings: [expect.stringMatching(/^read as json/)],
        });
      },
    );

    test('a format that is said is read, whatever the bytes seem to be', async () => {
      expect(await imported('name\nAda\n', { 'content-type': 'text/plain' }, '?format=csv')).toMatchObject({
        status: 201,
        records: [{ name: 'Ada' }],
      });
      expect(await imported(TSV, { 'content-type': 'application/x-ndjson' }, '?format=csv')).toMatchObject({
        status: 400,
        message: expect.stringMatching(/^format: is csv, but the content type says ndjson/),
      });
    });

    test.each([
      ['text/plain', 'hello', /text without a table.*say which with format/],
      ['application/octet-stream', Buffer.alloc(1_000, 7), /no text/],
      ['application/vnd.ms-excel', Buffer.concat([Buffer.from('d0cf11e0a1b11ae1', 'hex'), Buffer.alloc(600)]), /Office before 2007/],
      ['text/csv', Buffer.from('504b030414000600', 'hex'), /compressed \(zip\)/],
      ['text/csv', '<!doctype html><html>', /a page of HTML/],
      ['application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', 'x', /save its sheet as CSV/],
      ['application/x-www-form-urlencoded', 'a=1', /say what the body is/],
      ['application/xml', '<a/>', /XML is not read/],
      ['image/png', 'x', /rows as text\/csv/],
    ])('%s that has no rows is refused with what to do', async (type, bytes, message) => {
      expect(await imported(bytes, { 'content-type': type })).toMatchObject({ status: 415, message: expect.stringMatching(message) });
    });

    test.each([
      ['text/csv; charset=klingon', 'a,b\n1,2\n', '', /not a known charset/],
      ['text/csv; charset=utf-16', 'a,b\n1,2\n', '', /no byte of it is zero/],
      ['text/csv; charset=utf-8', iconv.encode('name\nStühle\n', 'latin1'), '', /line 2: not valid UTF-8/],
      ['text/csv; charset=utf-8', 'a,b\n1,2\n', '?charset=windows-1252', /the content type says utf-8/],
      ['text/csv; header=absent', 'a,b\n1,2\n', '?header=1', /the content type says header=absent/],
      ['application/x-ndjson', '{"a":1}\n', '?delimiter=;', /delimiter: is for CSV/],
      ['application/json', '[{"a":1}]', '?quote=x', /quote: is for CSV/],
      ['application/json', '[{"a":1}]', '?charset=utf-8', /charset: a JSON body is UTF-8/],
      ['text/csv', 'a,b\n1,2\n', '?keyField=c', /keyField: the CSV has no column c; it has a, b/],
    ])('%s with settings that do not fit is refused: %j %s', async (type, bytes, query, message) => {
      expect(await imported(bytes, { 'content-type': type }, query)).toMatchObject({
        status: 400,
        message: expect.stringMatching(message),
      });
    });
  });

  describe('an import that does nothing', () => {
    const CSV = { 'content-type': 'text/csv' };
    const LINES = { 'content-type': 'application/x-ndjson' };

    test.each([
      ['an empty CSV', '', CSV],
      ['a blank CSV', ' \n\n', CSV],
      ['an empty body of lines', '', LINES],
    ])('is refused for %s', async (_, body, headers) => {
      expect(await imported(body, headers)).toMatchObject({ status: 400, message: expect.stringMatching(/is empty/) });
    });

    test('is refused when all of its rows are wrong, also with onInvalid=skip', async () => {
      expect(await imported('nonsense\n{"a":\n', LINES, '?onInvalid=skip')).toMatchObject({
        status: 400,
        message: expect.stringMatching(/^nothing was imported: all 2 rows are wrong, line 1: not JSON/),
      });
      expect(await imported('a,b\n1\n', CSV, '?onInvalid=skip&raggedRows=refuse')).toMatchObject({
        status: 400,
        message: expect.stringMatching(/the only row is wrong, line 2/),
      });
    });

    test.each([
      ['a header alone', 'a,b\n', CSV, 'there are no rows below the header'],
      ['blank lines', '\n\n', LINES, 'there is nothing to do: no items came'],
      ['an empty list', '[]', { 'content-type': 'application/json' }, 'there is nothing to do: no items came'],
    ])('tells so for %s', async (_, body, headers, warning) => {
      expect(await imported(body, headers)).toMatchObject({ status: 201, records: [], warnings: expect.arrayContaining([warning]) });
    });

    test('tells how many rows it left out', async () => {
      const { body } = await post('/api/records/left-out/import?onInvalid=skip&raggedRows=refuse', 'a,b\n1,2\n3\n', CSV);
      expect(body).toMatchObject({
        skipped: 1,
        warnings: expect.arrayContaining(['1 of 2 rows were left out as wrong; the first: line 3: the row has 1 cells and the header 2']),
      });
    });
  });

  test('of a body nothing stays on the disk, whatever comes of it', async () => {
    await imported('a,b\n1,2\n');
    await imported('a,b\n1,"2\n');
    await imported('a,__proto__\n1,2\n');
    expect(await readdir(join(service.app.get(Config).dataDir, 'files', 'incoming'))).toEqual([]);
  });
});
