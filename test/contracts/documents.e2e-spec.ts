import type { BatchView } from '../../src/batches/batch.view.js';
import { CreateBatch } from '../../src/batches/commands/create-batch.command.js';
import { RecordExternalResult } from '../../src/batches/commands/record-external-result.command.js';
import { type Caller, Procedures } from '../../src/common/procedure.js';
import type {
  CancelledDocumentJobReply,
  CreatedDocumentJobReply,
  DocumentJob,
  DocumentJobReply,
  DocumentJobsReply,
} from '../../src/dialects/documents/documents.reply.js';
import { eventually, Gate } from '../support/eventually.js';
import { FakeProvider, GOOD_FINDINGS } from '../support/fake-provider.js';
import { startTestService, type TestService } from '../support/service.js';
import { Api, ISO_TIME, type Problem } from './api.js';

const JOBS = '/api/v1/documents/batch-process';
const ENDED = ['COMPLETED', 'FAILED', 'CANCELLED', 'TIMEOUT'];
const CALLER: Caller = { tenant: 'default', dialect: 'documents' };

/** Every sample of the document system's document, over HTTP. */
describe('the document interface', () => {
  let provider: FakeProvider;
  let service: TestService;
  let api: Api;

  beforeAll(async () => {
    provider = await FakeProvider.start();
    service = await startTestService({ AI_BASE_URL: provider.url, AI_BREAKER_FAILURES: '1000' });
    api = new Api(service.url);
    for (const id of ['doc-id-1', 'doc-id-2', 'doc-id-3']) {
      await api.send('PUT', `/api/records/documents/${id}`, { fields: { title: id, text: `The text of ${id}.` } });
    }
  });

  afterAll(async () => {
    await service.close();
    await provider.close();
  });

  beforeEach(() => {
    provider.requests.length = 0;
    provider.answer = () => ({ findings: GOOD_FINDINGS });
  });

  const SAMPLE = { documentIds: ['doc-id-1', 'doc-id-2', 'doc-id-3'], type: 'FULL_ANALYSIS' };

  const create = async (body: object = SAMPLE) => (await api.post<CreatedDocumentJobReply>(JOBS, body)).body.data.jobId;

  const get = async (jobId: string, query = '') => (await api.get<DocumentJobReply>(`${JOBS}/${jobId}${query}`)).body.data;

  const ended = (jobId: string) =>
    eventually(
      () => get(jobId),
      ({ status, completedAt }) => ENDED.includes(status) && completedAt !== undefined,
      30_000,
    );

  const optionsOf = async (jobId: string) => (await api.get<{ data: BatchView }>(`/api/batches/${jobId}`)).body.data.options;

  /** A job whose results the test records, so that times and counts are those of the samples. */
  const createRecorded = async (ids: string[]) => {
    const input = { operation: 'analyze-document', parameters: { type: 'FULL_ANALYSIS' }, items: ids, external: true };
    return (await service.app.get(Procedures).call(CreateBatch, input, CALLER)).id;
  };

  const record = (batchId: string, result: { key: string; success: boolean; output?: unknown; error?: string; durationMs?: number }) =>
    service.app.get(Procedures).call(RecordExternalResult, { batchId, ...result }, CALLER);

  test('creates a job: 201, with exactly the fields of the sample', async () => {
    const answer = await api.post<CreatedDocumentJobReply>(JOBS, {
      ...SAMPLE,
      options: { maxConcurrent: 5, timeout: 300000, retryAttempts: 2, retryDelay: 2000 },
    });
    expect(answer.status).toBe(201);
    expect(answer.body).toEqual({
      data: { jobId: expect.stringMatching(/^job_\d{13}_[a-z0-9]+$/), status: 'PENDING', documentCount: 3, type: 'FULL_ANALYSIS' },
      message: 'Batch processing job created successfully',
    });
    await ended(answer.body.data.jobId);
  });

  test('shows a job under way as the sample does: 66 %, and 4,750 ms to go', async () => {
    const jobId = await createRecorded(SAMPLE.documentIds);
    await record(jobId, { key: 'doc-id-1', success: true, output: { summary: 'one' }, durationMs: 5000 });
    await record(jobId, { key: 'doc-id-2', success: true, output: { summary: 'two' }, durationMs: 4500 });
    const { status, body } = await api.get<DocumentJobReply>(`${JOBS}/${jobId}`);
    expect(status).toBe(200);
    const time = expect.stringMatching(ISO_TIME) as string;
    expect(body).toEqual({
      data: {
        id: jobId,
        documentIds: ['doc-id-1', 'doc-id-2', 'doc-id-3'],
        type: 'FULL_ANALYSIS',
        status: 'PROCESSING',
        progress: 66,
        createdAt: time,
        startedAt: time,
        options: { maxConcurrent: 5, timeout: 300_000, retryAttempts: 2, retryDelay: 2_000 },
        results: [
          { documentId: 'doc-id-1', success: true, data: { summary: 'one' }, processingTime: 5000, timestamp: time },
          { documentId: 'doc-id-2', success: true, data: { summary: 'two' }, processingTime: 4500, timestamp: time },
        ],
        errors: [],
        totalDocuments: 3,
        processedDocuments: 2,
        failedDocuments: 0,
        estimatedTimeRemaining: 4750,
        pagination: { limit: 1000, offset: 0, documentIds: 3, results: 2, errors: 0, nextOffset: null },
      },
    });
  });

  test('before the first document is done nobody knows how long it takes; at the end nothing is left', async () => {
    const jobId = await createRecorded(['a', 'b']);
    expect(await get(jobId)).toMatchObject({ status: 'PENDING', progress: 0, results: [], errors: [] });
    expect(await get(jobId)).not.toHaveProperty('estimatedTimeRemaining');
    expect(await get(jobId)).not.toHaveProperty('startedAt');
    await record(jobId, { key: 'a', success: true, durationMs: 10 });
    await record(jobId, { key: 'b', success: false, error: 'broken', durationMs: 30 });
    expect(await get(jobId)).toMatchObject({
      status: 'COMPLETED',
      progress: 100,
      estimatedTimeRemaining: 0,
      processedDocuments: 2,
      failedDocuments: 1,
      completedAt: expect.stringMatching(ISO_TIME),
      errors: [{ documentId: 'b', error: 'broken', attempts: 1, timestamp: expect.stringMatching(ISO_TIME) }],
    });
  });

  test('a document that fails does not stop the job: it is tried again, told in errors and counted', async () => {
    provider.answer = ({ body }) =>
      JSON.stringify(body.messages).includes('doc-id-2') ? { status: 500 } : { findings: { ...GOOD_FINDINGS, summary: 'read' } };
    const job = await ended(await create({ ...SAMPLE, options: { retryAttempts: 2, retryDelay: 1 } }));
    expect(job).toMatchObject({ status: 'COMPLETED', progress: 100, processedDocuments: 3, failedDocuments: 1 });
    expect(job.results.map(({ documentId, data }) => [documentId, (data as { summary: string }).summary])).toEqual([
      ['doc-id-1', 'read'],
      ['doc-id-3', 'read'],
    ]);
    expect(job.errors).toEqual([
      {
        documentId: 'doc-id-2',
        error: 'the AI provider failed (HTTP 500)',
        attempts: 3,
        timestamp: expect.stringMatching(ISO_TIME),
      },
    ]);
    expect(provider.requests).toHaveLength(5);
  });

  test('a job of which no document succeeded has failed', async () => {
    const job = await ended(await create({ documentIds: ['nobody', 'nothing'], type: 'QUALITY_CHECK' }));
    expect(job).toMatchObject({ status: 'FAILED', error: 'every item failed', processedDocuments: 2, failedDocuments: 2, results: [] });
    expect(job.errors.map(({ error, attempts }) => [error, attempts])).toEqual([
      ['document nobody not found', 1],
      ['document nothing not found', 1],
    ]);
  });

  test('without options a job has those of the document, and 30 s for each document', async () => {
    const defaults = await optionsOf(await create());
    expect(defaults).toMatchObject({
      concurrency: 5,
      batchTimeout: 300_000,
      retryAttempts: 2,
      retryDelay: 2_000,
      retryBackoff: 'exponential',
      retryJitter: false,
      timeout: 30_000,
    });
    const given = { maxConcurrent: 15, timeout: 60_000, retryAttempts: 0, retryDelay: 0 };
    expect(await optionsOf(await create({ ...SAMPLE, options: given }))).toMatchObject({
      concurrency: 15,
      batchTimeout: 60_000,
      retryAttempts: 0,
      retryDelay: 0,
      timeout: 30_000,
    });
  });

  test('waits retryDelay before the second try, and twice as long before each further one', async () => {
    provider.answer = () => ({ status: 500 });
    const HOUR_MS = 3_600_000;
    const options = { retryAttempts: 3, retryDelay: HOUR_MS, timeout: 100 * HOUR_MS };
    const jobId = await create({ documentIds: ['doc-id-1'], type: 'QUALITY_CHECK', options });
    const hoursUntil = async (attempt: number) => {
      const { rows } = await eventually(
        () =>
          service.database.pool.query<{ hours: number }>(
            `SELECT round(extract(epoch FROM r.due_at - clock_timestamp()) / 3600)::int AS hours
             FROM retry r JOIN batch b ON b.run_id = r.run_id WHERE b.id = $1 AND r.attempt = $2`,
            [jobId, attempt],
          ),
        ({ rowCount }) => rowCount === 1,
      );
      return rows[0]!.hours;
    };
    const hurry = () => service.database.pool.query('UPDATE retry SET due_at = clock_timestamp()');
    expect(await hoursUntil(2)).toBe(1);
    await hurry();
    expect(await hoursUntil(3)).toBe(2);
    await hurry();
    expect(await hoursUntil(4)).toBe(4);
    await hurry();
    expect((await ended(jobId)).errors).toMatchObject([{ attempts: 4 }]);
  });

  test('cancels a job: 200 with the message; documents in work finish, the others never start', async () => {
    const gate = new Gate();
    provider.answer = async () => {
      await gate.opened;
      return { findings: GOOD_FINDINGS };
    };
    const jobId = await create({ ...SAMPLE, options: { maxConcurrent: 1 } });
    await eventually(
      () => provider.requests.length,
      (count) => count === 1,
    );
    const answer = await api.post<CancelledDocumentJobReply>(`${JOBS}/${jobId}/cancel`);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({ message: 'Job cancelled successfully' });
    expect(await get(jobId)).toMatchObject({ status: 'CANCELLED', results: [] });
    gate.open();
    expect(await ended(jobId)).toMatchObject({
      status: 'CANCELLED',
      progress: 33,
      totalDocuments: 3,
      processedDocuments: 1,
      failedDocuments: 0,
      estimatedTimeRemaining: 0,
      results: [{ documentId: 'doc-id-1', success: true }],
    });
    expect(provider.requests).toHaveLength(1);
    expect((await api.post<Problem>(`${JOBS}/${jobId}/cancel`)).status).toBe(409);
  });

  test('a job over its time limit reads TIMEOUT: the document in work finishes, the others never start', async () => {
    const gate = new Gate();
    provider.answer = async () => {
      await gate.opened;
      return { findings: GOOD_FINDINGS };
    };
    const jobId = await create({ ...SAMPLE, options: { maxConcurrent: 1, timeout: 2_000 } });
    await eventually(
      () => get(jobId),
      ({ status }) => status === 'TIMEOUT',
    );
    gate.open();
    const job = await ended(jobId);
    expect(job).toMatchObject({ status: 'TIMEOUT', error: 'Job timeout exceeded', totalDocuments: 3, failedDocuments: 0 });
    expect(job.results.map(({ documentId }) => documentId)).toEqual(provider.requests.length === 0 ? [] : ['doc-id-1']);
    expect(provider.requests.length).toBeLessThanOrEqual(1);
  });

  test('an id that is given twice is worked twice', async () => {
    const job = await ended(await create({ documentIds: ['doc-id-1', 'doc-id-1'], type: 'QUALITY_CHECK' }));
    expect(job).toMatchObject({ documentIds: ['doc-id-1', 'doc-id-1'], totalDocuments: 2, processedDocuments: 2 });
    expect(job.results).toHaveLength(2);
  });

  test('shows the first 1,000 of each list, and says where the next page begins', async () => {
    const ids = Array.from({ length: 1_500 }, (_, index) => `doc-${index}`);
    const jobId = await createRecorded(ids);
    await record(jobId, { key: 'doc-7', success: true });
    const first = await get(jobId);
    expect(first.documentIds).toEqual(ids.slice(0, 1_000));
    expect(first.pagination).toEqual({ limit: 1000, offset: 0, documentIds: 1500, results: 1, errors: 0, nextOffset: 1000 });
    const second = await get(jobId, `?offset=${first.pagination.nextOffset}`);
    expect(second.documentIds).toEqual(ids.slice(1_000));
    expect(second.results).toEqual([]);
    expect(second.pagination.nextOffset).toBeNull();
    expect((await get(jobId, '?limit=2&offset=1')).documentIds).toEqual(['doc-1', 'doc-2']);
  });

  test('lists the jobs, newest first, by status', async () => {
    const done = await create({ documentIds: ['doc-id-1'], type: 'DATA_EXTRACTION' });
    await ended(done);
    const waiting = await createRecorded(['x']);
    const { body } = await api.get<DocumentJobsReply>(JOBS);
    expect(body.data.slice(0, 2).map(({ id, status, type }) => [id, status, type])).toEqual([
      [waiting, 'PENDING', 'FULL_ANALYSIS'],
      [done, 'COMPLETED', 'DATA_EXTRACTION'],
    ]);
    const pending = await api.get<DocumentJobsReply>(`${JOBS}?status=PENDING&limit=1`);
    expect(pending.body).toMatchObject({ data: [{ id: waiting }], pagination: { limit: 1, offset: 0 } });
  });

  test("shows any batch of the tenant by its id, also another interface's", async () => {
    const { body } = await api.post<{ data: BatchView }>('/api/batches', { operation: 'noop', items: ['a', 'b'] });
    expect(await ended(body.data.id)).toMatchObject({ type: 'noop', status: 'COMPLETED', documentIds: ['a', 'b'], totalDocuments: 2 });
  });

  test('a batch that announced more items than it names has no next page', async () => {
    const { body } = await api.post<{ batch: { id: string } }>('/api/batch/create', {
      operation: 'transform',
      total_items: 3,
      options: { externalResults: true },
    });
    const job = await get(body.batch.id);
    expect(job).toMatchObject({ status: 'PENDING', totalDocuments: 3, documentIds: [], results: [] });
    expect(job.pagination.nextOffset).toBeNull();
  });

  test('an unknown id is 404 with the one error body', async () => {
    for (const answer of [await api.get<Problem>(`${JOBS}/job_1_x`), await api.post<Problem>(`${JOBS}/job_1_x/cancel`)]) {
      expect(answer.status).toBe(404);
      expect(answer.body).toMatchObject({ success: false, statusCode: 404, message: expect.stringContaining('job_1_x') });
    }
  });

  const wrong: [string, object | undefined, string, string][] = [
    ['no body', undefined, 'documentIds', 'invalid_type'],
    ['no ids', { type: 'FULL_ANALYSIS' }, 'documentIds', 'invalid_type'],
    ['an empty list', { ...SAMPLE, documentIds: [] }, 'documentIds', 'too_small'],
    ['too many ids', { ...SAMPLE, documentIds: Array.from({ length: 10_001 }, () => 'x') }, 'documentIds', 'too_big'],
    ['ids that are no list', { ...SAMPLE, documentIds: 'doc-id-1' }, 'documentIds', 'invalid_type'],
    ['an id that is a number', { ...SAMPLE, documentIds: ['a', 'b', 'c', 7] }, 'documentIds.3', 'invalid_type'],
    ['an empty id', { ...SAMPLE, documentIds: [''] }, 'documentIds.0', 'too_small'],
    ['a long id', { ...SAMPLE, documentIds: ['x'.repeat(513)] }, 'documentIds.0', 'too_big'],
    ['an id with a NUL', { ...SAMPLE, documentIds: ['a\0'] }, 'documentIds.0', 'custom'],
    ['no type', { documentIds: ['a'] }, 'type', 'invalid_enum_value'],
    ['an unknown type', { ...SAMPLE, type: 'full_analysis' }, 'type', 'invalid_enum_value'],
    ['an unknown field', { ...SAMPLE, priority: 'high' }, 'priority', 'unrecognized_keys'],
    ['an unknown option', { ...SAMPLE, options: { maxConcurent: 5 } }, 'options.maxConcurent', 'unrecognized_keys'],
    ['options that are no object', { ...SAMPLE, options: 5 }, 'options', 'invalid_type'],
    ['no concurrency', { ...SAMPLE, options: { maxConcurrent: 0 } }, 'options.maxConcurrent', 'too_small'],
    ['a timeout in words', { ...SAMPLE, options: { timeout: '5m' } }, 'options.timeout', 'invalid_type'],
    ['no time', { ...SAMPLE, options: { timeout: 0 } }, 'options.timeout', 'too_small'],
    ['negative retries', { ...SAMPLE, options: { retryAttempts: -1 } }, 'options.retryAttempts', 'too_small'],
    ['a negative delay', { ...SAMPLE, options: { retryDelay: -1 } }, 'options.retryDelay', 'too_small'],
  ];

  test.each(wrong)('refuses %s: 400 with the field, and creates nothing', async (_what, body, path, code) => {
    const before = (await api.get<DocumentJobsReply>(JOBS)).body.pagination.total;
    const answer = await api.post<Problem>(JOBS, body);
    expect(answer.status).toBe(400);
    expect(answer.body.details.errors).toContainEqual({ path, code, message: expect.stringContaining(path.split('.').at(-1)!) });
    expect((await api.get<DocumentJobsReply>(JOBS)).body.pagination.total).toBe(before);
  });

  test('refuses wrong queries with their field', async () => {
    for (const [query, path] of [
      ['?limit=0', 'limit'],
      ['?offset=x', 'offset'],
      ['?status=DONE', 'status'],
    ]) {
      const { status, body } = await api.get<Problem>(`${JOBS}${query}`);
      expect(status).toBe(400);
      expect(body.details.errors).toMatchObject([{ path }]);
    }
  });
});

