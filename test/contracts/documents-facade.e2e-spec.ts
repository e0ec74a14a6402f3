import { DocumentProcessingQueueService } from '../../src/dialects/documents/document-processing-queue.facade.js';
import {
  type DocumentJobCompleted,
  type DocumentJobFailed,
  type DocumentJobProgress,
} from '../../src/dialects/documents/document-job-events.js';
import { ProcessingJobType } from '../../src/dialects/documents/documents.request.js';
import { createTestDatabase } from '../support/database.js';
import { eventually, Gate } from '../support/eventually.js';
import { FakeProvider, GOOD_FINDINGS } from '../support/fake-provider.js';
import { startTestService, type TestService } from '../support/service.js';
import { Api, ISO_TIME } from './api.js';

const IDS = ['doc-id-1', 'doc-id-2', 'doc-id-3'];

/** The document system's sample of its service in the same process, step by step. */
describe('the document processing queue service in this process', () => {
  let provider: FakeProvider;
  let service: TestService;
  let documentProcessingQueueService: DocumentProcessingQueueService;

  beforeAll(async () => {
    provider = await FakeProvider.start();
    service = await startTestService({ AI_BASE_URL: provider.url, DOCUMENT_RETENTION_HOURS: '24' });
    documentProcessingQueueService = service.app.get(DocumentProcessingQueueService);
    const api = new Api(service.url);
    for (const id of IDS) await api.send('PUT', `/api/records/documents/${id}`, { fields: { text: `The text of ${id}.` } });
  });

  afterAll(async () => {
    await service.close();
    await provider.close();
  });

  beforeEach(() => (provider.answer = () => ({ findings: GOOD_FINDINGS })));

  const ended = (jobId: string) =>
    eventually(
      () => documentProcessingQueueService.getJobStatus(jobId),
      (job) => job?.completedAt !== undefined,
    );

  test('does what the document shows, and tells of it', async () => {
    const progress: DocumentJobProgress[] = [];
    const completed: DocumentJobCompleted[] = [];
    const onProgress = (update: DocumentJobProgress) => progress.push(update);
    const onCompleted = (result: DocumentJobCompleted) => completed.push(result);
    documentProcessingQueueService.on('progress', onProgress).on('jobCompleted', onCompleted);
    const gate = new Gate();
    provider.answer = async ({ body }) => {
      if (JSON.stringify(body.messages).includes('doc-id-3')) await gate.opened;
      return { findings: GOOD_FINDINGS };
    };

    const jobId = await documentProcessingQueueService.createJob(IDS, ProcessingJobType.FULL_ANALYSIS, {
      maxConcurrent: 5,
      timeout: 300000,
      retryAttempts: 2,
      retryDelay: 2000,
    });
    expect(jobId).toMatch(/^job_\d{13}_[a-z0-9]+$/);
    const job = await eventually(
      () => documentProcessingQueueService.getJobStatus(jobId),
      (each) => each?.processedDocuments === 2,
    );
    expect(job?.progress).toBe(66);
    const [update] = await eventually(
      () => progress,
      ({ length }) => length > 0,
    );
    // Progress is told at intervals: it may be that of the first document, or of both.
    expect(update).toEqual({
      jobId,
      progress: Math.floor((100 * update!.processedDocuments) / 3),
      processedDocuments: update!.processedDocuments,
      totalDocuments: 3,
      estimatedTimeRemaining: expect.any(Number),
    });
    expect([1, 2]).toContain(update!.processedDocuments);
    gate.open();
    const [result] = await eventually(
      () => completed,
      ({ length }) => length === 1,
    );
    expect(result).toEqual({
      jobId,
      totalDocuments: 3,
      processedDocuments: 3,
      failedDocuments: 0,
      duration: expect.any(Number),
      results: IDS.map((documentId) => ({
        documentId,
        success: true,
        data: expect.objectContaining({ summary: GOOD_FINDINGS.summary }),
        processingTime: expect.any(Number),
        timestamp: expect.stringMatching(ISO_TIME),
      })),
    });
    documentProcessingQueueService.off('progress', onProgress).off('jobCompleted', onCompleted);
    await ended(await documentProcessingQueueService.createJob(['doc-id-1'], ProcessingJobType.QUALITY_CHECK));
    expect(completed).toHaveLength(1);
  });

  test('tells of a job that failed and of one that ran out of time, with the error', async () => {
    const failed: DocumentJobFailed[] = [];
    documentProcessingQueueService.on('jobFailed', (error) => failed.push(error));
    const unknown = await documentProcessingQueueService.createJob(['nobody'], ProcessingJobType.DATA_EXTRACTION);
    await eventually(
      () => failed,
      ({ length }) => length === 1,
    );
    expect(failed).toEqual([{ jobId: unknown, error: 'every item failed', processedDocuments: 1, failedDocuments: 1 }]);

    const gate = new Gate();
    provider.answer = async () => {
      await gate.opened;
      return { findings: GOOD_FINDINGS };
    };
    const late = await documentProcessingQueueService.createJob(IDS, ProcessingJobType.FULL_ANALYSIS, { timeout: 500 });
    await eventually(
      () => documentProcessingQueueService.getJobStatus(late),
      (job) => job?.status === 'TIMEOUT',
    );
    gate.open();
    await eventually(
      () => failed,
      ({ length }) => length === 2,
    );
    expect(failed[1]).toMatchObject({ jobId: late, error: 'Job timeout exceeded', failedDocuments: 0 });
  });

  test('a listener that throws harms neither the others nor the service', async () => {
    const heard: string[] = [];
    documentProcessingQueueService.on('jobCompleted', () => {
      throw new Error('as told');
    });
    documentProcessingQueueService.on('jobCompleted', ({ jobId }) => heard.push(jobId));
    const jobId = await documentProcessingQueueService.createJob(['doc-id-1'], ProcessingJobType.QUALITY_CHECK);
    await eventually(
      () => heard,
      (ids) => ids.includes(jobId),
    );
  });

  test('cancels a job once, and tells of it', async () => {
    const cancelled: string[] = [];
    documentProcessingQueueService.on('jobCancelled', ({ jobId }) => cancelled.push(jobId));
    const gate = new Gate();
    provider.answer = async () => {
      await gate.opened;
      return { findings: GOOD_FINDINGS };
    };
    const jobId = await documentProcessingQueueService.createJob(IDS, ProcessingJobType.BATCH_ANALYSIS, { maxConcurrent: 1 });
    expect(await documentProcessingQueueService.cancelJob(jobId)).toBe(true);
    expect((await documentProcessingQueueService.getJobStatus(jobId))?.status).toBe('CANCELLED');
    expect(await documentProcessingQueueService.cancelJob(jobId)).toBe(false);
    gate.open();
    await eventually(
      () => cancelled,
      (ids) => ids.includes(jobId),
    );
    expect(await documentProcessingQueueService.cancelJob('job_0_none')).toBe(false);
  });

  test('lists all jobs, and cleans up those that ended more than 24 hours ago', async () => {
    const before = (await documentProcessingQueueService.getAllJobs()).length;
    const [old, recent] = [
      await documentProcessingQueueService.createJob(['doc-id-1'], ProcessingJobType.QUALITY_CHECK),
      await documentProcessingQueueService.createJob(['doc-id-2'], ProcessingJobType.QUALITY_CHECK),
    ];
    await ended(old);
    await ended(recent);
    const jobs = await documentProcessingQueueService.getAllJobs();
    expect(jobs).toHaveLength(before + 2);
    expect(jobs.slice(0, 2).map(({ id, status }) => [id, status])).toEqual([
      [recent, 'COMPLETED'],
      [old, 'COMPLETED'],
    ]);
    await endedHoursAgo(service, old, 25);
    await endedHoursAgo(service, recent, 23);
    expect(await documentProcessingQueueService.cleanupOldJobs()).toBe(1);
    expect(await documentProcessingQueueService.getJobStatus(old)).toBeNull();
    expect((await documentProcessingQueueService.getJobStatus(recent))?.status).toBe('COMPLETED');
  });

  test('unknown ids are null and false, wrong input is refused with its field', async () => {
    expect(await documentProcessingQueueService.getJobStatus('job_0_none')).toBeNull();
    await expect(documentProcessingQueueService.createJob([], ProcessingJobType.FULL_ANALYSIS)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      details: { errors: [{ path: 'documentIds', code: 'too_small' }] },
    });
    await expect(documentProcessingQueueService.createJob(['a', ''], 'FULL_ANALYSIS', { timeout: 0 })).rejects.toMatchObject({
      details: { errors: [{ path: 'options.timeout' }] },
    });
  });

  test('another tenant has jobs and events of its own', async () => {
    const acme = documentProcessingQueueService.forTenant('acme');
    const [mine, theirs]: [string[], string[]] = [[], []];
    documentProcessingQueueService.on('jobFailed', ({ jobId }) => mine.push(jobId));
    acme.on('jobFailed', ({ jobId }) => theirs.push(jobId));
    // The documents are the other tenant's: here they are unknown.
    const jobId = await acme.createJob(['doc-id-1'], ProcessingJobType.QUALITY_CHECK);
    await eventually(
      () => theirs,
      (ids) => ids.includes(jobId),
    );
    expect(mine).not.toContain(jobId);
    expect(await documentProcessingQueueService.getJobStatus(jobId)).toBeNull();
    expect(await documentProcessingQueueService.cancelJob(jobId)).toBe(false);
    expect((await acme.getAllJobs()).map(({ id }) => id)).toEqual([jobId]);
  });
});

