import { randomUUID } from 'node:crypto';
import type { BatchView } from '../../src/batches/batch.view.js';
import type {
  ActiveJobsReply,
  BatchJobProgress,
  BatchJobStarted,
  CancelJobReply,
  JobStatsReply,
} from '../../src/dialects/annotations/annotations.reply.js';
import { eventually } from '../support/eventually.js';
import { imageIds, ImageStore, plainPng } from '../support/pictures.js';
import { startTestService, type TestService } from '../support/service.js';
import { Api, ISO_TIME, type Problem } from './api.js';

const START = '/api/batch/annotations/start';
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const ENDED = ['completed', 'failed', 'cancelled'];

/** Tests that are not about a tier's rate are not held up by one. */
const UNHURRIED = { ANNOTATION_PAID_PER_MINUTE: '1000000', ANNOTATION_PAID_CONCURRENCY: '10' };

/** An address below a service, asked in the words of the interface. */
class Annotations {
  readonly api: Api;

  constructor(url: string, headers?: Record<string, string>) {
    this.api = new Api(url, headers);
  }

  async start(request: object): Promise<string> {
    const { status, body } = await this.api.post<BatchJobStarted>(START, request);
    expect(status).toBe(201);
    return body.jobId;
  }

  async status(jobId: string, query = ''): Promise<BatchJobProgress> {
    const { status, body } = await this.api.get<BatchJobProgress>(`/api/batch/annotations/${jobId}/status${query}`);
    expect(status).toBe(200);
    return body;
  }

  ended(jobId: string): Promise<BatchJobProgress> {
    return eventually(
      () => this.status(jobId),
      ({ status, completedAt }) => ENDED.includes(status) && completedAt !== undefined,
      30_000,
    );
  }

  cancel(jobId: string) {
    return this.api.post<CancelJobReply>(`/api/batch/annotations/${jobId}/cancel`);
  }

  async active(query = ''): Promise<ActiveJobsReply> {
    return (await this.api.get<ActiveJobsReply>(`/api/batch/annotations/active${query}`)).body;
  }

  async stats(): Promise<JobStatsReply> {
    return (await this.api.get<JobStatsReply>('/api/batch/annotations/stats')).body;
  }

  async batch(jobId: string): Promise<BatchView> {
    return (await this.api.get<{ data: BatchView }>(`/api/batches/${jobId}`)).body.data;
  }
}

