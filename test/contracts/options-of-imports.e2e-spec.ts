import type { BatchView } from '../../src/batches/batch.view.js';
import { ImportRecords } from '../../src/records/commands/import-records.command.js';
import { ImportFileRequest, ImportRecordsQuery } from '../../src/records/records.request.js';
import { createRpcClient, refusalOf } from '../rpc/client.js';
import { fieldsOf } from '../support/input-class.js';
import { startTestService, type TestService } from '../support/service.js';
import { Api, until } from './api.js';

// The options of the batch are those of every other one, see options-of-dialects.

let service: TestService;
let api: Api;

beforeAll(async () => {
  service = await startTestService();
  api = new Api(service.url);
});
afterAll(() => service.close());

const JSON_TYPES = ['application/json', 'application/x-ndjson'];
const LARGE = '{"a":12345678901234567890}\n';

/** A value of each setting, and a body that is read otherwise with it than without. */
const SETTINGS: Record<string, { value: string; text: string; type?: string }> = {
  delimiter: { value: 'z', text: 'azb\n1zq\n' },
  quote: { value: '~', text: 'a,b\n~x,y~,z\n' },
  header: { value: 'none', text: 'a,b\nx,y\n' },
  charset: { value: 'windows-1252', text: 'a\né\n' },
  comment: { value: '%', text: 'a\n%x\ny\n' },
  raggedRows: { value: 'skip', text: 'a,b\nx\ny,z\n' },
  cells: { value: 'text', text: 'a\n1\n' },
  keyField: { value: 'a', text: 'a\nx\n' },
  format: { value: 'csv', text: '{"a":1}\n{"a":2}\n', type: 'text/plain' },
  largeNumbers: { value: 'text', text: LARGE, type: 'application/x-ndjson' },
  onInvalid: { value: 'skip', text: '{"a":1}\n[1]\n', type: 'application/x-ndjson' },
  name: { value: 'Named', text: 'a\nx\n' },
};

let made = 0;

/** What came of an import: its answer's status, the batch's name, and the records. */
async function imported(query: Record<string, string>, text: string, type: string): Promise<object> {
  const collection = `imported${(made += 1)}`;
  const path = `/api/records/${collection}/import?${new URLSearchParams(query).toString()}`;
  const { status, body } = await api.sendText<{ data?: BatchView; details?: object }>(path, text, type);
  if (!body.data) return { status, details: body.details };
  const { id } = body.data;
  await until(
    () => api.get<{ data: BatchView }>(`/api/batches/${id}`),
    (answer) => answer.body.data.endedAt !== null,
  );
  const { data } = (await api.get<{ data: { key: string; fields: object }[] }>(`/api/records/${collection}`)).body;
  return { status, renamed: body.data.name === query.name, records: data.map(({ key, fields }) => [key, fields]) };
}

test('every setting of an import has an entry here', () => {
  expect(
    fieldsOf(ImportRecordsQuery)
      .map(({ name }) => name)
      .sort(),
  ).toEqual(Object.keys(SETTINGS).sort());
  expect(
    fieldsOf(ImportFileRequest)
      .map(({ name }) => name)
      .sort(),
  ).toEqual(['fileId', 'format']);
  const others = ['collection', 'source', 'rows', 'fileId', 'contentType', 'options'];
  expect(
    fieldsOf(ImportRecords)
      .map(({ name }) => name)
      .sort(),
  ).toEqual([...Object.keys(SETTINGS), ...others].sort());
});

test.each(Object.keys(SETTINGS))('the setting %s of an import changes what is read', async (name) => {
  const { value, text, type = 'text/csv' } = SETTINGS[name]!;
  const [changed, usual] = [await imported({ [name]: value }, text, type), await imported({}, text, type)];
  expect(changed).toMatchObject({ status: 201 });
  expect(changed).not.toEqual(usual);
});

test.each(['delimiter', 'quote', 'header', 'comment', 'raggedRows', 'cells'])('%s is refused where the rows are JSON', async (name) => {
  for (const type of JSON_TYPES) {
    const refused = await imported({ [name]: SETTINGS[name]!.value }, type === JSON_TYPES[0] ? '[{"a":1}]' : '{"a":1}\n', type);
    expect(refused).toMatchObject({ status: 400, details: { errors: [{ path: name }] } });
  }
});

test('largeNumbers is refused where the rows are CSV', async () => {
  const refused = await imported({ largeNumbers: 'text' }, 'a\n1\n', 'text/csv');
  expect(refused).toMatchObject({ status: 400, details: { errors: [{ path: 'largeNumbers' }] } });
});

const WITH_ROWS: Record<string, unknown> = {
  contentType: 'text/csv',
  fileId: '00000000-0000-4000-8000-000000000000',
  source: ['a'],
  format: 'csv',
  charset: 'utf-8',
  largeNumbers: 'text',
  ...Object.fromEntries(['delimiter', 'quote', 'header', 'comment', 'raggedRows', 'cells'].map((name) => [name, SETTINGS[name]!.value])),
};

test.each(Object.keys(WITH_ROWS))('%s is refused beside rows that come by tRPC', async (name) => {
  const input = { collection: 'rows', rows: [{ a: 1 }], [name]: WITH_ROWS[name] };
  const { data } = (await refusalOf(createRpcClient(service.url).records.import.mutate(input))).shape!;
  expect(data.httpStatus).toBe(400);
});

test.each<[string, object, object]>([
  ['keyField', { keyField: 'a' }, { counts: { total: 1 }, parameters: { keyField: 'a' } }],
  ['name', { name: 'Named' }, { name: 'Named' }],
  ['onInvalid', { rows: [{ a: 1 }, 5], onInvalid: 'skip' }, { counts: { total: 1 } }],
])('%s of rows that come by tRPC is heeded', async (_name, fields, seen) => {
  const { batch } = await createRpcClient(service.url).records.import.mutate({ collection: 'rows', rows: [{ a: 1 }], ...fields });
  expect(batch).toMatchObject(seen);
});