describe('the document interface with access control', () => {
  const KEYS = { acme: 'acme-key-0123456789', globex: 'globex-key-0123456789' };
  let service: TestService;

  beforeAll(async () => {
    service = await startTestService({ API_KEYS: `acme:${KEYS.acme},globex:${KEYS.globex}` });
  });

  afterAll(() => service.close());

  test('takes the key as Bearer token, and keeps tenants and their documents apart', async () => {
    const acme = new Api(service.url, { authorization: `Bearer ${KEYS.acme}` });
    const globex = new Api(service.url, { authorization: `Bearer ${KEYS.globex}` });
    await globex.send('PUT', '/api/records/documents/secret', { fields: { text: 'The plans of Globex for the coming year.' } });
    const { body } = await acme.post<CreatedDocumentJobReply>(JOBS, { documentIds: ['secret'], type: 'BATCH_ANALYSIS' });
    const path = `${JOBS}/${body.data.jobId}`;
    const job: DocumentJob = await eventually(
      async () => (await acme.get<DocumentJobReply>(path)).body.data,
      ({ status }) => status === 'FAILED',
    );
    expect(job.errors).toMatchObject([{ documentId: 'secret', error: 'document secret not found' }]);
    expect((await globex.get(path)).status).toBe(404);
    expect((await globex.post(`${path}/cancel`)).status).toBe(404);
    expect((await globex.get<DocumentJobsReply>(JOBS)).body.data).toEqual([]);
    expect((await new Api(service.url).post(JOBS, { documentIds: ['a'], type: 'BATCH_ANALYSIS' })).status).toBe(401);
  });
});
