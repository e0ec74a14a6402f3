import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BatchJob, BatchJobProgress, CancelJobReply, JobStatsReply } from '../../src/dialects/annotations/annotations.reply.js';
import type { CreateBatchJobRequest } from '../../src/dialects/annotations/annotations.request.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { grainyJpeg, imageIds, ImageStore, plainPng } from '../support/pictures.js';
import { type ServiceProcess, spawnService } from '../support/process.js';

const POLL_MS = 25;
const pause = () => new Promise((resolve) => setTimeout(resolve, POLL_MS));
const ENDED = ['completed', 'failed', 'cancelled'];

/** What the document's clients do, against the built service in a process of its own. Intervals and numbers are smaller. */
describe('a client of the annotation interface', () => {
  let folder: string;
  let database: TestDatabase;
  let service: ServiceProcess;
  let images: ImageStore;
  let slow: string[];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'batchwise-story-'));
    database = await createTestDatabase();
    service = await spawnService({ DATABASE_URL: database.url, DATA_DIR: folder, ANNOTATION_PAID_PER_MINUTE: '1000000' });
    images = new ImageStore(service.url);
    await images.putAll(imageIds(30), await plainPng('teal'));
    slow = imageIds(300).map((id) => `slow-${id}`);
    await images.putAll(slow, await grainyJpeg(3_000, 2_000));
  }, 90_000);

  afterAll(async () => {
    expect(await service.end('SIGTERM')).toBe(0);
    await database.drop();
    await rm(folder, { recursive: true, force: true });
  });

  const call = async <Body>(path: string, init?: RequestInit): Promise<Body> =>
    (await fetch(`${service.url}/api/batch/annotations/${path}`, init)).json() as Promise<Body>;

  const getJobProgress = (jobId: string) => call<BatchJobProgress>(`${jobId}/status`);

  const cancelBatchJob = async (jobId: string) => (await call<CancelJobReply>(`${jobId}/cancel`, { method: 'POST' })).message;

  const processBatch = async (ids: string[], options: Omit<CreateBatchJobRequest, 'imageIds'> = {}): Promise<string> => {
    const request: CreateBatchJobRequest = { imageIds: ids, ...options };
    const init = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(request) };
    const { jobId } = await call<{ jobId: string }>('start', init);
    return jobId;
  };

  /** Polls as an interval does; tells every answer. */
  const poll = async (jobId: string, seen: (progress: BatchJobProgress) => void = () => {}): Promise<BatchJobProgress> => {
    for (;;) {
      const progress = await getJobProgress(jobId);
      seen(progress);
      if (ENDED.includes(progress.status)) return progress;
      await pause();
    }
  };

  /** A job that takes far longer than the test needs it. */
  const startSlowJob = () => processBatch(slow, { concurrency: 1 });

  /** When the images in flight of a cancelled job are done too. */
  const stopped = (jobId: string) =>
    eventually(
      () => getJobProgress(jobId),
      (job) => job.completedAt !== undefined,
    );

  test('the quick start: ten images, watched until they are done', async () => {
    const jobId = await processBatch(imageIds(10), { concurrency: 5 });
    const lines: string[] = [];
    const last = await poll(jobId, ({ progress }) =>
      lines.push(`Progress: ${progress.percentage}%, ${progress.processed}/${progress.total}`),
    );
    expect(lines.at(-1)).toBe('Progress: 100%, 10/10');
    expect(last.errors).toHaveLength(0);
    expect(last.progress).toMatchObject({ successful: 10, failed: 0 });
  });

  test('the hook: nothing without a job, then answers until the job has ended, which are what its page shows', async () => {
    const states: { percentage: number; value: number; max: number; polling: boolean }[] = [];
    const jobId = await processBatch(imageIds(6));
    await poll(jobId, ({ progress, status }) =>
      states.push({ percentage: progress.percentage, value: progress.processed, max: progress.total, polling: !ENDED.includes(status) }),
    );
    expect(states.at(-1)).toEqual({ percentage: 100, value: 6, max: 6, polling: false });
    expect(states.slice(0, -1).every(({ polling }) => polling)).toBe(true);
    expect(states.map(({ value }) => value)).toEqual(states.map(({ value }) => value).sort((a, b) => a - b));
  });

  test('high volume: parts of ten, a job each, waited for together and added up', async () => {
    const ids = [...imageIds(30), 'nobody', 'noone'];
    const jobIds: string[] = [];
    for (let from = 0; from < ids.length; from += 10) {
      jobIds.push(await processBatch(ids.slice(from, from + 10), { concurrency: 10, rateLimitPerMinute: 500 }));
      await pause();
    }
    const results = await Promise.all(jobIds.map((jobId) => poll(jobId)));
    expect(results).toHaveLength(4);
    expect(results.reduce((sum, { progress }) => sum + progress.successful, 0)).toBe(30);
    expect(results.reduce((sum, { progress }) => sum + progress.failed, 0)).toBe(2);
    expect(results.map(({ status }) => status)).toEqual(['completed', 'completed', 'completed', 'failed']);
  });

  describe('retrying what failed', () => {
    const processBatchWithRetry = async (ids: string[], { maxRetries = 2, between = async () => {} } = {}) => {
      const tried: string[][] = [];
      let failedImages: string[] = [];
      for (let attempt = 0; attempt <= maxRetries; attempt += 1) {
        tried.push(attempt === 0 ? ids : failedImages);
        const progress = await poll(await processBatch(tried.at(-1)!));
        failedImages = progress.errors.map(({ itemId }) => itemId);
        if (failedImages.length === 0) break;
        await between();
      }
      return { success: failedImages.length === 0, failedImages, tried };
    };

    test('finds the image that was repaired meanwhile, and gives up on the one that stays broken', async () => {
      const broken = await images.upload((await grainyJpeg(200, 200)).subarray(0, 2_000));
      await images.put('repaired', broken);
      await images.put('broken', broken);
      const result = await processBatchWithRetry(['img1', 'repaired', 'img2', 'broken'], {
        between: async () => images.put('repaired', await images.upload(await plainPng('lime'))),
      });
      expect(result).toEqual({
        success: false,
        failedImages: ['broken'],
        tried: [['img1', 'repaired', 'img2', 'broken'], ['repaired', 'broken'], ['broken']],
      });
    });

    test('is over at once when everything worked', async () => {
      const result = await processBatchWithRetry(['img1', 'img2']);
      expect(result).toEqual({ success: true, failedImages: [], tried: [['img1', 'img2']] });
    });
  });

  test('cancelling a long job, after asking', async () => {
    const jobId = await startSlowJob();
    const progress = await eventually(
      () => getJobProgress(jobId),
      (job) => job.progress.processed > 0,
    );
    const question = `Cancel batch job?\nProcessed: ${progress.progress.processed}/${progress.progress.total}\nProgress will be lost.`;
    expect(question).toMatch(/^Cancel batch job\?\nProcessed: [1-9]\d*\/300\n/);
    expect(await cancelBatchJob(jobId)).toContain('cancelled');
    expect((await getJobProgress(jobId)).status).toBe('cancelled');
    const ended = await stopped(jobId);
    expect(ended.status).toBe('cancelled');
    expect(ended.progress.processed).toBeGreaterThanOrEqual(progress.progress.processed);
    expect(ended.progress.processed).toBeLessThan(300);
  });

  test('milestones are told by whole percent, and the end is told', async () => {
    const told: string[] = [];
    const percentages: number[] = [];
    const jobId = await processBatch(imageIds(20), { concurrency: 1 });
    await poll(jobId, ({ progress, status }) => {
      percentages.push(progress.percentage);
      if ([25, 50, 75, 100].includes(progress.percentage)) told.push(`Batch processing ${progress.percentage}% complete`);
      if (['completed', 'failed'].includes(status)) told.push(`Batch processing ${status}`);
    });
    expect(told.slice(-2)).toEqual(['Batch processing 100% complete', 'Batch processing completed']);
    expect(percentages.every(Number.isInteger)).toBe(true);
    expect(percentages.filter((percentage) => percentage === 100)).toHaveLength(1);
  });

  test('a job that processes for longer than it may is cancelled, one that does not is left alone', async () => {
    const cancelIfStuck = async (jobId: string, limitMs: number) => {
      const progress = await getJobProgress(jobId);
      if (progress.status !== 'processing') return false;
      const elapsed = Date.now() - new Date(progress.startedAt!).getTime();
      if (!(elapsed > limitMs)) return false;
      await cancelBatchJob(jobId);
      return true;
    };
    const jobId = await startSlowJob();
    expect(await cancelIfStuck(jobId, 3_600_000)).toBe(false);
    // Clocks of the database and of this process may differ by a little.
    await eventually(
      () => cancelIfStuck(jobId, 50),
      (cancelled) => cancelled,
    );
    expect(await cancelIfStuck(jobId, 0)).toBe(false);
    const ended = await stopped(jobId);
    expect(ended.status).toBe('cancelled');
  });

  test('errors are counted by their message', async () => {
    const text = await images.upload(Buffer.from('not a picture'));
    for (const key of ['text-1', 'text-2', 'text-3']) await images.put(key, text);
    const { errors } = await poll(await processBatch(['img1', 'text-1', 'text-2', 'text-3', 'nobody', 'noone']));
    const errorTypes: Record<string, number> = {};
    for (const { error } of errors) errorTypes[error] = (errorTypes[error] ?? 0) + 1;
    expect(errorTypes).toEqual({
      'Invalid image: the file is not in a known picture format; JPEG, PNG, WebP, GIF, TIFF and AVIF are read': 3,
      'Image not found': 2,
    });
  });

  test('the dashboard of the administrator: rows, figures, and the button that cancels', async () => {
    const before = await call<JobStatsReply>('stats');
    const jobId = await startSlowJob();
    await eventually(
      () => getJobProgress(jobId),
      (job) => job.progress.processed > 0,
    );
    const { jobs } = await call<{ jobs: BatchJob[] }>('active');
    const stats = await call<JobStatsReply>('stats');
    expect(stats.activeJobs).toBe(before.activeJobs + 1);
    expect(stats.totalProcessing + stats.totalSuccessful).toBe(before.totalProcessing + before.totalSuccessful + 300);
    const [job] = jobs;
    expect(`${job!.id.slice(0, 8)}...`).toBe(`${jobId.slice(0, 8)}...`);
    expect(`${job!.processedItems}/${job!.totalItems} (${Math.round((job!.processedItems / job!.totalItems) * 100)}%)`).toMatch(
      /^\d+\/300 \(\d+%\)$/,
    );
    expect(new Date(job!.startedAt).toLocaleString()).not.toBe('Invalid Date');
    expect(await cancelBatchJob(job!.id)).toContain('cancelled');
    expect((await call<{ jobs: BatchJob[] }>('active')).jobs).toEqual([]);
  });
});
