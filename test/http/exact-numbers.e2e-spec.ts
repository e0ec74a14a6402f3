import type { BatchView } from '../../src/batches/batch.view.js';
import type { ErpCreatedReply } from '../../src/dialects/erp/erp.reply.js';
import type { RecordView } from '../../src/records/record.view.js';
import { type Answer, Api, type Problem } from '../contracts/api.js';
import { eventually } from '../support/eventually.js';
import { startTestService, type TestService } from '../support/service.js';

const A = '731904562218870001';
const B = '731904562218870002';

interface ImportReply {
  data: BatchView;
  skipped: number;
  problems: { line: number; message: string }[];
}

let service: TestService;
let api: Api;

beforeAll(async () => {
  service = await startTestService({ CREATE_LIMIT_PER_MINUTE: '10000' });
  api = new Api(service.url);
});

afterAll(() => service.close());

const ended = async (id: string) =>
  (
    await eventually(
      () => api.get<{ data: BatchView }>(`/api/batches/${id}`),
      ({ body }) => body.data.endedAt !== null,
    )
  ).body.data;

const imported = async (answer: Answer<ImportReply>) => {
  expect(answer.status).toBe(201);
  return ended(answer.body.data.id);
};

const recordsOf = async (collection: string) => {
  const { body } = await api.get<{ data: RecordView[] }>(`/api/records/${collection}?limit=200`);
  return Object.fromEntries(body.data.map(({ key, fields }) => [key, fields]));
};

const send = async (method: string, path: string, text: string, type = 'application/json') => {
  const response = await fetch(service.url + path, { method, body: text, headers: { 'content-type': type } });
  return { status: response.status, body: (await response.json()) as Problem };
};

const refusedIn = (answer: { status: number; body: Problem }) => [answer.status, answer.body.details.errors.map(({ path }) => path)];

