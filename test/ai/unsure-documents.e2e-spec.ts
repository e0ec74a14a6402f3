import { toSourceDocument } from '../../src/ai/document/source-document.js';
import type { CreatedDocumentJobReply, DocumentJobReply } from '../../src/dialects/documents/documents.reply.js';
import { Api } from '../contracts/api.js';
import { eventually } from '../support/eventually.js';
import { startTestService, type TestService } from '../support/service.js';

const JOBS = '/api/v1/documents/batch-process';

let service: TestService;
let api: Api;

beforeAll(async () => {
  service = await startTestService();
  api = new Api(service.url);
});
afterAll(() => service.close());

async function fileOf(text: string, name = 'letter.txt'): Promise<string> {
  const form = new FormData();
  form.set('file', new Blob([text]), name);
  const response = await fetch(`${service.url}/api/files`, { method: 'POST', body: form });
  return ((await response.json()) as { data: { id: string } }).data.id;
}

type Data = { extraction: { amounts: object[]; dates: object[] }; warnings?: string[] };

/** What a job finds in each of the documents. */
async function dataOf(documentIds: string[], type = 'DATA_EXTRACTION'): Promise<Data[]> {
  const { body } = await api.post<CreatedDocumentJobReply>(JOBS, { documentIds, type });
  const { body: job } = await eventually(
    () => api.get<DocumentJobReply>(`${JOBS}/${body.data.jobId}`),
    ({ body: { data } }) => data.status === 'COMPLETED',
  );
  return job.data.results.map(({ data }) => data as Data);
}

test('amounts of word processors are found with their values, in files, records and tables', async () => {
  const files = [
    'Total: EUR 1\u00a0234,56\n',
    'Total: 1\u202f234,56 €\n',
    'Total: -$45.00\n',
    'Desk\tEUR 499.00\t2\nChair\tEUR 80.00\t4\n',
  ];
  const ids = await Promise.all(files.map((text) => fileOf(text)));
  await api.send('PUT', '/api/records/documents/r1', { fields: { text: 'Preis 45,- €', total: '1\u00a0250,00 zł' } });
  const found = await dataOf([...ids, 'r1']);
  expect(found.map(({ extraction }) => extraction.amounts)).toEqual([
    [{ text: 'EUR 1\u00a0234,56', value: 1234.56, currency: 'EUR' }],
    [{ text: '1\u202f234,56 €', value: 1234.56, currency: 'EUR' }],
    [{ text: '-$45.00', value: -45, currency: 'USD' }],
    [
      { text: 'EUR 499.00', value: 499, currency: 'EUR' },
      { text: 'EUR 80.00', value: 80, currency: 'EUR' },
    ],
    [
      { text: '45,- €', value: 45, currency: 'EUR' },
      { text: '1\u00a0250,00 zł', value: 1250, currency: 'PLN' },
    ],
  ]);
  expect(found.every((data) => !('warnings' in data))).toBe(true);
});

test('what is not sure comes as it is written, with a warning that says why', async () => {
  const [unsure, full] = [await fileOf('Total: EUR 1.250, payable until 03/04/2026'), await fileOf('Total: EUR 1.250')];
  const [data] = await dataOf([unsure]);
  expect(data!.extraction).toMatchObject({
    amounts: [{ text: 'EUR 1.250', value: null, currency: 'EUR' }],
    dates: [{ text: '03/04/2026', iso: null }],
  });
  expect(data!.warnings).toEqual([
    'the amount "EUR 1.250" is not sure: 1250 or 1.25? nothing else in the document tells',
    'the date "03/04/2026" is not sure: 2026-04-03 or 2026-03-04? nothing else in the document tells',
  ]);
  expect((await dataOf([full], 'FULL_ANALYSIS'))[0]!.warnings).toHaveLength(1);
  expect(await dataOf([full], 'QUALITY_CHECK')).toEqual([expect.not.objectContaining({ warnings: expect.anything() })]);
});

test('what the reader of a file warns of goes on with its document', () => {
  expect(toSourceDocument({}, 'text', false, ['page 3 could not be read'])).toMatchObject({ warnings: ['page 3 could not be read'] });
});