describe('finished document jobs', () => {
  test('are removed by themselves after DOCUMENT_RETENTION_HOURS, and others are not', async () => {
    const database = await createTestDatabase();
    const first = await startTestService({ DATABASE_URL: database.url });
    const jobs = first.app.get(DocumentProcessingQueueService);
    const [old, recent] = [await jobs.createJob(['a'], 'QUALITY_CHECK'), await jobs.createJob(['b'], 'QUALITY_CHECK')];
    for (const id of [old, recent]) {
      await eventually(
        () => jobs.getJobStatus(id),
        (job) => job?.completedAt !== undefined,
      );
    }
    await endedHoursAgo(first, old, 5);
    await endedHoursAgo(first, recent, 3);
    await first.close();
    // A worker cleans up when it starts, and then every hour.
    const second = await startTestService({ DATABASE_URL: database.url, DOCUMENT_RETENTION_HOURS: '4' });
    const jobsAfter = second.app.get(DocumentProcessingQueueService);
    await eventually(
      () => jobsAfter.getAllJobs(),
      (all) => all.length === 1,
    );
    expect((await jobsAfter.getAllJobs()).map(({ id }) => id)).toEqual([recent]);
    await second.close();
    await database.drop();
  });
});

/** Makes a job older than it is: a finished run never changes otherwise. */
async function endedHoursAgo(service: TestService, jobId: string, hours: number): Promise<void> {
  const { pool } = service.database;
  await pool.query('ALTER TABLE run DISABLE TRIGGER run_is_finished');
  await pool.query(`UPDATE run SET ended_at = now() - $2 * interval '1 hour' WHERE batch_id = $1`, [jobId, hours]);
  await pool.query('ALTER TABLE run ENABLE TRIGGER run_is_finished');
}
