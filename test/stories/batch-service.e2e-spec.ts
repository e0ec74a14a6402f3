import { Api, type Problem } from '../contracts/api.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { type ServiceProcess, spawnService } from '../support/process.js';

/** What a client of the batch service reads of a batch. */
interface Batch {
  id: string;
  status: string;
  progress: number;
  totalItems: number;
  processedItems: number;
  failedItems: number;
  startedAt: string | null;
  completedAt?: string;
  results?: { successful: number; failed: number; cancelled: number };
  errors: { jobId?: string; message: string; severity: string }[];
}

interface Data<T> {
  success: boolean;
  data: T;
}

const LONG_MS = 60_000;

let database: TestDatabase;
let service: ServiceProcess;
let api: Api;

beforeAll(async () => {
  database = await createTestDatabase();
  service = await spawnService({ DATABASE_URL: database.url });
  api = new Api(service.url);
}, LONG_MS);

afterAll(async () => {
  await service.end('SIGTERM');
  await database.drop();
}, LONG_MS);

const create = async (data: unknown[], more: object = {}) =>
  (await api.post<Data<Batch>>('/api/batches', { name: 'Nightly', type: 'noop', data, ...more })).body.data;
const read = async (id: string) => (await api.get<Data<Batch>>(`/api/batches/${id}`)).body.data;
const setStatus = (id: string, status: string) => api.send<Data<Batch>>('PATCH', `/api/batches/${id}`, { status });
const until = (id: string, holds: (batch: Batch) => boolean) => eventually(() => read(id), holds, LONG_MS);

test(
  'a batch waits, is started, shows its progress, ends with results, and tells what it cost',
  async () => {
    const data = Array.from({ length: 60 }, (_, n) => ({ id: `user-${n}`, durationMs: 600, ...(n === 30 && { fail: 'permanent' }) }));
    const config = { maxConcurrentJobs: 6, retryAttempts: 2, notificationSettings: { onComplete: true, progressInterval: 25 } };
    const batch = await create(data, { priority: 'high', config });
    expect(batch).toMatchObject({ status: 'pending', progress: 0, totalItems: 60, config });
    expect(await read(batch.id)).toMatchObject({ status: 'pending', startedAt: null });

    const started = await setStatus(batch.id, 'running');
    expect([started.status, started.body.data.status]).toEqual([200, 'running']);

    const seen: number[] = [];
    const done = await until(batch.id, ({ progress, status }) => {
      seen.push(progress);
      return status === 'completed';
    });
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(seen.some((progress) => progress > 0 && progress < 100)).toBe(true);
    expect(done).toMatchObject({
      progress: 100,
      processedItems: 60,
      failedItems: 1,
      results: { successful: 59, failed: 1, cancelled: 0 },
      errors: [{ jobId: `${batch.id}:31`, severity: 'high', context: { key: 'user-30' } }],
    });

    const jobs = (await api.get<Data<{ status: string }[]>>(`/api/batches/${batch.id}/jobs`)).body.data;
    expect(jobs.map(({ status }) => status)).toEqual(data.map((_, n) => (n === 30 ? 'failed' : 'completed')));

    const metrics = await eventually(
      async () => (await api.get<Data<Record<string, number>[]>>(`/api/batches/${batch.id}/metrics?source=worker`)).body.data,
      (samples) => samples.at(-1)?.processedItems === 60,
      LONG_MS,
    );
    expect(metrics.length).toBeGreaterThan(1);
    for (const sample of metrics) {
      expect(sample.memoryUsage).toBeGreaterThan(10);
      expect(sample.cpuUsage).toBeGreaterThanOrEqual(0);
      expect(sample.diskUsage ?? 0).toBeLessThanOrEqual(100);
      expect(sample.process).toMatch(new RegExp(`:${service.pid}$`));
    }
    expect(metrics.some(({ throughput }) => throughput! > 0)).toBe(true);
    expect(metrics.map(({ processedItems }) => processedItems)).toEqual(
      metrics.map(({ processedItems }) => processedItems).sort((a, b) => a! - b!),
    );
    const stats = (await api.get<Data<object>>('/api/batches/stats?dialect=batch-service')).body.data;
    expect(stats).toMatchObject({ byPriority: { high: 1 }, successfulItems: 59, failedItems: 1 });
  },
  2 * LONG_MS,
);