/** Every sample of the annotation interface's document, over HTTP. */
describe('the annotation interface', () => {
  let service: TestService;
  let annotations: Annotations;
  let images: ImageStore;

  beforeAll(async () => {
    service = await startTestService(UNHURRIED);
    annotations = new Annotations(service.url);
    images = new ImageStore(service.url);
    await images.putAll(['uuid1', 'uuid2', 'uuid3', ...imageIds(4)]);
  });

  afterAll(() => service.close());

  /** Works while nobody can write the image's record, so that its job cannot end; then lets it end. */
  const whileHeld = async (key: string, work: () => Promise<void>) => {
    const client = await service.database.pool.connect();
    try {
      await client.query('BEGIN');
      await client.query('SELECT FROM record WHERE key = $1 FOR UPDATE', [key]);
      await work();
    } finally {
      await client.query('ROLLBACK');
      client.release();
    }
  };

  test('starts a job: 201, the id at the top level, and the limits as they are applied', async () => {
    const { status, body } = await annotations.api.post<BatchJobStarted>(START, { imageIds: ['uuid1', 'uuid2', 'uuid3'], concurrency: 2 });
    expect(status).toBe(201);
    expect(body).toEqual({
      jobId: expect.stringMatching(UUID),
      status: 'pending',
      total: 3,
      tier: 'paid',
      concurrency: 2,
      rateLimitPerMinute: 1_000_000,
      estimatedDurationMinutes: 1,
    });
    expect(await annotations.ended(body.jobId)).toMatchObject({ status: 'completed', progress: { total: 3, successful: 3 } });
  });

  test('takes the ids of the quick start, with its default concurrency; those that nobody has stored fail one by one', async () => {
    const ids = ['123e4567-e89b-12d3-a456-426614174001', '123e4567-e89b-12d3-a456-426614174002'];
    const { body } = await annotations.api.post<BatchJobStarted>(START, { imageIds: ids });
    expect(body.concurrency).toBe(5);
    const ended = await annotations.ended(body.jobId);
    expect(ended).toMatchObject({
      status: 'failed',
      reason: 'every item failed',
      progress: { total: 2, processed: 2, successful: 0, failed: 2, percentage: 100 },
    });
    expect(ended.errors).toEqual(ids.map((itemId) => ({ itemId, error: 'Image not found', attemptNumber: 1 })));
  });

  test('shows a job under way with the fields of the samples: 2 of 3 are 66 percent', async () => {
    await whileHeld('uuid2', async () => {
      const jobId = await annotations.start({ imageIds: ['uuid1', 'uuid2', 'nobody'], concurrency: 3, rateLimitPerMinute: 500 });
      const status = await eventually(
        () => annotations.status(jobId),
        ({ progress }) => progress.processed === 2,
      );
      expect(status).toEqual({
        jobId,
        status: 'processing',
        progress: { total: 3, processed: 2, successful: 1, failed: 1, percentage: 66 },
        errors: [{ itemId: 'nobody', error: 'Image not found', attemptNumber: 1 }],
        errorsTotal: 1,
        estimatedTimeRemaining: expect.any(Number),
        concurrency: 3,
        createdAt: expect.stringMatching(ISO_TIME),
        startedAt: expect.stringMatching(ISO_TIME),
      });
      expect(status.estimatedTimeRemaining).toBeGreaterThan(0);
      expect(Date.now() - new Date(status.startedAt!).getTime()).toBeGreaterThanOrEqual(0);

      const { jobs, ...page } = await annotations.active();
      expect(page).toEqual({ total: 1, limit: 100, offset: 0, hasMore: false });
      expect(jobs).toEqual([
        {
          id: jobId,
          status: 'processing',
          processedItems: 2,
          totalItems: 3,
          failedItems: 1,
          percentage: 66,
          createdAt: status.createdAt,
          startedAt: status.startedAt,
        },
      ]);
      expect((await annotations.batch(jobId)).counts).toMatchObject({ running: 1, pending: 0 });
    });
  });

  test('a job that has ended has no time left, and its errors stay', async () => {
    const jobId = await annotations.start({ imageIds: ['img0', 'nobody', 'img1'] });
    const ended = await annotations.ended(jobId);
    expect(ended).toEqual({
      jobId,
      status: 'completed',
      progress: { total: 3, processed: 3, successful: 2, failed: 1, percentage: 100 },
      errors: [{ itemId: 'nobody', error: 'Image not found', attemptNumber: 1 }],
      errorsTotal: 1,
      concurrency: 5,
      createdAt: expect.stringMatching(ISO_TIME),
      startedAt: expect.stringMatching(ISO_TIME),
      completedAt: expect.stringMatching(ISO_TIME),
    });
  });

  test('without an error the list of errors is there and empty', async () => {
    const ended = await annotations.ended(await annotations.start({ imageIds: ['img0'] }));
    expect(ended.errors).toEqual([]);
    expect(ended.errorsTotal).toBe(0);
  });

  test('cancels a running job with 200, and the next read says so', async () => {
    await whileHeld('img2', async () => {
      const jobId = await annotations.start({ imageIds: ['img2', 'img3'], concurrency: 1 });
      const { status, body } = await annotations.cancel(jobId);
      expect(status).toBe(200);
      expect(body).toEqual({ jobId, status: 'cancelled', message: 'Job cancelled successfully', cancelled: true });
      expect(await annotations.status(jobId)).toMatchObject({ status: 'cancelled', reason: 'cancelled on request' });
      expect((await annotations.active()).jobs.map(({ id }) => id)).not.toContain(jobId);

      const again = await annotations.cancel(jobId);
      expect(again.status).toBe(200);
      expect(again.body).toEqual({ jobId, status: 'cancelled', message: 'Job already cancelled', cancelled: false });
    });
  });

  test('a cancellation that comes after the end is 200 with "cancelled" in its message, and the job stays as it ended', async () => {
    const jobId = await annotations.start({ imageIds: ['img0'] });
    await annotations.ended(jobId);
    const { status, body } = await annotations.cancel(jobId);
    expect(status).toBe(200);
    expect(body).toEqual({
      jobId,
      status: 'completed',
      message: 'Job already completed; nothing left to be cancelled',
      cancelled: false,
    });
    expect((await annotations.status(jobId)).status).toBe('completed');
  });

  test('an id that is given twice counts twice', async () => {
    const ended = await annotations.ended(await annotations.start({ imageIds: ['img0', 'img0', 'nobody', 'nobody'] }));
    expect(ended.progress).toMatchObject({ total: 4, successful: 2, failed: 2 });
    expect(ended.errors.map(({ itemId }) => itemId)).toEqual(['nobody', 'nobody']);
  });

  test('of many errors all are there, or as many as are asked for, with where the next ones begin', async () => {
    const jobId = await annotations.start({ imageIds: imageIds(1_005).map((id) => `no-${id}`), concurrency: 5_000 });
    const all = await annotations.ended(jobId);
    expect(all).toMatchObject({ errorsTotal: 1_005, progress: { failed: 1_005 }, concurrency: 10 });
    expect(all.errors).toHaveLength(1_005);
    const first = await annotations.status(jobId, '?errorsLimit=1000');
    expect(first.nextErrorsOffset).toBe(1_000);
    expect(first.errors).toHaveLength(1_000);
    const rest = await annotations.status(jobId, '?errorsOffset=1000');
    expect(rest.errors.map(({ itemId }) => itemId)).toEqual([0, 1, 2, 3, 4].map((n) => `no-img${1_000 + n}`));
    expect(rest).not.toHaveProperty('nextErrorsOffset');
    const two = await annotations.status(jobId, '?errorsOffset=3&errorsLimit=2');
    expect(two.errors.map(({ itemId }) => itemId)).toEqual(['no-img3', 'no-img4']);
    expect(two.nextErrorsOffset).toBe(5);
    expect((await annotations.status(jobId, '?errorsLimit=50000')).errors).toHaveLength(1_005);
    // Batches of other interfaces, which are shown here too, may have millions.
    expect((await annotations.status(jobId, '?errorsOffset=1000000')).errors).toEqual([]);
  }, 60_000);

  test.each(['?errorsOffset=-1', '?errorsLimit=0', '?errorsLimit=all', '?errorsOffset=2000000001', '?page=2'])(
    'the status refuses %s',
    async (query) => {
      expect((await annotations.api.get(`/api/batch/annotations/${randomUUID()}/status${query}`)).status).toBe(400);
    },
  );

  test('any batch of the tenant is shown by its id, in the words of jobs', async () => {
    const created = await annotations.api.post<{ data: BatchView }>('/api/batches', {
      operation: 'noop',
      items: [{ payload: { durationMs: 60_000 } }],
    });
    const { id } = created.body.data;
    await eventually(
      () => annotations.status(id),
      ({ status }) => status === 'processing',
    );
    await annotations.api.post(`/api/batches/${id}/pause`);
    expect(await annotations.status(id)).toMatchObject({ status: 'processing', paused: true });
    expect((await annotations.active()).jobs.map((job) => job.id)).not.toContain(id);
    expect((await annotations.cancel(id)).body.cancelled).toBe(true);
  });

  test('an unknown id is 404 with the one error body', async () => {
    for (const [method, action] of [
      ['GET', 'status'],
      ['POST', 'cancel'],
    ]) {
      const { status, body } = await annotations.api.send<Problem>(method!, `/api/batch/annotations/unknown-id/${action}`);
      expect({ status, body }).toEqual({
        status: 404,
        body: {
          success: false,
          error: expect.stringContaining('unknown-id'),
          message: expect.stringContaining('unknown-id'),
          statusCode: 404,
          details: { errors: [] },
        },
      });
    }
  });

  describe('a start that is refused', () => {
    const tooMany = new Array<string>(100_001).fill('a');

    test.each<[string, unknown, string, string]>([
      ['no body', undefined, 'imageIds', 'invalid_type'],
      ['no ids', {}, 'imageIds', 'invalid_type'],
      ['ids that are null', { imageIds: null }, 'imageIds', 'invalid_type'],
      ['an empty list', { imageIds: [] }, 'imageIds', 'too_small'],
      ['100,001 ids', { imageIds: tooMany }, 'imageIds', 'too_big'],
      ['one id instead of a list', { imageIds: 'img1' }, 'imageIds', 'invalid_type'],
      ['a number among the ids', { imageIds: ['a', 'b', 'c', 4] }, 'imageIds.3', 'invalid_type'],
      ['an object among the ids', { imageIds: [{ key: 'a' }] }, 'imageIds.0', 'invalid_type'],
      ['null among the ids', { imageIds: ['a', null] }, 'imageIds.1', 'invalid_type'],
      ['an empty id', { imageIds: ['a', ''] }, 'imageIds.1', 'too_small'],
      ['an id of 513 characters', { imageIds: ['x'.repeat(513)] }, 'imageIds.0', 'too_big'],
      ['an id with a NUL', { imageIds: ['a\0'] }, 'imageIds.0', 'custom'],
      ['half of a character', { imageIds: ['\ud800'] }, 'imageIds.0', 'custom'],
      ['a concurrency of 0', { imageIds: ['a'], concurrency: 0 }, 'concurrency', 'too_small'],
      ['a concurrency in words', { imageIds: ['a'], concurrency: '5' }, 'concurrency', 'invalid_type'],
      ['a fractional concurrency', { imageIds: ['a'], concurrency: 1.5 }, 'concurrency', 'invalid_type'],
      ['a rate of 0', { imageIds: ['a'], rateLimitPerMinute: 0 }, 'rateLimitPerMinute', 'too_small'],
      ['a rate in words', { imageIds: ['a'], rateLimitPerMinute: 'fast' }, 'rateLimitPerMinute', 'invalid_type'],
      ['an unknown field', { imageIds: ['a'], priority: 'high' }, 'priority', 'unrecognized_keys'],
      ['a list as the body', ['a'], 'body', 'invalid_type'],
    ])('for %s names the field, and makes nothing', async (_what, body, path, code) => {
      const count = () => service.database.pool.query<{ n: number }>('SELECT count(*)::int AS n FROM batch');
      const before = (await count()).rows;
      const answer = await annotations.api.post<Problem>(START, body);
      expect(answer.status).toBe(400);
      expect(answer.body).toEqual({
        success: false,
        error: expect.any(String),
        message: answer.body.error,
        statusCode: 400,
        details: { errors: [{ path, message: expect.stringContaining(path === 'body' ? 'body' : path), code }] },
      });
      expect((await count()).rows).toEqual(before);
    });

    test('tells up to a hundred wrong ids at once', async () => {
      const { body } = await annotations.api.post<Problem>(START, { imageIds: new Array<number>(500).fill(1) });
      expect(body.details.errors).toHaveLength(100);
      expect(body.details.errors[99]!.path).toBe('imageIds.99');
    });

    test('a body that is no JSON, or another type', async () => {
      expect((await annotations.api.sendText<Problem>(START, '{', 'application/json')).status).toBe(400);
      expect((await annotations.api.sendText<Problem>(START, 'img1', 'text/plain')).status).toBe(415);
    });
  });

  test('100,000 ids are taken', async () => {
    const ids = Array.from({ length: 100_000 }, (_, n) => n.toString(36));
    const { status, body } = await annotations.api.post<BatchJobStarted>(START, { imageIds: ids });
    expect(status).toBe(201);
    expect(body.total).toBe(100_000);
    expect((await annotations.cancel(body.jobId)).status).toBe(200);
  });

  test('the flow of the integration test: start, status, active, cancel', async () => {
    const started = await annotations.api.post<BatchJobStarted>(START, { imageIds: ['uuid1', 'uuid2', 'uuid3'], concurrency: 2 });
    expect(started.status).toBe(201);
    const { jobId } = started.body;
    const status = await annotations.api.get<BatchJobProgress>(`/api/batch/annotations/${jobId}/status`);
    expect(status.status).toBe(200);
    expect(status.body.progress.total).toBe(3);
    const active = await annotations.api.get<ActiveJobsReply>('/api/batch/annotations/active');
    expect(active.status).toBe(200);
    expect(Array.isArray(active.body.jobs)).toBe(true);
    const cancelled = await annotations.cancel(jobId);
    expect(cancelled.status).toBe(200);
    expect(cancelled.body.message).toContain('cancelled');
  });

  test('the ERP interface still finds its own routes beside these', async () => {
    expect((await annotations.api.get('/api/batch/stats')).status).toBe(200);
    expect((await annotations.api.get('/api/batch/history')).status).toBe(200);
    expect((await annotations.api.get('/api/batch/annotations')).status).toBe(404);
  });
});

