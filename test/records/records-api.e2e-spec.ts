import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import type { BatchView } from '../../src/batches/batch.view.js';
import { Config } from '../../src/config.js';
import type { FileView, RecordView } from '../../src/records/record.view.js';
import { Api, type Answer, type Problem } from '../contracts/api.js';
import { eventually } from '../support/eventually.js';
import { startTestService, type TestService } from '../support/service.js';

interface ImportReply {
  data: BatchView;
  skipped: number;
  problems: { line: number; message: string }[];
}

interface ListReply {
  data: RecordView[];
  pagination: { limit: number; nextKey: string | null; total?: number };
}

const MAX_UPLOAD_BYTES = 3_000_000;

describe('records over HTTP', () => {
  let service: TestService;
  let api: Api;

  beforeAll(async () => {
    service = await startTestService({ MAX_UPLOAD_BYTES: String(MAX_UPLOAD_BYTES), CREATE_LIMIT_PER_MINUTE: '10000' });
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

  const importText = (collection: string, text: string, type: string, query = '') =>
    api.sendText<ImportReply>(`/api/records/${collection}/import${query}`, text, type);

  const imported = async (answer: Answer<ImportReply>) => {
    expect(answer.status).toBe(201);
    return ended(answer.body.data.id);
  };

  const fieldsOf = async (collection: string) => {
    const { body } = await api.get<ListReply>(`/api/records/${collection}?limit=200`);
    return Object.fromEntries(body.data.map(({ key, fields }) => [key, fields]));
  };

  const batchCount = async () => (await api.get<{ pagination: { total: number } }>('/api/batches')).body.pagination.total;

  describe('an import', () => {
    test.each([
      ['NDJSON', 'application/x-ndjson', '{"id":"a","n":1}\n{"id":"b","n":2}\n'],
      ['CSV', 'text/csv; charset=utf-8', '\ufeffid,n\r\na,1\r\nb,2\r\n'],
      ['JSON', 'application/json', '[{"id":"a","n":1},{"id":"b","n":2}]'],
    ])('of %s is one batch that writes its rows', async (name, type, text) => {
      const answer = await importText(`of-${name}`, text, type, '?keyField=id&name=Monday');
      expect(answer.body).toMatchObject({ success: true, skipped: 0, problems: [], data: { operation: 'import', name: 'Monday' } });
      expect(await imported(answer)).toMatchObject({ status: 'completed', sealed: true, counts: { total: 2, succeeded: 2 } });
      expect(await fieldsOf(`of-${name}`)).toEqual({ a: { id: 'a', n: 1 }, b: { id: 'b', n: 2 } });
    });

    test('without a key field numbers its records', async () => {
      await imported(await importText('numbered', '{"a":1}\n\n{"a":2}', 'application/x-ndjson'));
      expect(await fieldsOf('numbered')).toEqual({ 1: { a: 1 }, 2: { a: 2 } });
    });

    test('of an empty list is a batch with nothing to do, which says so', async () => {
      expect(await imported(await importText('none', '[]', 'application/json'))).toMatchObject({
        status: 'completed',
        counts: { total: 0 },
        warnings: ['there is nothing to do: no items came'],
      });
    });

    test('with wrong rows is refused whole, names the lines, and leaves nothing', async () => {
      const before = await batchCount();
      const answer = await importText('wrong', '{"id":"a"}\nnonsense\n{"x":1}\n[1]', 'application/x-ndjson', '?keyField=id');
      expect(answer.status).toBe(400);
      const problem = answer.body as unknown as Problem;
      expect(problem.details.errors.map(({ message }) => message)).toEqual([
        expect.stringMatching(/^line 2: not JSON/),
        'line 3: the key field id is missing',
        'line 4: a row must be a JSON object',
      ]);
      expect(await batchCount()).toBe(before);
      expect(await fieldsOf('wrong')).toEqual({});
    });

    test('with onInvalid=skip leaves wrong rows out and reports them', async () => {
      const answer = await importText('skipped', 'id,n\na,1\nb\nc,3\n', 'text/csv', '?keyField=id&onInvalid=skip&raggedRows=refuse');
      expect(answer.body).toMatchObject({ skipped: 1, problems: [{ line: 3, message: 'the row has 1 cells and the header 2' }] });
      await imported(answer);
      expect(Object.keys(await fieldsOf('skipped'))).toEqual(['a', 'c']);
    });

    test.each([
      ['text/csv', 'a,__proto__\n1,2'],
      ['text/csv', ''],
      ['application/json', '{"a":1}'],
      ['application/x-ndjson', ''],
      ['application/json', ''],
      ['application/json', '[{"a":1}'],
    ])('of %s that is not what it says is refused and leaves nothing: %j', async (type, text) => {
      const before = await batchCount();
      expect((await importText('broken', text, type)).status).toBe(400);
      expect(await batchCount()).toBe(before);
    });

    test('of another type is refused with what to do', async () => {
      expect((await importText('x', 'hello', 'text/plain')).status).toBe(415);
      const form = new FormData();
      form.append('file', new Blob(['{"a":1}']), 'rows.ndjson');
      const answer = await fetch(`${service.url}/api/records/x/import`, { method: 'POST', body: form });
      expect(answer.status).toBe(415);
      expect(((await answer.json()) as Problem).message).toContain('POST /api/files');
    });

    test('into a collection with a wrong name is refused', async () => {
      expect((await importText('..%2Fetc', '{"a":1}', 'application/x-ndjson')).status).toBe(400);
      expect((await importText('x'.repeat(101), '{"a":1}', 'application/x-ndjson')).status).toBe(400);
    });

    test('of more bytes than allowed is refused and leaves nothing', async () => {
      const before = await batchCount();
      const line = `{"a":"${'x'.repeat(1_000)}"}\n`;
      const answer = await importText('huge', line.repeat(4_000), 'application/x-ndjson');
      expect(answer.status).toBe(413);
      expect(await batchCount()).toBe(before);
    });

    test('refused early still answers a client that goes on sending', async () => {
      const answer = await sendSlowly('/api/records/early/import', 'application/x-ndjson', 'nonsense\n'.repeat(50_000), 30);
      expect(answer.status).toBe(400);
      expect(answer.text).toContain('line 1');
    });

    test('that the client breaks off leaves nothing', async () => {
      const before = await batchCount();
      await breakOff('/api/records/cut/import', 'application/x-ndjson', '{"a":1}\n'.repeat(6_000), async () => (await stagedChunks()) > 0);
      await eventually(stagedChunks, (count) => count === 0);
      expect(await batchCount()).toBe(before);
      expect(await fieldsOf('cut')).toEqual({});
    });

    test('of a stored file', async () => {
      const { data } = (await upload('id\tn\nx\t1\n', 'rows.tsv')).body;
      await imported(await api.post<ImportReply>('/api/records/from-file/import?keyField=id', { fileId: data.id }));
      expect(await fieldsOf('from-file')).toEqual({ x: { id: 'x', n: 1 } });
      expect((await api.post('/api/records/from-file/import', { fileId: '00000000-0000-0000-0000-000000000000' })).status).toBe(404);
      expect((await api.post('/api/records/from-file/import', { fileId: data.id, formt: 'csv' })).status).toBe(400);
    });
  });

  describe('a list', () => {
    beforeAll(async () => {
      const rows = Array.from({ length: 25 }, (_, index) => ({
        id: `k${String(index).padStart(2, '0')}`,
        n: index,
        kind: index % 2 ? 'odd' : 'even',
      }));
      await imported(await api.post<ImportReply>('/api/records/listed/import?keyField=id', rows));
    });

    const list = (query: Record<string, string>) =>
      api.get<ListReply & Problem>(`/api/records/listed?${new URLSearchParams(query).toString()}`);

    test('goes through all records page by page', async () => {
      const keys: string[] = [];
      let afterKey: string | null = '';
      while (afterKey !== null) {
        const { body }: Answer<ListReply> = await list({ limit: '10', afterKey });
        keys.push(...body.data.map(({ key }) => key));
        afterKey = body.pagination.nextKey;
      }
      expect(keys).toEqual(Array.from({ length: 25 }, (_, index) => `k${String(index).padStart(2, '0')}`));
    });

    test('filters, and counts when asked to', async () => {
      const { body } = await list({ filter: '{"kind":"odd","n":{"gt":10}}', limit: '2', count: 'true' });
      expect(body.data.map(({ key }) => key)).toEqual(['k11', 'k13']);
      expect(body.pagination).toEqual({ limit: 2, nextKey: 'k13', total: 7 });
    });

    test.each([
      [{ filter: '{' }, 'filter'],
      [{ filter: '[]' }, 'filter'],
      [{ filter: '{"__proto__":1}' }, 'filter.__proto__'],
      [{ filter: '{"a":{"regex":"x"}}' }, 'filter.a.regex'],
      [{ limit: '0' }, 'limit'],
      [{ limit: '1001' }, 'limit'],
      [{ limit: 'ten' }, 'limit'],
      [{ count: 'yes' }, 'count'],
      [{ sort: 'n' }, 'sort'],
    ])('with a wrong question is refused: %j', async (query, path) => {
      const answer = await list(query);
      expect(answer.status).toBe(400);
      expect(answer.body.details.errors[0]!.path).toBe(path);
    });

    test('of a collection that is not there is empty', async () => {
      expect((await api.get<ListReply>('/api/records/nothing')).body).toEqual({
        success: true,
        data: [],
        pagination: { limit: 50, nextKey: null },
      });
    });
  });

  describe('one record', () => {
    test.each(['plain', '@scope/name@1.0.0', 'with space & more?', 'ключ', '..'])('is written and read under the key %s', async (key) => {
      const path = `/api/records/single/${key === '..' ? '%2E%2E%2Fx' : encodeURIComponent(key)}`;
      const written = await api.send<{ data: RecordView }>('PUT', path, { fields: { a: 1 } });
      expect(written.status).toBe(200);
      expect(written.body.data).toMatchObject({ collection: 'single', fields: { a: 1 }, fileId: null });
      expect((await api.get<{ data: RecordView }>(path)).body.data).toEqual(written.body.data);
      const changed = await api.send<{ data: RecordView }>('PUT', path, { fields: { b: 2 } });
      expect(changed.body.data).toMatchObject({ fields: { b: 2 }, createdAt: written.body.data.createdAt });
    });

    test('that is not there is 404', async () => {
      const answer = await api.get<Problem>('/api/records/single/nobody');
      expect(answer.status).toBe(404);
      expect(answer.body.message).toBe('record nobody not found in collection single');
    });

    test.each([
      [{ fields: [1] }, 'fields'],
      [{ fields: { a: '\0' } }, 'fields'],
      [{}, 'fields'],
      [{ fields: {}, fileId: 5 }, 'fileId'],
      [{ fields: {}, key: 'x' }, 'key'],
    ])('with wrong fields is refused: %j', async (body, path) => {
      const answer = await api.send<Problem>('PUT', '/api/records/single/wrong', body);
      expect(answer.status).toBe(400);
      expect(answer.body.details.errors[0]!.path).toBe(path);
    });

    test('may have a stored file, but no unknown one', async () => {
      const { data } = (await upload('hello', 'hello.txt')).body;
      const answer = await api.send<{ data: RecordView }>('PUT', '/api/records/single/filed', { fields: {}, fileId: data.id });
      expect(answer.body.data.fileId).toBe(data.id);
      expect((await api.send('PUT', '/api/records/single/filed', { fields: {}, fileId: 'nope' })).status).toBe(404);
    });
  });

  describe('a file', () => {
    test('is stored with its size and hash, under a path that its name does not choose', async () => {
      const content = 'x'.repeat(1_500_000);
      const answer = await upload(content, '../../evil.csv', 'text/csv');
      expect(answer.status).toBe(201);
      expect(answer.body.data).toMatchObject({
        mediaType: 'text/csv',
        size: content.length,
        sha256: createHash('sha256').update(content).digest('hex'),
      });
      const files = await storedFiles();
      expect(files).toContain(answer.body.data.id);
      expect(files.join()).not.toContain('evil');
    });

    test('that is too large is refused, and nothing of it is kept', async () => {
      const before = await storedFiles();
      const answer = await upload('x'.repeat(MAX_UPLOAD_BYTES + 1), 'large.bin');
      expect(answer.status).toBe(413);
      expect(await storedFiles()).toEqual(before);
    });

    test('that the client breaks off is not kept', async () => {
      const before = await storedFiles();
      const head = '--b\r\ncontent-disposition: form-data; name="file"; filename="a.txt"\r\n\r\n';
      await breakOff(
        '/api/files',
        'multipart/form-data; boundary=b',
        head + 'x'.repeat(200_000),
        async () => (await storedFiles()).length > before.length,
      );
      await eventually(storedFiles, (files) => files.length === before.length);
    });

    test('must be in the form', async () => {
      const form = new FormData();
      form.append('note', 'no file here');
      expect((await fetch(`${service.url}/api/files`, { method: 'POST', body: form })).status).toBe(400);
      expect((await api.post('/api/files', { a: 1 })).status).toBe(415);
    });
  });

  async function stagedChunks(): Promise<number> {
    const { rows } = await service.database.pool.query<{ count: number }>('SELECT count(*)::int AS count FROM chunk WHERE state = 3');
    return rows[0]!.count;
  }

  async function upload(content: string, name: string, type = 'application/octet-stream'): Promise<Answer<{ data: FileView }>> {
    const form = new FormData();
    form.append('file', new Blob([content], { type }), name);
    const response = await fetch(`${service.url}/api/files`, { method: 'POST', body: form });
    return { status: response.status, headers: response.headers, body: (await response.json()) as { data: FileView } };
  }

  async function storedFiles(): Promise<string[]> {
    const folder = join(service.app.get(Config).dataDir, 'files');
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  }

  /** Goes on sending the text in so many pieces, whatever the service answers meanwhile. */
  function sendSlowly(path: string, type: string, text: string, times: number): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const sending = request(service.url + path, { method: 'POST', headers: { 'content-type': type } }, (response) => {
        let answer = '';
        response.on('data', (chunk) => (answer += String(chunk)));
        response.on('end', () => resolve({ status: response.statusCode!, text: answer }));
      });
      sending.on('error', reject);
      const send = (left: number): void => {
        if (left === 0) sending.end();
        else sending.write(text, () => setImmediate(send, left - 1));
      };
      send(times);
    });
  }

  /** Sends the text, and hangs up in the middle of the body as soon as the service is at work on it. */
  async function breakOff(path: string, type: string, text: string, isAtWork: () => Promise<boolean>): Promise<void> {
    const headers = { 'content-type': type, 'content-length': text.length + 1_000 };
    const sending = request(service.url + path, { method: 'POST', headers });
    const closed = new Promise((resolve) => sending.on('close', resolve));
    sending.on('error', () => undefined);
    sending.write(text);
    await eventually(isAtWork, Boolean);
    sending.destroy();
    await closed;
  }
});