test(
  'a batch is paused, goes on, is cancelled, and is deleted',
  async () => {
    const { id } = await create(
      Array.from({ length: 1_000 }, () => ({ durationMs: 100 })),
      { config: { maxConcurrentJobs: 4 } },
    );
    await setStatus(id, 'running');
    await until(id, ({ processedItems }) => processedItems > 0);
    expect((await api.post<Data<Batch>>(`/api/batches/${id}/pause`)).body.data.status).toBe('paused');
    const refused = await setStatus(id, 'retrying');
    expect(refused.status).toBe(409);
    expect((refused.body as unknown as Problem).message).toContain('its status can be set to running or cancelled');
    const paused = await until(id, (batch) => batch.status === 'paused');
    expect((await setStatus(id, 'running')).body.data.status).toBe('running');
    await until(id, ({ processedItems }) => processedItems > paused.processedItems + 4);
    expect((await api.delete<Problem>(`/api/batches/${id}`)).status).toBe(409);
    expect((await setStatus(id, 'cancelled')).body.data.status).toBe('cancelled');
    const cancelled = await until(id, ({ completedAt }) => completedAt !== undefined);
    expect(cancelled.progress).toBeLessThan(100);
    expect(cancelled.results!.successful + cancelled.results!.failed + cancelled.results!.cancelled).toBe(1_000);
    expect((await api.delete(`/api/batches/${id}`)).status).toBe(200);
    expect((await api.get(`/api/batches/${id}`)).status).toBe(404);
  },
  2 * LONG_MS,
);

test(
  'failed jobs are tried again, one alone and all together, in runs of their own',
  async () => {
    const { id } = await create([{ fail: 'permanent' }, {}, { fail: 'retryable', times: 1 }], { config: { retryAttempts: 1 } });
    await setStatus(id, 'running');
    const first = await until(id, ({ completedAt }) => completedAt !== undefined);
    expect(first).toMatchObject({ status: 'completed', failedItems: 1, errors: [{ jobId: `${id}:1` }] });
    expect((await api.post(`/api/batches/${id}/jobs/${id}:1/retry`)).status).toBe(200);
    await until(id, ({ completedAt }) => completedAt !== undefined);
    const all = await setStatus(id, 'retrying');
    expect([all.status, all.body.data.totalItems]).toEqual([200, 3]);
    const last = await until(id, ({ completedAt }) => completedAt !== undefined);
    expect(last).toMatchObject({ status: 'completed', progress: 100, processedItems: 3, failedItems: 1, errors: [{ jobId: `${id}:1` }] });
    const events = (await api.get<Data<{ run: number; type: string }[]>>(`/api/batches/${id}/events`)).body.data;
    expect(events.filter(({ type }) => type === 'batch.completed').map(({ run }) => run)).toEqual([1, 2, 3]);
  },
  2 * LONG_MS,
);

test(
  'a batch of a type that nobody here does is worked from outside',
  async () => {
    const batch = await create([{ id: 1 }, { id: 2 }], { type: 'user-processing' });
    await setStatus(batch.id, 'running');
    const first = await api.post<Data<Batch>>(`/api/batches/${batch.id}/results`, { key: '2', success: true, output: { ok: true } });
    expect(first.body.data).toMatchObject({ status: 'running', progress: 50 });
    const last = await api.post<Data<Batch>>(`/api/batches/${batch.id}/results`, { key: '1', success: false, error: 'no such user' });
    expect(last.body.data).toMatchObject({
      status: 'completed',
      progress: 100,
      errors: [{ jobId: `${batch.id}:1`, message: 'no such user' }],
    });
  },
  LONG_MS,
);