describe('lists and figures', () => {
  const ACME = { 'x-api-key': 'acme-key-0123456789' };
  const GLOBEX = { 'x-api-key': 'globex-key-0123456789' };
  let service: TestService;
  let acme: Annotations;
  let globex: Annotations;

  beforeEach(async () => {
    // Nobody works here: every job stays as it is.
    service = await startTestService({
      ...UNHURRIED,
      ROLE: 'api',
      API_KEYS: `acme:${ACME['x-api-key']},globex:${GLOBEX['x-api-key']}`,
    });
    acme = new Annotations(service.url, ACME);
    globex = new Annotations(service.url, GLOBEX);
  });

  afterEach(() => service.close());

  test('active jobs come newest first, in pages, without those of other interfaces', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 3; n += 1) ids.unshift(await acme.start({ imageIds: ['a', 'b'] }));
    await acme.api.post('/api/batches', { operation: 'noop', items: ['x'] });
    await acme.api.post('/api/batch/create', { operation: 'noop', filters: { count: 1 } });
    const all = await acme.active();
    expect(all.jobs.map(({ id }) => id)).toEqual(ids);
    expect(all.jobs[0]).toMatchObject({
      status: 'processing',
      processedItems: 0,
      totalItems: 2,
      startedAt: expect.stringMatching(ISO_TIME),
    });
    const second = await acme.active('?limit=1&offset=1');
    expect(second).toMatchObject({ jobs: [{ id: ids[1] }], total: 3, limit: 1, offset: 1, hasMore: true });
    expect((await acme.active('?limit=1000')).limit).toBe(100);
    expect((await acme.api.get('/api/batch/annotations/active?limit=0')).status).toBe(400);
    await acme.cancel(ids[0]!);
    expect((await acme.active()).jobs.map(({ id }) => id)).toEqual(ids.slice(1));
  });

  test('the figures add up over the jobs: done, failed, waiting, cancelled', async () => {
    expect(await acme.stats()).toEqual({ activeJobs: 0, totalProcessing: 0, totalSuccessful: 0, totalFailed: 0, totalCancelled: 0 });
    await acme.start({ imageIds: ['a', 'b', 'c'] });
    await acme.cancel(await acme.start({ imageIds: ['d', 'e'] }));
    await acme.api.post('/api/batches', { operation: 'noop', items: ['x'] });
    expect(await acme.stats()).toEqual({ activeJobs: 1, totalProcessing: 3, totalSuccessful: 0, totalFailed: 0, totalCancelled: 2 });
  });

  test('one tenant knows nothing of another one’s jobs', async () => {
    const jobId = await acme.start({ imageIds: ['secret-image'] });
    for (const path of ['status', 'cancel']) {
      const method = path === 'status' ? 'GET' : 'POST';
      const foreign = await globex.api.send<Problem>(method, `/api/batch/annotations/${jobId}/${path}`);
      const unknown = await globex.api.send<Problem>(method, `/api/batch/annotations/no-job/${path}`);
      expect(foreign.status).toBe(404);
      expect(JSON.stringify(foreign.body).replaceAll(jobId, 'no-job')).toBe(JSON.stringify(unknown.body));
    }
    expect((await globex.active()).jobs).toEqual([]);
    expect(await globex.stats()).toMatchObject({ activeJobs: 0, totalProcessing: 0 });
    expect((await acme.status(jobId)).status).toBe('processing');
  });

  test('without credentials nothing is answered', async () => {
    const nobody = new Api(service.url);
    expect((await nobody.post(START, { imageIds: ['a'] })).status).toBe(401);
    for (const path of ['active', 'stats', 'no-job/status']) expect((await nobody.get(`/api/batch/annotations/${path}`)).status).toBe(401);
    expect((await nobody.post('/api/batch/annotations/no-job/cancel')).status).toBe(401);
  });
});

