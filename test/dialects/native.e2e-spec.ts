import { Api, type Answer, ISO_TIME, type Problem } from '../contracts/api.js';
import { eventually } from '../support/eventually.js';
import { NativeClient, ndjsonItems } from '../support/native-client.js';
import { startTestService, type TestService } from '../support/service.js';

interface View {
  id: string;
  status: string;
  counts: Record<string, number>;
  sealed: boolean;
}

describe('the native REST interface', () => {
  let service: TestService;
  let api: Api;

  beforeAll(async () => {
    service = await startTestService();
    api = new Api(service.url);
  });

  afterAll(() => service.close());

  const create = async (input: object) => (await api.post<{ data: View }>('/api/batches', { operation: 'noop', ...input })).body.data;
  const read = async (id: string) => (await api.get<{ data: View }>(`/api/batches/${id}`)).body.data;
  const end = (id: string) =>
    eventually(
      () => read(id),
      ({ status }) => ['completed', 'failed', 'cancelled'].includes(status),
    );
  const ndjson = (id: string, text: string, query = '') =>
    api.sendText<{ data: { added: number; skipped: number; problems: object[]; total: number } }>(
      `/api/batches/${id}/items${query}`,
      text,
      'application/x-ndjson',
    );

  test('creates a batch from a list: 201 with the whole view', async () => {
    const { status, body } = await api.post('/api/batches', { operation: 'noop', items: ['a', { key: 'b' }, 7], name: 'Three' });
    expect(status).toBe(201);
    expect(body).toEqual({
      success: true,
      data: {
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        dialect: 'native',
        operation: 'noop',
        name: 'Three',
        description: null,
        status: 'pending',
        stopping: false,
        reason: null,
        progress: 0,
        counts: { total: 3, succeeded: 0, failed: 0, skipped: 0, cancelled: 0, running: 0, pending: 3 },
        sealed: true,
        external: false,
        options: expect.objectContaining({ priority: 'normal' }),
        filters: {},
        parameters: {},
        run: 1,
        etaMs: null,
        meanDurationMs: null,
        retrying: false,
        rollback: null,
        lastEventSeq: 1,
        createdBy: null,
        createdAt: expect.stringMatching(ISO_TIME),
        startedAt: null,
        endedAt: null,
        // The same batch as the batch service knows it.
        type: 'noop',
        priority: 'medium',
        totalItems: 3,
        processedItems: 0,
        failedItems: 0,
        data: [],
        errors: [],
        warnings: [],
        config: {
          maxConcurrentJobs: 10,
          retryAttempts: 3,
          timeoutPerTemplate: 30_000,
          rollbackOnFailure: false,
          backupStrategy: 'none',
          conflictResolution: 'auto',
          notificationSettings: { onStart: false, onComplete: false, onError: false, progressInterval: null },
          resourceLimits: { timeout: null },
          parameters: {},
        },
      },
    });
  });

  test('every reply about a batch has both kinds of fields, and the engine word for its status', async () => {
    const { id } = await create({ items: ['a', { key: 'b', payload: { fail: 'permanent' } }], start: false });
    const started = await api.post<{ data: object }>(`/api/batches/${id}/start`);
    expect(started.body.data).toMatchObject({ id, operation: 'noop', type: 'noop', totalItems: 2, config: { retryAttempts: 3 } });
    await end(id);
    expect(await read(id)).toMatchObject({
      status: 'completed',
      processedItems: 2,
      failedItems: 1,
      completedAt: expect.stringMatching(ISO_TIME),
      data: [],
      errors: [{ jobId: `${id}:2`, itemIndex: 1, severity: 'high', context: { key: 'b', attempts: 1, kind: 'permanent' } }],
      results: { successful: 1, failed: 1, skipped: 0, cancelled: 0, outputs: [], summary: { total: 2, successRate: 0.5 } },
    });
    const timed = await create({ items: [{ payload: { durationMs: 600_000 } }], options: { batchTimeout: 50 } });
    const late = await eventually(
      () => read(timed.id),
      ({ status }) => status === 'timed_out',
      30_000,
    );
    expect(late).toMatchObject({ status: 'timed_out', reason: 'Job timeout exceeded' });
    const { body } = await api.get<{ data: View[] }>('/api/batches?limit=2&type=noop&dialect=native');
    expect(body.data).toMatchObject([
      { id: timed.id, type: 'noop', status: 'timed_out' },
      { id, errors: [{ jobId: `${id}:2` }] },
    ]);
  });

  test('lists the batches of one interface', async () => {
    const erp = await api.post<{ batch: { id: string } }>('/api/batch/create', { operation: 'noop', items: ['a'] });
    const { body } = await api.get<{ data: View[] }>('/api/batches?dialect=erp');
    expect(body.data.map(({ id }) => id)).toEqual([erp.body.batch.id]);
  });

  test('shows items, results, analytics and events of a batch that has ended', async () => {
    const { id } = await create({
      items: [
        { key: 'good', payload: { output: { n: 1 } } },
        { key: 'bad', payload: { fail: 'permanent' } },
      ],
    });
    await end(id);
    expect((await api.get(`/api/batches/${id}/items`)).body).toMatchObject({
      success: true,
      data: [
        { key: 'good', status: 'succeeded', payload: { output: { n: 1 } } },
        { key: 'bad', status: 'failed' },
      ],
      pagination: { total: 2, limit: 100, offset: 0, hasMore: false },
    });
    expect((await api.get(`/api/batches/${id}/results?status=failed`)).body).toMatchObject({
      data: [{ key: 'bad', status: 'failed', error: { kind: 'permanent' }, attempts: 1 }],
      pagination: { total: 1 },
    });
    expect((await api.get(`/api/batches/${id}/results?key=good`)).body).toMatchObject({ data: [{ key: 'good', output: { n: 1 } }] });
    expect((await api.get(`/api/batches/${id}/results?limit=1&offset=1`)).body).toMatchObject({
      data: [{ key: 'bad' }],
      pagination: { total: 2, limit: 1, offset: 1, hasMore: false },
    });
    expect((await api.get(`/api/batches/${id}/analytics`)).body).toMatchObject({
      success: true,
      data: { batchId: id, status: 'completed' },
    });
    const events = await api.get<{ data: { seq: number; type: string }[] }>(`/api/batches/${id}/events`);
    expect(events.body.data.map(({ seq }) => seq)).toEqual(events.body.data.map((_, index) => index + 1));
    expect(events.body.data.at(-1)?.type).toBe('batch.completed');
    const rest = await api.get<{ data: object[] }>(`/api/batches/${id}/events?afterSeq=1&limit=1`);
    expect(rest.body.data).toEqual([events.body.data[1]]);
  });

  test('an open batch takes items as JSON and as NDJSON, is sealed, and is started', async () => {
    const { id } = await create({ open: true, start: false });
    const asJson = await api.post(`/api/batches/${id}/items`, { items: ['a', { key: 'b', payload: { x: 1 } }] });
    expect(asJson.status).toBe(200);
    expect(asJson.body).toEqual({ success: true, data: { added: 2, skipped: 0, problems: [], total: 2, warnings: [] } });
    expect((await ndjson(id, '{"key":"c"}\n\n{"payload":{"y":2}}', '?seal=true')).body.data).toMatchObject({ added: 2, total: 4 });
    const late = await api.post<Problem>(`/api/batches/${id}/items`, { items: ['z'] });
    expect(late.status).toBe(409);
    const started = await api.post<{ data: View }>(`/api/batches/${id}/start`);
    expect(started.status).toBe(200);
    expect((await end(id)).counts).toMatchObject({ total: 4, succeeded: 4 });
  });

  test('a wrong line refuses the whole stream, or is skipped and told of', async () => {
    const { id } = await create({ open: true, start: false });
    const lines = ['{"key":"a"}', 'nonsense', '{"key":"b"}', '{"key":"c","__proto__":{}}', '["d"]'].join('\n');
    const refused = await ndjson(id, lines);
    expect(refused.status).toBe(400);
    expect((await read(id)).counts.total).toBe(0);
    const skipped = await ndjson(id, lines, '?onInvalid=skip');
    expect(skipped.body.data).toMatchObject({ added: 2, skipped: 3, total: 2 });
    expect(skipped.body.data.problems).toMatchObject([{ line: 2 }, { line: 4 }, { line: 5 }]);
  });

  test('a stream larger than any JSON body is read', async () => {
    const { id } = await create({ open: true, start: false });
    const added = await new NativeClient(service.url).addItems(id, ndjsonItems(3_000, { text: 'x'.repeat(1_000) }));
    expect(added).toMatchObject({ added: 3_000, total: 3_000 });
  });

  test.each([
    ['a list alone', 'application/json', '["a"]', 400],
    ['another field', 'application/json', '{"items":["a"],"batch":"x"}', 400],
    ['no items', 'application/json', '{}', 400],
    ['nothing', 'application/json', '', 400],
    ['CSV', 'text/csv', 'key\na', 415],
    ['plain text', 'text/plain', '{"key":"a"}', 415],
    ['an upload', 'multipart/form-data; boundary=x', '--x--', 415],
  ])('items as %s are refused, and none is added', async (_what, type, text, status) => {
    const { id } = await create({ open: true, start: false });
    expect((await api.sendText<Problem>(`/api/batches/${id}/items`, text, type)).status).toBe(status);
    expect((await read(id)).counts.total).toBe(0);
  });

  test('pauses, resumes and cancels, and says what the state does not allow', async () => {
    const { id } = await create({ filters: { count: 100 }, parameters: { durationMs: 50 }, options: { concurrency: 2 } });
    await eventually(
      () => read(id),
      ({ status }) => status === 'running',
    );
    const moves: [string, string][] = [
      ['pause', 'paused'],
      ['resume', 'running'],
      ['cancel', 'cancelled'],
    ];
    for (const [move, status] of moves) {
      const answer = await api.post<{ data: View }>(`/api/batches/${id}/${move}`);
      expect([answer.status, answer.body.data.status]).toEqual([200, status]);
    }
    for (const move of ['start', 'pause', 'resume', 'cancel']) {
      const answer = await api.post<Problem>(`/api/batches/${id}/${move}`);
      expect(answer.status).toBe(409);
      expect(answer.body.message).toContain(`batch ${id} is `);
    }
    await eventually(
      () => api.get<{ data: { stopping: boolean } }>(`/api/batches/${id}`),
      ({ body }) => !body.data.stopping,
    );
    expect((await api.delete(`/api/batches/${id}`)).body).toEqual({ success: true, data: { deleted: true } });
    expect((await api.get(`/api/batches/${id}`)).status).toBe(404);
  });

  test('keeps why a batch was cancelled', async () => {
    const { id } = await create({ items: ['a'], start: false });
    const { body } = await api.post<{ data: { reason: string } }>(`/api/batches/${id}/cancel`, { reason: 'wrong file' });
    expect(body.data.reason).toBe('wrong file');
  });

  test('records results from outside', async () => {
    const { id } = await create({ operation: 'report', external: true });
    const answer = await api.post<{ data: View }>(`/api/batches/${id}/results`, {
      key: 'a',
      success: true,
      output: { page: 1 },
      quality: 0.5,
    });
    expect([answer.status, answer.body.data.status]).toEqual([200, 'running']);
    const last = await api.post<{ data: View }>(`/api/batches/${id}/results`, { key: 'b', success: false, error: 'no data', last: true });
    expect(last.body.data).toMatchObject({ status: 'completed', counts: { succeeded: 1, failed: 1 } });
  });

  test.each([
    [{ key: 'a' }, 'success'],
    [{ success: true }, 'key'],
    [{ key: 'a', success: 'yes' }, 'success'],
    [{ key: 'a', success: true, quality: 2 }, 'quality'],
    [{ key: 'a', success: true, retries: -1 }, 'retries'],
    [{ key: 'a', success: true, batchId: 'other' }, 'batchId'],
  ])('a result %j is refused for its %s', async (result, path) => {
    const { id } = await create({ operation: 'report', external: true });
    const { status, body } = await api.post<Problem>(`/api/batches/${id}/results`, result);
    expect(status).toBe(400);
    expect(body.details.errors.map((error) => error.path)).toEqual([path]);
    expect(await read(id)).toMatchObject({ status: 'pending', counts: { total: 0 } });
  });

  test.each([
    [{ operation: 'noop', items: ['a'], caller: { tenant: 'other' } }, 'caller', 400],
    [{ operation: 'noop', items: ['a'], dialect: 'erp' }, 'dialect', 400],
    [{ operation: 'noop', items: ['a', null] }, 'items.1', 400],
    [{ operation: 'noop', items: ['a'], options: { retryAttempts: 'many' } }, 'options.retryAttempts', 400],
    [{ operation: 'noop', items: ['a'], parameters: { duration: 5 } }, 'parameters.duration', 400],
    [{ operation: 'noop', filters: { count: -1 } }, 'filters.count', 400],
    [{ operation: 'noop', items: ['a'], filters: { count: 1 } }, 'filters', 422],
    [{ operation: 'noop', data: ['a'], name: 'both' }, 'data', 400],
    [{ operation: 'noop', items: ['a'], config: {} }, 'config', 400],
    [{ items: ['a'] }, 'operation', 400],
    [['noop'], 'body', 400],
  ])('a creation %j makes nothing', async (input, path, status) => {
    const count = async () => {
      const { rows } = await service.database.pool.query<object>(
        'SELECT (SELECT count(*) FROM batch) AS batches, (SELECT count(*) FROM run) AS runs, (SELECT count(*) FROM chunk) AS chunks, (SELECT count(*) FROM batch_event) AS events',
      );
      return rows;
    };
    const before = await count();
    const answer: Answer<Problem> = await api.post('/api/batches', input);
    expect(answer.status).toBe(status);
    expect(answer.body.details.errors.map((error) => error.path)).toEqual([path]);
    expect(await count()).toEqual(before);
  });

  test('lists batches in pages with filters, and refuses filters that are wrong', async () => {
    const list = (query: string) => api.get<{ data: View[]; pagination: object }>(`/api/batches?${query}`);
    const paused = await create({
      filters: { count: 100 },
      parameters: { durationMs: 100 },
      options: { concurrency: 1 },
      name: 'a needle',
    });
    await eventually(
      () => read(paused.id),
      ({ status }) => status === 'running',
    );
    await api.post(`/api/batches/${paused.id}/pause`);
    const found = await list('status=paused&operation=noop&name=NEEDLE&limit=10');
    expect(found.body).toMatchObject({
      success: true,
      data: [{ id: paused.id }],
      pagination: { total: 1, limit: 10, offset: 0, hasMore: false },
    });
    expect((await list('limit=1000')).body.pagination).toMatchObject({ limit: 100 });
    for (const wrong of ['status=done', 'limit=0', 'offset=x', 'createdAfter=soon', 'q=1', 'dialect=d', 'type=a&operation=a'])
      expect((await list(wrong)).status).toBe(400);
    await api.post(`/api/batches/${paused.id}/cancel`);
  });
});
