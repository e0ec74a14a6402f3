import type { BatchView } from '../../src/batches/batch.view.js';
import { Procedures } from '../../src/common/procedure.js';
import { runningService, ServiceInProcess } from '../../src/common/running-service.js';
import { BatchProcessor } from '../../src/dialects/annotations/batch-processor.facade.js';
import { estimateDurationMinutes } from '../../src/dialects/annotations/duration-estimate.js';
import { createRateLimiter } from '../../src/dialects/annotations/rate-limiter.js';
import { eventually } from '../support/eventually.js';
import { imageIds, ImageStore } from '../support/pictures.js';
import { startTestService, type TestService } from '../support/service.js';
import { Api } from './api.js';

describe('BatchProcessor', () => {
  let service: TestService;
  let processor: BatchProcessor;

  beforeAll(async () => {
    service = await startTestService();
    await new ImageStore(service.url).putAll(imageIds(100));
  });

  afterAll(() => service.close());

  beforeEach(() => {
    processor = new BatchProcessor('free');
  });

  afterEach(() => {
    processor.destroy();
  });

  test('should start a batch job', async () => {
    const jobId = await processor.startBatch(['img1', 'img2', 'img3'], 2);
    expect(jobId).toBeDefined();
    expect(typeof jobId).toBe('string');
    await processor.cancelJob(jobId);
  });

  test('should track job progress, and see it move', async () => {
    const jobId = await processor.startBatch(['img1', 'img2'], 1);
    const progress = await processor.getJobProgress(jobId);
    expect(progress?.progress.total).toBe(2);
    expect(progress?.status).toMatch(/pending|processing|completed/);
    const moved = await eventually(
      () => processor.getJobProgress(jobId),
      (now) => now!.progress.processed > 0,
    );
    expect(moved?.progress.failed).toBe(0);
  });

  test('should cancel a running job: the very next read says so', async () => {
    const jobId = await processor.startBatch(imageIds(100), 5);
    expect(await processor.cancelJob(jobId)).toBe(true);
    expect((await processor.getJobProgress(jobId))?.status).toBe('cancelled');
    expect(await processor.cancelJob(jobId)).toBe(false);
    const ended = await eventually(
      () => processor.getJobProgress(jobId),
      (job) => job!.completedAt !== undefined,
    );
    expect(ended).toMatchObject({ status: 'cancelled', progress: { total: 100 } });
    expect(ended!.progress.processed).toBeLessThan(100);
  });

  test('asks the tier for what it allows: five side by side become two, in the pool of its tier', async () => {
    const jobId = await processor.startBatch(['img1'], 5);
    const { body } = await new Api(service.url).get<{ data: BatchView }>(`/api/batches/${jobId}`);
    expect(body.data).toMatchObject({
      dialect: 'annotations',
      options: { concurrency: 2, rateLimitPool: { name: 'annotations:free', perMinute: 10 } },
    });
    const paid = await new BatchProcessor('paid').startBatch(['img1'], 50);
    expect((await new Api(service.url).get<{ data: BatchView }>(`/api/batches/${paid}`)).body.data).toMatchObject({
      options: { concurrency: 10, rateLimitPool: { name: 'annotations:paid', perMinute: 500 } },
    });
  });

  test('unknown ids are null and false, never an exception', async () => {
    expect(await processor.getJobProgress('no-job')).toBeNull();
    expect(await processor.cancelJob('no-job')).toBe(false);
  });

  test('wrong ids are refused with their place', async () => {
    await expect(processor.startBatch([])).rejects.toMatchObject({ details: { errors: [{ path: 'imageIds', code: 'too_small' }] } });
    await expect(processor.startBatch(['a', 7 as unknown as string])).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      details: { errors: [{ path: 'imageIds.1' }] },
    });
    await expect(processor.startBatch(['a'], 0)).rejects.toMatchObject({ details: { errors: [{ path: 'concurrency' }] } });
  });

  test('another tenant has jobs and images of its own', async () => {
    const acme = processor.forTenant('acme');
    const jobId = await acme.startBatch(['img1']);
    expect(await processor.getJobProgress(jobId)).toBeNull();
    expect(await processor.cancelJob(jobId)).toBe(false);
    const ended = await eventually(
      () => acme.getJobProgress(jobId),
      (job) => job!.completedAt !== undefined,
    );
    expect(ended!.errors).toMatchObject([{ itemId: 'img1', error: 'Image not found' }]);
  });

  test('once destroyed it says so, and its jobs are found by others', async () => {
    const jobId = await processor.startBatch(['img1']);
    processor.destroy();
    const refused = { code: 'CONFLICT', message: 'this BatchProcessor is destroyed; make a new one' };
    await expect(processor.startBatch(['img1'])).rejects.toMatchObject(refused);
    await expect(processor.getJobProgress(jobId)).rejects.toMatchObject(refused);
    await expect(processor.cancelJob(jobId)).rejects.toMatchObject(refused);
    expect((await new BatchProcessor('paid').getJobProgress(jobId))?.jobId).toBe(jobId);
  });

  test('the duration of a job is estimated by the rates of the tiers', () => {
    expect(estimateDurationMinutes(1_000, 'paid')).toBe(2);
    expect(estimateDurationMinutes(1_000, 'free')).toBe(100);
    expect(estimateDurationMinutes(1, 'free')).toBe(1);
    expect(estimateDurationMinutes(0, 'free')).toBe(0);
    expect(estimateDurationMinutes(61, { requestsPerMinute: 60 })).toBe(2);
  });

  test('a rate limiter of a tier has its rate', () => {
    const limiter = createRateLimiter('free');
    expect(limiter.perMinute).toBe(10);
    for (let n = 0; n < 10; n += 1) expect(limiter.tryAcquire()).toBe(true);
    expect(limiter.tryAcquire()).toBe(false);
    limiter.destroy();
  });

  test('of two services in one process one has to be named', async () => {
    const second = await startTestService({ ANNOTATION_FREE_PER_MINUTE: '7' });
    expect(() => new BatchProcessor('free')).toThrow('2 Batchwise services run in this process; name one: app.get(ServiceInProcess)');
    const named = new BatchProcessor('free', second.app.get(ServiceInProcess));
    const jobId = await named.startBatch(['img1']);
    expect(await new BatchProcessor('free', service.app.get(ServiceInProcess)).getJobProgress(jobId)).toBeNull();
    await second.close();
    expect(runningService().procedures).toBe(service.app.get(Procedures));
  });
});

test('without a service in this process there is nothing to process with', () => {
  expect(() => new BatchProcessor('free')).toThrow('no Batchwise service runs in this process');
  expect(() => createRateLimiter('free')).toThrow('no Batchwise service runs in this process');
  expect(estimateDurationMinutes(30, { requestsPerMinute: 10 })).toBe(3);
});