test('figures count what is done and failed, also of jobs under way', async () => {
  const service = await startTestService(UNHURRIED);
  const annotations = new Annotations(service.url);
  const images = new ImageStore(service.url);
  await images.putAll(['a', 'b']);
  await annotations.ended(await annotations.start({ imageIds: ['a', 'b', 'nobody'] }));
  const lock = await service.database.pool.connect();
  await lock.query('BEGIN');
  await lock.query(`SELECT FROM record WHERE key = 'b' FOR UPDATE`);
  const held = await annotations.start({ imageIds: ['a', 'b', 'nobody', 'noone'], concurrency: 4 });
  await eventually(
    () => annotations.status(held),
    ({ progress }) => progress.processed === 3,
  );
  expect(await annotations.stats()).toEqual({ activeJobs: 1, totalProcessing: 1, totalSuccessful: 3, totalFailed: 3, totalCancelled: 0 });
  await lock.query('ROLLBACK');
  lock.release();
  await annotations.ended(held);
  expect(await annotations.stats()).toEqual({ activeJobs: 0, totalProcessing: 0, totalSuccessful: 4, totalFailed: 3, totalCancelled: 0 });
  await service.close();
});

describe('tiers', () => {
  let service: TestService;
  let annotations: Annotations;

  const startTier = async (tier: string, env: Record<string, string> = {}) => {
    service = await startTestService({ ANNOTATION_TIER: tier, ...env });
    annotations = new Annotations(service.url);
  };

  afterEach(() => service.close());

  const startWith = async (request: object) => {
    const { body } = await annotations.api.post<BatchJobStarted>(START, request);
    return { reply: body, options: (await annotations.batch(body.jobId)).options };
  };

  test('what is above the paid tier is taken as what it allows, what is below as it is asked', async () => {
    await startTier('paid', { ROLE: 'api' });
    const most = await startWith({ imageIds: imageIds(1_001), concurrency: 1e9, rateLimitPerMinute: 1e9 });
    expect(most.reply).toMatchObject({ tier: 'paid', concurrency: 10, rateLimitPerMinute: 500, estimatedDurationMinutes: 3 });
    expect(most.options).toMatchObject({
      concurrency: 10,
      rateLimitPerMinute: null,
      rateLimitPool: { name: 'annotations:paid', perMinute: 500 },
    });
    const less = await startWith({ imageIds: imageIds(1_001), concurrency: 3, rateLimitPerMinute: 100 });
    expect(less.reply).toMatchObject({ concurrency: 3, rateLimitPerMinute: 100, estimatedDurationMinutes: 11 });
    expect(less.options).toMatchObject({
      concurrency: 3,
      rateLimitPerMinute: 100,
      rateLimitPool: { name: 'annotations:paid', perMinute: 500 },
    });
  });

  test('the free tier takes the default of five as its two', async () => {
    await startTier('free', { ROLE: 'api' });
    const { reply, options } = await startWith({ imageIds: imageIds(25) });
    expect(reply).toMatchObject({ tier: 'free', concurrency: 2, rateLimitPerMinute: 10, estimatedDurationMinutes: 3 });
    expect(options).toMatchObject({ concurrency: 2, rateLimitPool: { name: 'annotations:free', perMinute: 10 } });
  });

  test('a free job of 100 images starts ten at once and is still at it, with minutes to go', async () => {
    await startTier('free');
    await new ImageStore(service.url).putAll(imageIds(100), await plainPng('olive', 16, 16));
    const jobId = await annotations.start({ imageIds: imageIds(100), concurrency: 5 });
    const status = await eventually(
      () => annotations.status(jobId),
      ({ progress }) => progress.processed >= 10,
    );
    expect(status.status).toBe('processing');
    const minutes = (Date.now() - Date.parse(status.startedAt!)) / 60_000;
    expect(status.progress.processed).toBeLessThanOrEqual(10 + Math.ceil(10 * minutes));
    expect(status.estimatedTimeRemaining).toBeGreaterThan(60_000);
    expect((await annotations.cancel(jobId)).body.cancelled).toBe(true);
    const ended = await annotations.ended(jobId);
    expect(ended.status).toBe('cancelled');
    expect(ended.progress).toMatchObject({ total: 100, failed: 0 });
    expect(ended.progress.processed).toBeLessThan(100);
  });
});