test('tenants do not reach each other’s records and files', async () => {
  const service = await startTestService({ API_KEYS: 'red:red-key-of-sixteen,blue:blue-key-of-sixteen' });
  try {
    const red = new Api(service.url, { 'x-api-key': 'red-key-of-sixteen' });
    const blue = new Api(service.url, { 'x-api-key': 'blue-key-of-sixteen' });
    await red.send('PUT', '/api/records/shared/one', { fields: { secret: 'red' } });
    expect((await blue.get('/api/records/shared/one')).status).toBe(404);
    expect((await blue.get<ListReply>('/api/records/shared')).body.data).toEqual([]);
    await blue.send('PUT', '/api/records/shared/one', { fields: { secret: 'blue' } });
    expect((await red.get<{ data: RecordView }>('/api/records/shared/one')).body.data.fields).toEqual({ secret: 'red' });

    const form = new FormData();
    form.append('file', new Blob(['{"a":1}']), 'rows.ndjson');
    const uploaded = await fetch(`${service.url}/api/files`, {
      method: 'POST',
      body: form,
      headers: { 'x-api-key': 'red-key-of-sixteen' },
    });
    const { data } = (await uploaded.json()) as { data: FileView };
    expect((await blue.post('/api/records/stolen/import', { fileId: data.id })).status).toBe(404);
    expect((await blue.send('PUT', '/api/records/stolen/one', { fields: {}, fileId: data.id })).status).toBe(404);
    expect((await red.post('/api/records/own/import', { fileId: data.id })).status).toBe(201);
    expect((await new Api(service.url).get('/api/records/shared')).status).toBe(401);
  } finally {
    await service.close();
  }
});
