import type {
  ErpBatchReply,
  ErpCleanupReply,
  ErpCreatedReply,
  ErpHistoryReply,
  ErpMessageReply,
  ErpResultsReply,
  ErpStatsReply,
  ErpVisualizationReply,
} from '../../src/dialects/erp/erp.reply.js';
import { eventually } from '../support/eventually.js';
import { startTestService } from '../support/service.js';
import { Api, ISO_TIME, type Problem } from './api.js';

/** Every sample of the ERP module's document, over HTTP. */
describe('the ERP batch interface', () => {
  let service: Awaited<ReturnType<typeof startTestService>>;
  let api: Api;

  beforeAll(async () => {
    service = await startTestService();
    api = new Api(service.url);
  });

  afterAll(() => service.close());

  const create = async (fields: object = {}) => {
    const { body } = await api.post<ErpCreatedReply>('/api/batch/create', {
      operation: 'annotate',
      options: { externalResults: true },
      ...fields,
    });
    return body.batch.id;
  };

  const record = (id: string, result: object) => api.post(`/api/batches/${id}/results`, result);

  /** The batch of the samples: 100 invoices, of which two failed, and the figures that the document shows. */
  const createSample = async () => {
    const id = await create({ total_items: 100, name: 'Monthly invoice annotation' });
    const output = { description: 'Invoice processing', tags: ['finance'] };
    await record(id, { key: 'node_001', success: true, output, retries: 0, durationMs: 1250, quality: 0.95 });
    for (let n = 2; n <= 98; n += 1) {
      const quality = n <= 14 ? 0.7 : 0.95;
      await record(id, { key: `node_${String(n).padStart(3, '0')}`, success: true, output, durationMs: n <= 51 ? 1150 : 1210, quality });
    }
    await record(id, { key: 'node_099', success: false, error: 'Timeout', durationMs: 1200, retries: 3 });
    await record(id, { key: 'node_100', success: false, error: 'Invalid response', durationMs: 1180, retries: 3 });
    return id;
  };

  test('creates a batch: 201, pending, with the fields of the sample', async () => {
    const answer = await api.post<ErpCreatedReply>('/api/batch/create', {
      operation: 'annotate',
      filters: { status: 'pending', category: 'invoice' },
      options: { model: 'gpt-4', batchSize: 50, retryAttempts: 3, externalResults: true },
      name: 'Monthly invoice annotation',
      description: 'Annotate all pending invoices',
    });
    expect(answer.status).toBe(201);
    // The sample's settings are those of work that is done here.
    const warnings = [
      expect.stringMatching(/^filters choose no items: results come from outside/),
      expect.stringMatching(/^options.batchSize has no effect: /),
    ];
    expect(answer.body).toEqual({
      success: true,
      warnings,
      batch: {
        warnings,
        id: expect.stringMatching(/^batch_\d+_[a-z0-9]+$/),
        operation: 'annotate',
        status: 'pending',
        progress: 0,
        name: 'Monthly invoice annotation',
        description: 'Annotate all pending invoices',
        created_at: expect.stringMatching(ISO_TIME),
        total_items: expect.any(Number),
        processed_items: 0,
        failed_items: 0,
      },
    });
  });

  test("annotates what the sample's filters choose, by itself, and says that no model is at hand", async () => {
    const invoices = ['inv-1', 'inv-2', 'inv-3'];
    for (const key of invoices) {
      await api.send('PUT', `/api/records/records/${key}`, {
        fields: { status: 'pending', category: 'invoice', text: 'Invoice 17 of Acme Ltd.' },
      });
    }
    await api.send('PUT', '/api/records/records/other', { fields: { status: 'done', category: 'invoice', text: 'Old' } });
    const created = await api.post<ErpCreatedReply>('/api/batch/create', {
      operation: 'annotate',
      filters: { status: 'pending', category: 'invoice' },
      options: { model: 'gpt-4', batchSize: 50, retryAttempts: 3 },
      name: 'Monthly invoice annotation',
      description: 'Annotate all pending invoices',
    });
    expect(created.status).toBe(201);
    expect(created.body.batch).toMatchObject({ status: 'pending', progress: 0, total_items: 3 });
    expect(created.body.warnings).toEqual([expect.stringMatching(/^options.model has no effect: the operation annotate asks no model/)]);
    const { id } = created.body.batch;
    await eventually(
      () => api.get<ErpBatchReply>(`/api/batch/${id}`),
      ({ body }) => body.batch.status === 'completed',
    );
    const { body } = await api.get<ErpResultsReply>(`/api/batch/${id}/results`);
    expect(body.batch.results.map(({ nodeId, success }) => [nodeId, success]).sort()).toEqual(invoices.map((key) => [key, true]));
    expect(body.batch.results[0]).toMatchObject({
      result: expect.any(Object),
      retries: 0,
      durationMs: expect.any(Number),
      qualityScore: expect.any(Number),
    });
  });

  test('a parameter that the operation does not know is refused as an option, and without a model nothing is warned of', async () => {
    const { status, body } = await api.post<Problem>('/api/batch/create', { operation: 'annotate', options: { modle: 'gpt-4' } });
    expect(status).toBe(400);
    expect(body.details.errors).toEqual([
      { path: 'options.modle', message: 'options.modle is not a known field', code: 'unrecognized_keys' },
    ]);
    expect((await api.post<ErpCreatedReply>('/api/batch/create', { operation: 'annotate' })).body).not.toHaveProperty('warnings');
  });

  test('shows a batch under way with the fields of the sample, its progress floored', async () => {
    const id = await create({ total_items: 7, name: 'Seven' });
    await record(id, { key: 'a', success: true });
    await record(id, { key: 'b', success: false, error: 'Timeout' });
    const answer = await api.get<ErpBatchReply>(`/api/batch/${id}`);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      success: true,
      batch: {
        id,
        operation: 'annotate',
        status: 'running',
        progress: 28,
        name: 'Seven',
        created_at: expect.stringMatching(ISO_TIME),
        started_at: expect.stringMatching(ISO_TIME),
        total_items: 7,
        processed_items: 2,
        failed_items: 1,
      },
    });
  });

  describe('of the finished batch of the samples', () => {
    let id: string;

    beforeAll(async () => {
      id = await createSample();
    });

    test('the batch is completed at 100 with its end', async () => {
      const { body } = await api.get<ErpBatchReply>(`/api/batch/${id}`);
      expect(body.batch).toMatchObject({
        status: 'completed',
        progress: 100,
        completed_at: expect.stringMatching(ISO_TIME),
        failed_items: 2,
      });
    });

    test('the results are those of the sample, field by field', async () => {
      const { status, body } = await api.get<ErpResultsReply>(`/api/batch/${id}/results`);
      expect(status).toBe(200);
      const { results, ...batch } = body.batch;
      expect(results).toHaveLength(100);
      expect(results[0]).toEqual({
        nodeId: 'node_001',
        success: true,
        result: { description: 'Invoice processing', tags: ['finance'] },
        retries: 0,
        durationMs: 1250,
        qualityScore: 0.95,
        createdAt: expect.stringMatching(ISO_TIME),
      });
      expect(results[98]).toEqual({
        nodeId: 'node_099',
        success: false,
        error: 'Timeout',
        retries: 3,
        durationMs: 1200,
        createdAt: expect.stringMatching(ISO_TIME),
      });
      expect(batch).toEqual({
        id,
        operation: 'annotate',
        status: 'completed',
        progress: 100,
        summary: {
          total: 100,
          successful: 98,
          failed: 2,
          qualityScore: 0.9168,
          performanceMetrics: { averageDuration: 1180, totalDuration: 118000, requestsPerMinute: 50.85 },
        },
      });
      expect(body.success).toBe(true);
      expect(body.pagination).toEqual({ total: 100, limit: 10_000, offset: 0, hasMore: false });
    });

    test('the results come in pages', async () => {
      const { body } = await api.get<ErpResultsReply>(`/api/batch/${id}/results?limit=30&offset=90`);
      expect(body.batch.results.map(({ nodeId }) => nodeId)).toEqual(
        Array.from({ length: 10 }, (_, n) => `node_${String(n + 91).padStart(3, '0')}`),
      );
      expect(body.batch.summary.total).toBe(100);
      expect(body.pagination).toEqual({ total: 100, limit: 30, offset: 90, hasMore: false });
    });

    test('the visualization is that of the sample, field by field', async () => {
      const { status, body } = await api.get<ErpVisualizationReply>(`/api/batch/${id}/viz`);
      expect(status).toBe(200);
      const { timeline, errorDistribution, ...rest } = body.visualization;
      expect(errorDistribution).toHaveLength(2);
      expect(errorDistribution).toEqual(
        expect.arrayContaining([
          { error: 'Timeout', count: 1, percentage: 50 },
          { error: 'Invalid response', count: 1, percentage: 50 },
        ]),
      );
      expect(rest).toEqual({
        batchId: id,
        overview: { total: 100, successful: 98, failed: 2, pending: 0, successRate: 0.98, averageDuration: 1180 },
        qualityDistribution: [
          { range: '0.8-1.0', count: 85, percentage: 85 },
          { range: '0.6-0.8', count: 13, percentage: 13 },
        ],
        performanceMetrics: { averageDuration: 1180, p50Duration: expect.any(Number), p95Duration: 1210, p99Duration: expect.any(Number) },
      });
      expect(timeline.at(-1)).toMatchObject({ at: expect.stringMatching(ISO_TIME), processed: 100, failed: 2, progress: 100 });
    });
  });

  describe('the history', () => {
    let tenant: Awaited<ReturnType<typeof startTestService>>;
    let own: Api;
    const ids: string[] = [];

    beforeAll(async () => {
      tenant = await startTestService();
      own = new Api(tenant.url);
      for (let n = 1; n <= 6; n += 1) {
        const operation = n === 6 ? 'import' : 'annotate';
        const options = { externalResults: true };
        const { body } = await own.post<ErpCreatedReply>('/api/batch/create', {
          operation,
          options,
          total_items: 1,
          name: `Invoices ${n}`,
        });
        ids.push(body.batch.id);
        if (n <= 4) await own.post(`/api/batches/${body.batch.id}/results`, { key: 'a', success: n !== 4 });
      }
      await own.post('/api/batches', { operation: 'annotate', external: true, totalItems: 1 });
    });

    afterAll(() => tenant.close());

    test('answers as the sample does, with the filter it applied', async () => {
      const { status, body } = await own.get<ErpHistoryReply>('/api/batch/history?status=completed&operation=annotate&limit=20&offset=0');
      expect(status).toBe(200);
      expect(body).toEqual({
        success: true,
        batches: expect.any(Array),
        count: 3,
        total: 3,
        hasMore: false,
        filter: { status: 'completed', operation: 'annotate', limit: 20, offset: 0 },
      });
      expect(body.batches.map(({ id }) => id)).toEqual([ids[2], ids[1], ids[0]]);
      expect(body.batches[0]).toMatchObject({
        operation: 'annotate',
        status: 'completed',
        progress: 100,
        total_items: 1,
        name: 'Invoices 3',
      });
    });

    test('has defaults, caps the limit and says so', async () => {
      expect((await own.get<ErpHistoryReply>('/api/batch/history')).body).toMatchObject({ count: 6, filter: { limit: 50, offset: 0 } });
      expect((await own.get<ErpHistoryReply>('/api/batch/history?limit=5000')).body.filter).toEqual({ limit: 100, offset: 0 });
    });

    test('comes in pages, newest first', async () => {
      const { body } = await own.get<ErpHistoryReply>('/api/batch/history?limit=2&offset=2');
      expect(body).toMatchObject({ count: 2, total: 6, hasMore: true, filter: { limit: 2, offset: 2 } });
      expect(body.batches.map(({ id }) => id)).toEqual([ids[3], ids[2]]);
    });

    test('filters by time, by name and by each status', async () => {
      const { body: third } = await own.get<ErpBatchReply>(`/api/batch/${ids[2]}`);
      const time = third.batch.created_at;
      const after = await own.get<ErpHistoryReply>(`/api/batch/history?createdAfter=${time}`);
      const before = await own.get<ErpHistoryReply>(`/api/batch/history?createdBefore=${time}`);
      expect(after.body.filter).toEqual({ createdAfter: time, limit: 50, offset: 0 });
      expect(after.body.batches.map(({ id }) => id)).toEqual(expect.arrayContaining(ids.slice(3)));
      expect(before.body.batches.map(({ id }) => id)).toEqual(expect.arrayContaining(ids.slice(0, 2)));
      expect(before.body.batches.map(({ id }) => id)).not.toContain(ids[5]);
      expect((await own.get<ErpHistoryReply>('/api/batch/history?name=invoices%205')).body.batches.map(({ id }) => id)).toEqual([ids[4]]);
      const east = await own.get<ErpHistoryReply>('/api/batch/history?createdAfter=2025-12-20&createdBefore=2025-12-20T10:00:00+02:00');
      expect(east.body).toMatchObject({ count: 0, filter: { createdAfter: '2025-12-20' } });
      const counts = { completed: 3, failed: 1, pending: 2, running: 0, cancelled: 0 };
      for (const [status, count] of Object.entries(counts)) {
        expect((await own.get<ErpHistoryReply>(`/api/batch/history?status=${status}`)).body).toMatchObject({ count, total: count });
      }
    });

    test.each([
      'status=done',
      'limit=0',
      'limit=x',
      'limit=',
      'offset=-1',
      'createdAfter=yesterday',
      'createdBefore=2025-13-01',
      'state=failed',
    ])('refuses ?%s with the field that is wrong', async (query) => {
      const { status, body } = await own.get<Problem>(`/api/batch/history?${query}`);
      expect(status).toBe(400);
      expect(body.details.errors).toEqual([expect.objectContaining({ path: query.split('=')[0] })]);
    });

    test('statistics count as the sample does', async () => {
      const { status, body } = await own.get<ErpStatsReply>('/api/batch/stats');
      expect(status).toBe(200);
      expect(body).toEqual({
        success: true,
        stats: {
          total: 6,
          byStatus: { pending: 2, running: 0, completed: 3, failed: 1, cancelled: 0 },
          byOperation: { annotate: 5, import: 1 },
          completionRate: 0.5,
        },
      });
    });

    test('an id finds the batches of every interface', async () => {
      const { body } = await own.get<{ data: { id: string }[] }>('/api/batches?limit=1');
      const foreign = body.data[0]!.id;
      expect((await own.get<ErpBatchReply>(`/api/batch/${foreign}`)).body.batch).toMatchObject({ id: foreign, status: 'pending' });
    });
  });

  test('cancels a batch: 200 with the message of the sample, and it reads "cancelled" at once', async () => {
    const id = await create({ total_items: 2 });
    await record(id, { key: 'a', success: true });
    const answer = await api.post<ErpMessageReply>(`/api/batch/${id}/cancel`);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ success: true, message: 'Batch cancelled successfully' });
    const { body } = await api.get<ErpBatchReply>(`/api/batch/${id}`);
    expect(body.batch).toMatchObject({ status: 'cancelled', processed_items: 1, completed_at: expect.stringMatching(ISO_TIME) });
    const again = await api.post<Problem>(`/api/batch/${id}/cancel`);
    expect(again.status).toBe(409);
    expect(again.body.message).toMatch(new RegExp(`${id} is cancelled`));
  });

  test('a cancel with the JSON content type and no body works too', async () => {
    const id = await create({ total_items: 2 });
    expect((await api.sendText(`/api/batch/${id}/cancel`, '', 'application/json')).status).toBe(200);
  });

  test('cleans up with a JSON body, with a query, or with the default', async () => {
    const id = await create({ total_items: 1 });
    await record(id, { key: 'a', success: true });
    const pending = await create({ total_items: 1 });
    const kept = await api.delete<ErpCleanupReply>('/api/batch/cleanup', { daysToKeep: 60 });
    expect(kept.status).toBe(200);
    expect(kept.body).toEqual({ success: true, deleted: 0, daysToKeep: 60 });
    expect((await api.delete<ErpCleanupReply>('/api/batch/cleanup')).body).toEqual({ success: true, deleted: 0, daysToKeep: 30 });
    expect((await api.delete<ErpCleanupReply>('/api/batch/cleanup?daysToKeep=7')).body).toEqual({
      success: true,
      deleted: 0,
      daysToKeep: 7,
    });
    const { body } = await api.delete<ErpCleanupReply>('/api/batch/cleanup', { daysToKeep: 0 });
    expect(body.deleted).toBeGreaterThanOrEqual(1);
    expect((await api.get(`/api/batch/${id}`)).status).toBe(404);
    expect((await api.get(`/api/batch/${pending}`)).status).toBe(200);
  });

  test.each([[{ daysToKeep: '60' }], [{ daysToKeep: -1 }], [{ days: 60 }], [[60]]])(
    'removes nothing when the clean-up says %j',
    async (body) => {
      const id = await create({ total_items: 1 });
      await record(id, { key: 'a', success: true });
      expect((await api.delete<Problem>('/api/batch/cleanup', body)).status).toBe(400);
      expect((await api.delete<Problem>('/api/batch/cleanup?daysToKeep=')).status).toBe(400);
      expect((await api.get(`/api/batch/${id}`)).status).toBe(200);
    },
  );

  test('an unknown id is 404 with the one error body, on every route', async () => {
    for (const [method, path] of [
      ['GET', ''],
      ['GET', '/results'],
      ['GET', '/viz'],
      ['POST', '/cancel'],
    ] as const) {
      const { status, body } = await api.send<Problem>(method, `/api/batch/batch_1_nobody${path}`);
      expect({ status, body }).toEqual({
        status: 404,
        body: {
          success: false,
          error: expect.stringContaining('batch_1_nobody'),
          message: expect.stringContaining('batch_1_nobody'),
          statusCode: 404,
          details: { errors: [] },
        },
      });
    }
    expect((await api.get<Problem>('/api/batch/%00')).status).toBe(400);
  });

  describe('a creation that is refused', () => {
    test.each([
      ['no operation', {}, 'operation', 'invalid_type'],
      ['an unknown operation', { operation: 'frobnicate' }, 'operation', 'invalid_enum_value'],
      ['an operation that is no text', { operation: 7 }, 'operation', 'invalid_type'],
      ['a filter that is a list', { operation: 'report', filters: [] }, 'filters', 'invalid_type'],
      ['options that are text', { operation: 'report', options: 'fast' }, 'options', 'invalid_type'],
      ['a batch size of nothing', { operation: 'report', options: { batchSize: 0 } }, 'options.batchSize', 'too_small'],
      ['a batch size in words', { operation: 'report', options: { batchSize: '50' } }, 'options.batchSize', 'invalid_type'],
      ['a fractional number of retries', { operation: 'report', options: { retryAttempts: 1.5 } }, 'options.retryAttempts', 'invalid_type'],
      ['a timeout that is too long', { operation: 'report', options: { timeout: 1e12 } }, 'options.timeout', 'too_big'],
      ['an unknown priority', { operation: 'report', options: { priority: 'urgent' } }, 'options.priority', 'invalid_enum_value'],
      ['a negative total', { operation: 'report', total_items: -1 }, 'total_items', 'too_small'],
      ['a total in words', { operation: 'report', total_items: 'ten' }, 'total_items', 'invalid_type'],
      ['items that are no list', { operation: 'report', items: { a: 1 } }, 'items', 'invalid_type'],
      ['a name that is no text', { operation: 'report', name: {} }, 'name', 'invalid_type'],
      ['an unknown field', { operation: 'report', totalItems: 3 }, 'totalItems', 'unrecognized_keys'],
      ['externalResults in words', { operation: 'report', options: { externalResults: 'yes' } }, 'options.externalResults', 'invalid_type'],
    ])('for %s names the field, and makes nothing', async (_what, body, path, code) => {
      const before = await api.get<ErpStatsReply>('/api/batch/stats');
      const answer = await api.post<Problem>('/api/batch/create', body);
      expect(answer.status).toBe(400);
      expect(answer.body).toEqual({
        success: false,
        error: expect.any(String),
        message: answer.body.error,
        statusCode: 400,
        details: { errors: [{ path, message: expect.any(String), code }] },
      });
      expect((await api.get<ErpStatsReply>('/api/batch/stats')).body).toEqual(before.body);
    });

    test('tells all wrong fields at once', async () => {
      const { body } = await api.post<Problem>('/api/batch/create', { operation: 5, name: 7, total_items: 'x' });
      expect(body.details.errors.map(({ path }) => path).sort()).toEqual(['name', 'operation', 'total_items']);
    });
  });

  test.each(['export', 'transform', 'report', 'validate', 'cleanup'])(
    'refuses the operation %s, which nobody here does, unless its results come from outside',
    async (operation) => {
      for (const total_items of [undefined, 1]) {
        const { status, body } = await api.post<Problem>('/api/batch/create', { operation, total_items });
        const message = `operation: no item handler does ${operation} here yet; register one, or say options.externalResults: true and record its results yourself`;
        expect([status, body.details.errors]).toEqual([422, [{ path: 'operation', message, code: 'custom' }]]);
      }
    },
  );

  test('the usual settings of a model are taken with an import too, and what has no effect is told with the batch for good', async () => {
    const model = { model: 'gpt-4', temperature: 0.2, prompts: ['Describe it'] };
    const options = { collection: 'usual', batchSize: 50, retryAttempts: 0, retryDelay: 100, timeout: 30_000, priority: 'high', ...model };
    const { status, body } = await api.post<ErpCreatedReply>('/api/batch/create', {
      operation: 'import',
      items: [{ key: 'a', payload: { n: 1 } }],
      options: { ...options, notifyOnComplete: true },
    });
    expect(status).toBe(201);
    const idle = [...Object.keys(model), 'retryDelay'];
    expect(body.warnings).toEqual(idle.map((name) => expect.stringMatching(`^options.${name} has no effect: `)));
    const read = await eventually(
      () => api.get<ErpBatchReply>(`/api/batch/${body.batch.id}`),
      ({ body: { batch } }) => batch.completed_at !== undefined,
    );
    expect(read.body.batch).toMatchObject({ status: 'completed', processed_items: 1, failed_items: 0, warnings: body.warnings });
  });

  test('a total other than what the filters chose is told, and kept', async () => {
    await api.send('PUT', '/api/records/one/only', { fields: { text: 'Alone' } });
    const { body } = await api.post<ErpCreatedReply>('/api/batch/create', {
      operation: 'annotate',
      filters: {},
      options: { collection: 'one' },
      total_items: 3,
    });
    const warnings = ['total_items is 3, but the filters chose 1 items; progress is counted on those'];
    expect(body).toMatchObject({ warnings, batch: { total_items: 1 } });
    expect((await api.get<ErpBatchReply>(`/api/batch/${body.batch.id}`)).body.batch).toMatchObject({ warnings });
  });

  test.each(['annotate', 'import', 'export', 'transform', 'report', 'validate', 'cleanup'])('knows the operation %s', async (operation) => {
    const answer = await api.post<ErpCreatedReply>('/api/batch/create', { operation, options: { externalResults: true }, total_items: 1 });
    expect(answer.status).toBe(201);
    expect(answer.body.batch.operation).toBe(operation);
  });

  test('a batch whose items all fail is failed, with processed items and 100 percent', async () => {
    const id = await create({ total_items: 1 });
    await record(id, { key: 'a', success: false, error: 'Timeout' });
    const { body } = await eventually(
      () => api.get<ErpBatchReply>(`/api/batch/${id}`),
      ({ body: { batch } }) => batch.completed_at !== undefined,
    );
    expect(body.batch).toMatchObject({ status: 'failed', processed_items: 1, failed_items: 1 });
  });
});