describe('a number that JavaScript would round', () => {
  test.each<[string, string, string, string]>([
    ['a payload', 'POST /api/batches', `{"operation":"noop","items":["a",{"payload":{"id":${A}}}]}`, 'items.1.payload.id'],
    ['an item', 'POST /api/batches', `{"operation":"noop","items":[${A}]}`, 'items.0'],
    ['data', 'POST /api/batches', `{"name":"x","data":[{"id":${A}}]}`, 'data.0.id'],
    ['a parameter', 'POST /api/batches', `{"operation":"noop","parameters":{"durationMs":0.1000000000000000001}}`, 'parameters.durationMs'],
    ['an option', 'POST /api/batch/create', `{"operation":"annotate","options":{"timeout":1e400}}`, 'options.timeout'],
    ['a filter', 'POST /api/batch/create', `{"operation":"annotate","filters":{"id":{"in":[1,${A}]}}}`, 'filters.id.in.1'],
    ['a field of a record', 'PUT /api/records/x/k', `{"fields":{"a":{"b":[1234567890123456.78]}}}`, 'fields.a.b.0'],
    ['a result', 'POST /api/batches/x/results', `{"key":"a","success":true,"output":{"total":-${A}}}`, 'output.total'],
    ['figures', 'POST /api/batches/x/metrics', `{"cost":9007199254740993}`, 'cost'],
    ['a new payload', 'PATCH /api/batches/x/items/1', `{"payload":${A}}`, 'payload'],
    ['a document', 'POST /api/v1/documents/batch-process', `{"documentIds":["a"],"type":"FULL_ANALYSIS","options":${A}}`, 'options'],
    ['the input of a mutation', 'POST /trpc/batch.create', `{"operation":"noop","items":[{"payload":[${A}]}]}`, 'items.0.payload.0'],
  ])('in %s is refused by its path', async (_what, route, text, path) => {
    const [method, address] = route.split(' ') as [string, string];
    const answer = await send(method, address, text);
    expect(answer.status).toBe(400);
    const told = (address.startsWith('/trpc') ? (answer.body as unknown as { error: { data: Problem } }).error.data : answer.body).details
      .errors;
    expect(told).toEqual([{ path, message: expect.stringMatching(/; write it as text: "/), code: 'custom' }]);
  });

  test('in a filter in an address, or in the input of a query, is refused by its path', async () => {
    const filter = encodeURIComponent(`{"id":{"gt":${A}}}`);
    const listed = await api.get<Problem>(`/api/records/x?filter=${filter}`);
    expect(refusedIn(listed)).toEqual([400, ['filter.id.gt']]);
    expect(listed.body.message).toBe(`filter.id.gt: ${A} has more digits than a JSON number holds exactly; write it as text: "${A}"`);
    for (const [query, path] of [
      [`/trpc/records.list?input=${encodeURIComponent(`{"collection":"x","filter":{"id":${A}}}`)}`, 'filter.id'],
      [
        `/trpc/records.list,batch.stats?batch=1&input=${encodeURIComponent(`{"0":{"collection":"x","filter":{"id":${A}}},"1":{}}`)}`,
        '0.filter.id',
      ],
      [`/trpc/batch.onEvent?input=${encodeURIComponent(`{"batchId":"x","lastEventId":${A}}`)}`, 'lastEventId'],
    ] as const) {
      const answer = await api.get<{ error: { data: Problem } }>(query);
      expect([answer.status, answer.body.error.data.details.errors.map((error) => error.path)]).toEqual([400, [path]]);
    }
  });

  test('in a stream of items is told by its line, and the others are added when they may be', async () => {
    const { data } = (await api.post<{ data: BatchView }>('/api/batches', { operation: 'noop', open: true })).body;
    const lines = `{"key":"a","payload":{"n":0.1}}\r\n{"key":"b","payload":{"ids":[1,${A}]}}\r\n\r\n{"key":"c","payload":"${A}"}\r\n`;
    const refused = await send('POST', `/api/batches/${data.id}/items`, lines, 'application/x-ndjson');
    expect(refusedIn(refused)).toEqual([400, ['items.1']]);
    expect(refused.body.message).toContain(`line 2: payload.ids.1: ${A} has more digits`);
    const skipped = await send('POST', `/api/batches/${data.id}/items?onInvalid=skip`, lines, 'application/x-ndjson');
    expect(skipped.body).toMatchObject({ data: { added: 2, skipped: 1, problems: [{ line: 2, message: expect.stringContaining(A) }] } });
  });
});

describe('what is exact', () => {
  test('comes back as it was sent, in payloads, outputs, records and lists of them', async () => {
    const exact =
      '{"a":0.1,"b":1e21,"c":-12.5,"d":9007199254740991,"e":100000000000000000000,"f":1152921504606847000,"g":5e-324,"h":[1e308,0.30000000000000004]}';
    const numbers = JSON.parse(exact) as object;
    const created = await send('POST', '/api/batches', `{"operation":"noop","items":[{"payload":{"output":${exact}}}]}`);
    const { id } = (created.body as unknown as { data: BatchView }).data;
    await ended(id);
    expect((await api.get<{ data: { output: unknown }[] }>(`/api/batches/${id}/results`)).body.data[0]!.output).toEqual(numbers);
    expect((await api.get<{ data: { payload: unknown }[] }>(`/api/batches/${id}/items`)).body.data[0]!.payload).toEqual({
      output: numbers,
    });
    expect((await send('PUT', '/api/records/exact/k', `{"fields":${exact}}`)).status).toBe(200);
    expect(await recordsOf('exact')).toEqual({ k: numbers });
    const found = await api.get<{ data: RecordView[] }>(
      `/api/records/exact?filter=${encodeURIComponent('{"f":1152921504606847000,"d":{"gte":9007199254740991}}')}`,
    );
    expect(found.body.data.map(({ key }) => key)).toEqual(['k']);
  });

  test('durations, tries and qualities of results from outside come back as they were sent', async () => {
    const { id } = (await api.post<{ data: BatchView }>('/api/batches', { operation: 'elsewhere', external: true, totalItems: 2 })).body
      .data;
    const sent = { durationMs: 123_456_789.123, quality: 0.123456789012345 };
    await api.post(`/api/batches/${id}/results`, { key: 'a', success: true, ...sent });
    await api.post(`/api/batches/${id}/results`, { key: 'b', success: true, durationMs: 16_777_217, quality: 0.1 });
    const { body } = await api.get<{ data: { durationMs: number; quality: number }[] }>(`/api/batches/${id}/results`);
    expect(body.data).toMatchObject([sent, { durationMs: 16_777_217, quality: 0.1 }]);
  });
});

describe('an import of rows with numbers that JavaScript would round', () => {
  const lines = `{"id":${A},"n":1}\n{"id":2,"n":2}\n{"id":${B},"n":3}\n`;
  const array = `[\n  {\n    "id": ${A}, "n": 1\n  },\n  { "id": 2, "n": 2 },\n  { "id": ${B}, "n": 3 }\n]`;

  test.each([
    ['application/x-ndjson', lines, [1, 3]],
    ['application/json', array, [2, 6]],
    ['application/json', array.replaceAll('\n', ' '), [1, 1]],
  ])('as %s is refused with the lines, and leaves nothing', async (type, text, told) => {
    const answer = await api.sendText<Problem>('/api/records/refused/import?keyField=id', text, type);
    expect(answer.status).toBe(400);
    const messages = answer.body.details.errors.map(({ message }) => message);
    expect(messages).toEqual([
      `line ${told[0]}: id: ${A} has more digits than a JSON number holds exactly; write it as text: "${A}", or import with largeNumbers=text`,
      expect.stringMatching(`^line ${told[1]}: id: ${B} .* largeNumbers=text`),
    ]);
    expect(await recordsOf('refused')).toEqual({});
  });

  test('leaves them out with onInvalid=skip, and reports them', async () => {
    const answer = await api.sendText<ImportReply>('/api/records/left-out/import?keyField=id&onInvalid=skip', array, 'application/json');
    expect(answer.body).toMatchObject({ skipped: 2, problems: [{ line: 2 }, { line: 6 }] });
    await imported(answer);
    expect(await recordsOf('left-out')).toEqual({ 2: { id: 2, n: 2 } });
  });

  test.each([
    ['NDJSON', 'application/x-ndjson', lines],
    ['a JSON array', 'application/json', array],
  ])('in %s keeps them as text with largeNumbers=text, keys too, and says so', async (name, type, text) => {
    const collection = `kept-${name.length}`;
    const batch = await imported(await api.sendText(`/api/records/${collection}/import?keyField=id&largeNumbers=text`, text, type));
    expect(batch.warnings).toEqual([
      '2 numbers are too large for JSON and kept as text, by field: id (2); other numbers in these fields stayed numbers: id (1)',
    ]);
    expect(await recordsOf(collection)).toEqual({ [A]: { id: A, n: 1 }, 2: { id: 2, n: 2 }, [B]: { id: B, n: 3 } });
  });

  test('of a stored file does the same, by the route and by the options of an ERP batch', async () => {
    const form = new FormData();
    form.append('file', new Blob([lines]), 'rows.ndjson');
    const stored = (await (await fetch(`${service.url}/api/files`, { method: 'POST', body: form })).json()) as { data: { id: string } };
    const fileId = stored.data.id;
    expect((await api.post<Problem>('/api/records/file/import?keyField=id', { fileId })).status).toBe(400);
    const byRoute = await imported(await api.post('/api/records/file/import?keyField=id&largeNumbers=text', { fileId }));
    expect(byRoute.warnings).toEqual([expect.stringContaining('id (2)')]);
    const options = { collection: 'erp', fileId, keyField: 'id' };
    const refused = await api.post<Problem>('/api/batch/create', { operation: 'import', options });
    expect([refused.status, refused.body.message]).toEqual([400, expect.stringContaining(`line 1: id: ${A}`)]);
    const created = await api.post<ErpCreatedReply>('/api/batch/create', {
      operation: 'import',
      options: { ...options, largeNumbers: 'text' },
    });
    expect((await ended(created.body.batch.id)).warnings).toEqual(byRoute.warnings);
    for (const collection of ['file', 'erp']) expect(Object.keys(await recordsOf(collection))).toEqual(['2', A, B]);
  });

  test('refuses the choice where it could change nothing', async () => {
    const csv = await api.sendText<Problem>('/api/records/csv/import?keyField=id&largeNumbers=refuse', `id\n${A}\n`, 'text/csv');
    expect(refusedIn(csv)).toEqual([400, ['largeNumbers']]);
    const rows = await send('POST', '/trpc/records.import', '{"collection":"rows","rows":[{"id":1}],"largeNumbers":"text"}');
    expect([rows.status, JSON.stringify(rows.body)]).toEqual([
      400,
      expect.stringContaining('largeNumbers: is for rows that are read from text'),
    ]);
  });

  test('refuses a wrong choice', async () => {
    const answer = await api.sendText<Problem>('/api/records/x/import?largeNumbers=round', lines, 'application/x-ndjson');
    expect(refusedIn(answer)).toEqual([400, ['largeNumbers']]);
  });
});
