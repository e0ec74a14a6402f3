import type { BatchView } from '../../src/batches/batch.view.js';
import type { OutcomeView } from '../../src/batches/item.view.js';
import type { ErpCreatedReply } from '../../src/dialects/erp/erp.reply.js';
import type { RecordView } from '../../src/records/record.view.js';
import { Api, type Problem } from '../contracts/api.js';
import { eventually } from '../support/eventually.js';
import { startTestService, type TestService } from '../support/service.js';

type Reply<Data> = { data: Data };

describe('the operation import', () => {
  let service: TestService;
  let api: Api;

  beforeAll(async () => {
    service = await startTestService();
    api = new Api(service.url);
  });

  afterAll(() => service.close());

  const upload = async (text: string, name: string, type = 'application/octet-stream') => {
    const form = new FormData();
    form.append('file', new Blob([text], { type }), name);
    const response = await fetch(`${service.url}/api/files`, { method: 'POST', body: form });
    return ((await response.json()) as Reply<{ id: string }>).data.id;
  };

  const ended = async (id: string) =>
    (
      await eventually(
        () => api.get<Reply<BatchView>>(`/api/batches/${id}`),
        ({ body }) => body.data.endedAt !== null,
      )
    ).body.data;

  const fieldsOf = async (collection: string) => {
    const { body } = await api.get<Reply<RecordView[]>>(`/api/records/${collection}?limit=200`);
    return Object.fromEntries(body.data.map(({ key, fields }) => [key, fields]));
  };

  test('the ERP interface: rows of an uploaded file become records', async () => {
    const fileId = await upload('sku,name,price\nA-1,Chair,49.90\nB-2,Table,120\n', 'products.csv', 'text/csv');
    const created = await api.post<ErpCreatedReply>('/api/batch/create', {
      operation: 'import',
      options: { collection: 'products', fileId, keyField: 'sku', cells: 'numbers' },
    });
    expect(created.status).toBe(201);
    expect(await ended(created.body.batch.id)).toMatchObject({ status: 'completed', counts: { total: 2, succeeded: 2 } });
    expect(await fieldsOf('products')).toEqual({
      'A-1': { sku: 'A-1', name: 'Chair', price: 49.9 },
      'B-2': { sku: 'B-2', name: 'Table', price: 120 },
    });
  });

  test('what was decided while a file was read is told with the batch', async () => {
    const fileId = await upload('Products\n\nsku|price|\nA-1|1.10|\n||\nB-2|2\n', 'products.csv', 'application/vnd.ms-excel');
    const created = await api.post<ErpCreatedReply>('/api/batch/create', {
      operation: 'import',
      options: { collection: 'told', fileId, keyField: 'sku' },
    });
    const warnings = [
      '"|" parts the cells',
      'line 1 is passed over as a title above the table: "Products"',
      '1 row (line 5) without any value: passed over',
      'the column "price" stays text: 1.10 (line 4) would change as a number',
      'cells=numbers reads one column of text as numbers, by their value',
    ];
    expect(created.body).toMatchObject({ warnings });
    expect(await ended(created.body.batch.id)).toMatchObject({ warnings, counts: { succeeded: 2 } });
    expect(await fieldsOf('told')).toEqual({ 'A-1': { sku: 'A-1', price: '1.10' }, 'B-2': { sku: 'B-2', price: '2' } });
  });

  test('settings say how a file is read; those that cannot be, contradict each other or have no effect are refused', async () => {
    const fileId = await upload('x\nid^name\n1^$Chair^ red$\n2\n', 'products.csv', 'text/csv');
    const create = (options: object, filters?: object) =>
      api.post<ErpCreatedReply>('/api/batch/create', { operation: 'import', filters, options: { collection: 'set', fileId, ...options } });
    const settings = { delimiter: '^', quote: '$', header: 2, raggedRows: 'skip' };
    await ended((await create({ ...settings, keyField: 'id' })).body.batch.id);
    expect(await fieldsOf('set')).toEqual({ 1: { id: '1', name: 'Chair^ red' } });
    await ended((await create({ collection: 'set-2' }, settings)).body.batch.id);
    expect(await fieldsOf('set-2')).toEqual({ 1: { id: 1, name: 'Chair^ red' } });
    for (const [options, filters, path] of [
      [{ delimiter: '' }, undefined, 'options.delimiter'],
      [{ delimiter: 'abc' }, undefined, 'options.delimiter'],
      [{ quote: '\n' }, undefined, 'options.quote'],
      [{ header: 0 }, undefined, 'options.header'],
      [{ header: 'first' }, undefined, 'options.header'],
      [{ raggedRows: 'drop' }, undefined, 'options.raggedRows'],
      [{ cells: 'dates' }, undefined, 'options.cells'],
      [{ charset: 'klingon' }, undefined, 'charset'],
      [{ delimeter: ';' }, undefined, 'options.delimeter'],
      [{ delimiter: ';' }, { delimiter: ',' }, 'filters.delimiter'],
      [{ delimiter: ';', quote: ';' }, undefined, 'quote'],
      [{ header: 99 }, undefined, 'header'],
      [{ format: 'ndjson', delimiter: ';' }, undefined, 'delimiter'],
    ] as const) {
      expect((await create(options, filters)).body).toMatchObject({ statusCode: 400, details: { errors: [{ path }] } });
    }
  });

  test('settings of a file are refused beside a list of items, and heard by a batch that is not to start yet', async () => {
    const fileId = await upload('id;n\n1;2\n', 'rows.csv', 'text/csv');
    for (const [name, value] of [
      ['fileId', fileId],
      ['delimiter', ';'],
      ['charset', 'utf-8'],
      ['format', 'csv'],
    ] as const) {
      const input = { operation: 'import', parameters: { collection: 'idle', [name]: value }, items: [{ key: 'a', payload: { a: 1 } }] };
      expect((await api.post<Problem>('/api/batches', input)).body).toMatchObject({
        statusCode: 422,
        details: { errors: [{ path: `parameters.${name}` }] },
      });
    }
    for (const when of [{ start: false }, { open: true }]) {
      const created = await api.post<Reply<BatchView>>('/api/batches', {
        operation: 'import',
        parameters: { collection: 'idle', fileId },
        ...when,
      });
      expect(created.body.data.counts).toMatchObject({ total: 1, pending: 1 });
    }
  });

  test('the file may be named by the filters, and its format by its name', async () => {
    const fileId = await upload('[{"id":7,"a":1},{"id":8,"a":2}]', 'rows.json');
    const created = await api.post<ErpCreatedReply>('/api/batch/create', {
      operation: 'import',
      filters: { fileId, keyField: 'id' },
      options: { collection: 'by-filter' },
    });
    await ended(created.body.batch.id);
    expect(await fieldsOf('by-filter')).toEqual({ 7: { id: 7, a: 1 }, 8: { id: 8, a: 2 } });
  });

  test('rows may come as items; wrong ones fail alone, with what is wrong', async () => {
    const items = [{ payload: { sku: 'x' } }, { payload: ['no row'] }, { payload: { name: 'no sku' } }, { payload: { sku: '' } }, {}];
    const created = await api.post<Reply<BatchView>>('/api/batches', {
      operation: 'import',
      items,
      parameters: { collection: 'items', keyField: 'sku' },
    });
    const { id } = created.body.data;
    expect((await ended(id)).counts).toMatchObject({ succeeded: 1, failed: 4 });
    const results = await api.get<Reply<OutcomeView[]>>(`/api/batches/${id}/results`);
    expect(results.body.data.map(({ output, error }) => output ?? error)).toEqual([
      { collection: 'items', key: 'x', result: 'created' },
      { kind: 'permanent', message: 'a row must be a JSON object' },
      { kind: 'permanent', message: 'the key field sku is missing' },
      { kind: 'permanent', message: 'sku: a key must not be empty' },
      { kind: 'permanent', message: 'a row must be a JSON object' },
    ]);
  });

  test('without a key field the item’s own key is the record’s', async () => {
    const items = [{ key: 'mine', payload: { a: 1 } }, { payload: { a: 2 } }];
    const created = await api.post<Reply<BatchView>>('/api/batches', {
      operation: 'import',
      items,
      parameters: { collection: 'own-keys' },
    });
    await ended(created.body.data.id);
    expect(await fieldsOf('own-keys')).toEqual({ mine: { a: 1 }, 2: { a: 2 } });
  });

  test.each([
    [500, { succeeded: 1, skipped: 19 }],
    [7, { succeeded: 3, skipped: 17 }],
    [1, { succeeded: 20, skipped: 0 }],
  ])('of rows with the same key the last one stays, in chunks of %i', async (batchSize, counts) => {
    const items = Array.from({ length: 20 }, (_, n) => ({ payload: { id: 'same', n } }));
    const parameters = { collection: `twins-${batchSize}`, keyField: 'id' };
    const created = await api.post<Reply<BatchView>>('/api/batches', { operation: 'import', items, parameters, options: { batchSize } });
    expect((await ended(created.body.data.id)).counts).toMatchObject(counts);
    expect(await fieldsOf(parameters.collection)).toEqual({ same: { id: 'same', n: 19 } });
  });

  test('importing the same again changes nothing and says so', async () => {
    const input = { operation: 'import', items: [{ key: 'a', payload: { a: 1 } }], parameters: { collection: 'again' } };
    const outputs = [];
    for (let time = 0; time < 2; time += 1) {
      const { id } = (await api.post<Reply<BatchView>>('/api/batches', input)).body.data;
      await ended(id);
      outputs.push((await api.get<Reply<OutcomeView[]>>(`/api/batches/${id}/results`)).body.data[0]!.output);
    }
    expect(outputs).toMatchObject([{ result: 'created' }, { result: 'unchanged' }]);
  });

  test('a file with wrong rows, an unknown file or format, or none at all: refused, and nothing is left', async () => {
    const wrong = await upload('{"a":1}\nnonsense\n{"b":', 'rows.ndjson');
    const picture = await upload('\x89PNG', 'chart.png', 'image/png');
    const before = await api.get<{ pagination: { total: number } }>('/api/batches');
    const create = (options: object) =>
      api.post<Problem>('/api/batch/create', { operation: 'import', options: { collection: 'refused', ...options } });
    const refused = await create({ fileId: wrong });
    expect(refused.status).toBe(400);
    expect(refused.body.details.errors.map(({ path }) => path)).toEqual(['line 2', 'line 3']);
    expect((await create({ fileId: picture })).body).toMatchObject({ statusCode: 400, details: { errors: [{ path: 'format' }] } });
    expect((await create({ fileId: '00000000-0000-0000-0000-000000000000' })).status).toBe(404);
    expect((await create({ fileId: '../../etc/passwd' })).status).toBe(404);
    expect((await create({})).body).toMatchObject({ statusCode: 400, details: { errors: [{ path: 'options.fileId' }] } });
    expect((await create({ fileId: wrong, collection: 'no/such' })).status).toBe(400);
    const after = await api.get<{ pagination: { total: number } }>('/api/batches');
    expect(after.body.pagination.total).toBe(before.body.pagination.total);
    expect(await fieldsOf('refused')).toEqual({});
  });
});
