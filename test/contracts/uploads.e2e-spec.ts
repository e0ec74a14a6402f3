import { createHash } from 'node:crypto';
import type { AcceptedUploadReply, UploadJobReply, UploadJobsReply } from '../../src/dialects/uploads/uploads.reply.js';
import { eventually } from '../support/eventually.js';
import { csvOf, pdfOf, workbookOf } from '../support/sample-files.js';
import { startTestService } from '../support/service.js';
import { formOf, upload, uploadDone } from '../support/upload.js';
import { Api, ISO_TIME, type Problem } from './api.js';

const UUID = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/;

/** Every sample of the upload interface's document, over HTTP. */
describe('the upload interface', () => {
  let service: Awaited<ReturnType<typeof startTestService>>;
  let api: Api;
  let menu: Buffer;

  beforeAll(async () => {
    service = await startTestService({ UPLOADS_PER_HOUR: '1000' });
    api = new Api(service.url);
    menu = await pdfOf('Soup', 'Fish');
  });

  afterAll(() => service.close());

  const send = async (fields: Record<string, string> = {}, names = ['menu1.pdf', 'menu2.pdf', 'menu3.pdf']) =>
    upload(
      service.url,
      formOf(
        names.map((name) => ({ name, bytes: menu })),
        fields,
      ),
    );

  const details = async (id: string) => (await api.get<UploadJobReply>(`/api/batch/jobs/${id}`)).body.data;

  /** A batch of this interface whose items do what the test says, to look at states that pass by quickly. */
  const staged = async (payloads: object[], options: object = {}) => {
    const items = payloads.map((payload, index) => ({
      key: `file-${index + 1}`,
      payload: { filename: `menu${index + 1}.pdf`, ...payload },
    }));
    const body = { operation: 'noop', items, options: { concurrency: 1, batchSize: 1, ...options } };
    return (await api.post<{ data: { id: string } }>('/api/batches', body)).body.data.id;
  };

  test('an upload is answered with 201 and the fields of the sample', async () => {
    const answer = await send({ priority: 'high', user_id: 'user-123' });
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({
      success: true,
      data: {
        batchId: expect.stringMatching(UUID),
        totalFiles: 3,
        status: 'pending',
        files: ['menu1.pdf', 'menu2.pdf', 'menu3.pdf'].map((filename) => ({
          id: expect.stringMatching(UUID),
          filename,
          fileSize: menu.length,
          status: 'pending',
        })),
      },
    });
    expect(new Set(answer.body.data.files.map(({ id }) => id)).size).toBe(3);
  });

  test('a finished upload has the fields of the sample, and its results as JSON text', async () => {
    const sheet = await workbookOf({
      Prices: [
        ['Dish', 'Price'],
        ['Soup', 4.5],
      ],
    });
    const table = csvOf([
      ['dish', 'price'],
      ['Soup', 4.5],
    ]);
    const form = formOf([
      { name: 'menu.pdf', bytes: menu },
      { name: 'prices.xlsx', bytes: sheet },
      { name: 'prices.csv', bytes: table },
    ]);
    const { data } = (await upload(service.url, form)).body;
    const done = await uploadDone(api, data.batchId);

    expect(done.batch).toEqual({
      id: data.batchId,
      user_id: null,
      status: 'completed',
      total_files: 3,
      processed_files: 3,
      failed_files: 0,
      priority: 'normal',
      progressPercent: 100,
      created_at: expect.stringMatching(ISO_TIME),
      started_at: expect.stringMatching(ISO_TIME),
      completed_at: expect.stringMatching(ISO_TIME),
      error: null,
    });
    expect(done.summary).toEqual({ total: 3, completed: 3, processing: 0, pending: 0, failed: 0 });
    expect(done.files).toEqual(
      [
        { filename: 'menu.pdf', bytes: menu },
        { filename: 'prices.xlsx', bytes: sheet },
        { filename: 'prices.csv', bytes: table },
      ].map(({ filename, bytes }, index) => ({
        id: data.files[index]!.id,
        filename,
        file_size: bytes.length,
        file_hash: createHash('sha256').update(bytes).digest('hex'),
        status: 'completed',
        progress: 100,
        result: expect.any(String),
        retry_count: 0,
        created_at: expect.stringMatching(ISO_TIME),
        started_at: expect.stringMatching(ISO_TIME),
        completed_at: expect.stringMatching(ISO_TIME),
      })),
    );
    expect(done.files.map(({ result }) => JSON.parse(result!) as unknown)).toEqual([
      { kind: 'pdf', pages: 2, text: 'Soup\nFish', characters: 9, truncated: false, warnings: [] },
      {
        kind: 'workbook',
        sheetCount: 1,
        sheets: [{ name: 'Prices', rows: 2, columns: 2, header: ['Dish', 'Price'] }],
        text: 'Prices\nDish\tPrice\nSoup\t4.5\n',
        characters: 27,
      },
      {
        kind: 'csv',
        delimiter: ',',
        rows: 1,
        raggedRows: 0,
        columnCount: 2,
        columns: [
          { name: 'dish', type: 'text' },
          { name: 'price', type: 'number' },
        ],
        text: 'dish\tprice\nSoup\t4.5\n',
        characters: 20,
      },
    ]);
  });

  test('an upload under way has the progress of the sample', async () => {
    const id = await staged([{}, {}, { durationMs: 20_000 }, {}, {}]);
    const at = await eventually(
      () => details(id),
      ({ files }) => files[2]!.progress >= 10,
      30_000,
    );
    expect(at.batch).toMatchObject({
      id,
      status: 'processing',
      total_files: 5,
      processed_files: 2,
      failed_files: 0,
      progressPercent: 40,
      completed_at: null,
    });
    expect(at.files[0]).toMatchObject({ id: 'file-1', filename: 'menu1.pdf', status: 'completed', progress: 100, result: 'null' });
    expect(at.files[2]).toMatchObject({ id: 'file-3', filename: 'menu3.pdf', status: 'processing', progress: expect.any(Number) });
    expect(at.files[2]).not.toHaveProperty('result');
    expect(at.files[4]).toMatchObject({ status: 'pending', progress: 0 });
    expect(at.summary).toEqual({ total: 5, completed: 2, processing: 1, pending: 2, failed: 0 });
    await api.post(`/api/batches/${id}/cancel`);
  });

  test('a cancelled upload reads failed, with the reason "cancelled", so that its page stops asking', async () => {
    const id = await staged([{}, { durationMs: 20_000 }, {}]);
    await eventually(
      () => details(id),
      ({ files }) => files[1]!.status === 'processing',
      30_000,
    );
    await api.post(`/api/batches/${id}/cancel`);
    expect((await details(id)).batch).toMatchObject({ status: 'failed', error: 'cancelled' });
    const ended = await eventually(
      () => details(id),
      ({ batch }) => batch.completed_at !== null,
    );
    expect(ended.files.map(({ status, error }) => [status, error])).toEqual([
      ['completed', undefined],
      ['failed', 'cancelled'],
      ['failed', 'cancelled'],
    ]);
    expect(ended.summary).toEqual({ total: 3, completed: 1, processing: 0, pending: 0, failed: 2 });
  });

  test('a batch is completed when some of its files failed, and failed when all did', async () => {
    const some = await uploadDone(api, await staged([{}, { fail: 'permanent' }]));
    expect(some.batch).toMatchObject({ status: 'completed', processed_files: 2, failed_files: 1, progressPercent: 100 });
    expect(some.files[1]).toMatchObject({ status: 'failed', error: 'failed for good, as told', progress: 0 });
    expect(some.summary).toEqual({ total: 2, completed: 1, processing: 0, pending: 0, failed: 1 });
    const all = await uploadDone(api, await staged([{ fail: 'permanent' }]));
    expect(all.batch).toMatchObject({ status: 'failed', failed_files: 1 });
  });

  test('a file that waits for another try is pending again, and tells the tries that it had', async () => {
    const id = await staged([{ fail: 'retryable' }], { retryAttempts: 3, retryDelay: 60_000 });
    const at = await eventually(
      () => details(id),
      ({ files, summary }) => files[0]!.retry_count === 1 && summary.pending === 1,
      30_000,
    );
    expect(at.files[0]).toMatchObject({ status: 'pending', error: 'attempt 1 failed, as told', retry_count: 1 });
    expect(at.summary).toMatchObject({ pending: 1, failed: 0 });
    expect(at.batch).toMatchObject({ status: 'processing', processed_files: 0 });
    await api.post(`/api/batches/${id}/cancel`);
  });

  describe('the list', () => {
    test('has the rows of the sample, newest first, and says what page it is', async () => {
      const ids: string[] = [];
      for (const priority of ['high', 'low']) {
        const { data } = (await send({ priority, user_id: 'lister' }, ['a.pdf', 'b.pdf'])).body;
        ids.push(data.batchId);
        await uploadDone(api, data.batchId);
      }
      const { body } = await api.get<UploadJobsReply>('/api/batch/jobs?userId=lister');
      expect(body).toEqual({
        success: true,
        data: [
          [ids[1], 'low'],
          [ids[0], 'high'],
        ].map(([id, priority]) => ({
          id,
          user_id: 'lister',
          status: 'completed',
          total_files: 2,
          processed_files: 2,
          failed_files: 0,
          priority,
          created_at: expect.stringMatching(ISO_TIME),
          started_at: expect.stringMatching(ISO_TIME),
          completed_at: expect.stringMatching(ISO_TIME),
          error: null,
        })),
        pagination: { total: 2, limit: 50, offset: 0, hasMore: false },
      });
      const second = await api.get<UploadJobsReply>('/api/batch/jobs?userId=lister&limit=1&offset=1&status=completed');
      expect(second.body.data.map(({ id }) => id)).toEqual([ids[0]]);
      expect(second.body.pagination).toEqual({ total: 2, limit: 1, offset: 1, hasMore: false });
      expect((await api.get<UploadJobsReply>('/api/batch/jobs?userId=lister&status=pending')).body.data).toEqual([]);
      expect((await api.get<UploadJobsReply>('/api/batch/jobs?userId=nobody')).body.data).toEqual([]);
    });

    test('shows uploads only; a batch of another interface is found by its id', async () => {
      const id = await staged([{}]);
      await uploadDone(api, id);
      const { body } = await api.get<UploadJobsReply>('/api/batch/jobs?limit=100');
      expect(body.data.map((job) => job.id)).not.toContain(id);
      expect((await details(id)).batch.id).toBe(id);
    });

    test('shows one that is not done without an end', async () => {
      await service.database.pool.query(`UPDATE batch SET dialect = 'uploads' WHERE id = $1`, [await staged([{ durationMs: 20_000 }])]);
      const { body } = await eventually(
        () => api.get<UploadJobsReply>('/api/batch/jobs?status=processing'),
        ({ body: { data } }) => data.length === 1,
      );
      expect(body.data[0]).toMatchObject({ status: 'processing', completed_at: null });
      await api.post(`/api/batches/${body.data[0]!.id}/cancel`);
    });

    test.each([
      ['status=running', 'status', 'invalid_enum_value'],
      ['limit=0', 'limit', 'too_small'],
      ['limit=many', 'limit', 'invalid_type'],
      ['offset=-1', 'offset', 'too_small'],
      ['userId=', 'userId', 'too_small'],
      ['user=me', 'user', 'unrecognized_keys'],
    ])('refuses ?%s', async (query, path, code) => {
      const { status, body } = await api.get<Problem>(`/api/batch/jobs?${query}`);
      expect(status).toBe(400);
      expect(body.details.errors).toEqual([{ path, message: expect.any(String), code }]);
    });
  });

  test('its routes are not taken for ids of the ERP interface', async () => {
    expect((await api.get<UploadJobsReply>('/api/batch/jobs')).body).toHaveProperty('pagination');
    expect((await api.get<UploadJobsReply>('/api/batch/jobs/')).body).toHaveProperty('pagination');
    const { batchId } = (await send({}, ['a.pdf'])).body.data;
    await uploadDone(api, batchId);
    expect((await api.get<{ batch: { id: string } }>(`/api/batch/${batchId}`)).body.batch.id).toBe(batchId);
    const results = await api.get<Problem>('/api/batch/jobs/results');
    expect(results.status).toBe(404);
    expect(results.body.message).toMatch(/batch results/);
  });

  test('an unknown id is 404', async () => {
    const { status, body } = await api.get<Problem>('/api/batch/jobs/550e8400-e29b-41d4-a716-446655440000');
    expect(status).toBe(404);
    expect(body).toMatchObject({ success: false, message: expect.stringContaining('550e8400-e29b-41d4-a716-446655440000') });
  });
});

test('with ENABLE_BATCH=false every route answers 404 and says why', async () => {
  const service = await startTestService({ ENABLE_BATCH: 'false' });
  const api = new Api(service.url);
  const form = formOf([{ name: 'menu.pdf', bytes: await pdfOf('Soup') }]);
  const answers = [
    await upload<Problem>(service.url, form),
    await api.get<Problem>('/api/batch/jobs'),
    await api.get<Problem>('/api/batch/jobs/some-id'),
  ];
  for (const { status, body } of answers) {
    expect(status).toBe(404);
    expect(body).toMatchObject({ success: false, error: 'uploads are switched off here (ENABLE_BATCH=false)' });
  }
  expect((await api.get('/api/batch/history')).status).toBe(200);
  await service.close();
});

test('the priority decides whose files are worked first, and then the age', async () => {
  const service = await startTestService({ UPLOADS_PER_HOUR: '100', WORKER_LANES: '1' });
  const api = new Api(service.url);
  const menu = await pdfOf('Soup');
  // It keeps the only lane until all are there.
  const { body } = await api.post<{ data: { id: string } }>('/api/batches', {
    operation: 'noop',
    items: [{ payload: { durationMs: 4_000 } }],
  });
  const ids: Record<string, string> = {};
  for (const priority of ['low', 'normal', 'high']) {
    const answer = await upload<AcceptedUploadReply>(service.url, formOf([{ name: 'menu.pdf', bytes: menu }], { priority }));
    ids[priority] = answer.body.data.batchId;
  }
  expect((await api.get<{ data: { endedAt: string | null } }>(`/api/batches/${body.data.id}`)).body.data.endedAt).toBeNull();
  const ends = new Map<string, string>();
  for (const [priority, id] of Object.entries(ids)) ends.set(priority, (await uploadDone(api, id)).batch.completed_at!);
  expect([...ends].sort(([, one], [, other]) => one.localeCompare(other)).map(([priority]) => priority)).toEqual(['high', 'normal', 'low']);
  await service.close();
});
