import { AddItems } from '../../src/batches/commands/add-items.command.js';
import { CreateBatch } from '../../src/batches/commands/create-batch.command.js';
import { StartBatch } from '../../src/batches/commands/start-batch.command.js';
import { itemsFromArray } from '../../src/batches/item-source.js';
import { Procedures } from '../../src/common/procedure.js';
import { BatchProcessingService } from '../../src/dialects/batch-service/batch-processing-service.js';
import { type BatchResource } from '../../src/dialects/batch-service/batch-resource.js';
import type { Batch, BatchConfig, BatchMetrics, HookBatchJob } from '../../src/dialects/batch-service/index.js';
import { startTestService, type TestService } from '../support/service.js';
import { assertInvariants } from '../support/invariants.js';
import { Api, ISO_TIME, type Problem, until } from './api.js';

const LONG_MS = 30_000;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

let service: TestService;
let batches: BatchProcessingService;
let api: Api;

beforeAll(async () => {
  service = await startTestService();
  batches = service.app.get(BatchProcessingService);
  api = new Api(service.url);
});

afterEach(() => assertInvariants(service.database));
afterAll(() => service.close());

const users = [
  { id: 1, name: 'User 1', action: 'process' },
  { id: 2, name: 'User 2', action: 'validate' },
];

/** A batch that this service works itself: items of 0 ms unless their data says otherwise. */
const noop = (data: unknown[], more: object = {}) => batches.createBatch({ name: 'Worked here', type: 'noop', data, ...more });

const ended = (id: string): Promise<Batch> =>
  until(
    async () => (await batches.getBatch(id))!,
    (batch) => batch.completedAt !== undefined,
    LONG_MS,
  );

describe('the samples of the document', () => {
  test('basic usage: created, started by its status, monitored', async () => {
    const batch = await batches.createBatch({
      name: 'My Batch',
      description: 'Process user data',
      type: 'user-processing',
      data: users,
      priority: 'high',
    });
    expect(batch).toEqual({
      id: expect.stringMatching(UUID),
      name: 'My Batch',
      description: 'Process user data',
      type: 'user-processing',
      status: 'pending',
      priority: 'high',
      createdAt: expect.any(Date),
      startedAt: undefined,
      completedAt: undefined,
      progress: 0,
      totalItems: 2,
      processedItems: 0,
      failedItems: 0,
      data: users,
      results: undefined,
      rollback: undefined,
      errors: [],
      warnings: [
        'priority has no effect: whoever records the results decides that',
        expect.stringContaining(
          `no item handler did user-processing when the batch was created: record results with POST /api/batches/${batch.id}/results`,
        ),
      ],
      config: expect.objectContaining({ maxConcurrentJobs: expect.any(Number), retryAttempts: 3 }),
    });

    const started = await batches.updateBatch(batch.id, { status: 'running' });
    expect(started).toMatchObject({ status: 'running', startedAt: expect.any(Date) });

    await batches.recordResult(batch.id, { key: '2', success: false, error: 'no such user', retries: 1 });
    const updatedBatch = await batches.getBatch(batch.id);
    expect(`Progress: ${updatedBatch!.progress}%`).toBe('Progress: 50%');
    expect(updatedBatch).toMatchObject({
      processedItems: 1,
      failedItems: 1,
      errors: [
        {
          jobId: `${batch.id}:2`,
          itemIndex: 1,
          message: 'no such user',
          severity: 'medium',
          context: { key: '2', attempts: 2, kind: 'external' },
          timestamp: expect.any(Date),
        },
      ],
    });

    await batches.recordResult(batch.id, { key: '1', success: true, output: { done: true } });
    expect(await batches.getBatch(batch.id)).toMatchObject({
      status: 'completed',
      progress: 100,
      completedAt: expect.any(Date),
      results: {
        successful: 1,
        failed: 1,
        skipped: 0,
        cancelled: 0,
        outputs: [{ jobId: `${batch.id}:1`, itemIndex: 0, key: '1', output: { done: true } }],
        summary: { total: 2, successRate: 0.5, duration: expect.any(Number), throughput: expect.any(Number) },
      },
    });
  });

  test('advanced configuration: all of it is taken, and what nobody keeps is warned of by name', async () => {
    const config: BatchConfig = {
      maxConcurrentJobs: 10,
      retryAttempts: 3,
      timeoutPerTemplate: 30000,
      rollbackOnFailure: true,
      backupStrategy: 'auto',
      conflictResolution: 'auto',
      notificationSettings: { onStart: true, onComplete: true, onError: true, progressInterval: 25 },
      resourceLimits: { timeout: 3600 },
    };
    const batch = await batches.createBatch({ name: 'Advanced Batch', data: ['a', 'b'], config });
    expect(batch).toMatchObject({ type: 'custom', status: 'pending', priority: 'medium', config, data: ['a', 'b'] });
    const idle = ['maxConcurrentJobs', 'timeoutPerTemplate', 'rollbackOnFailure', 'backupStrategy'];
    const told = (names: string[]): unknown[] => names.map((name) => expect.stringMatching(`^config.${name} has no effect: `));
    expect(batch.warnings).toEqual(expect.arrayContaining(told(idle)));
    expect(batch.warnings).toHaveLength(idle.length + 1);
    const { rows } = await service.database.pool.query<{ options: object }>('SELECT options FROM batch WHERE id = $1', [batch.id]);
    expect(rows[0]!.options).toMatchObject({
      concurrency: 10,
      retryAttempts: 3,
      timeout: 30_000,
      batchTimeout: 3_600_000,
      notifyOnStart: true,
      notifyOnComplete: true,
      notifyOnError: true,
      notifyProgressInterval: 25,
      rollbackOnFailure: true,
      backupStrategy: 'auto',
      conflictResolution: 'auto',
    });
    const whole = { ...config, resourceLimits: { maxMemory: 1024, maxCpu: 80, timeout: 3600 } };
    const limited = await batches.createBatch({ name: 'Advanced Batch', data: ['a'], config: whole });
    expect(limited).toMatchObject({ status: 'pending', config });
    expect(limited.warnings).toEqual(expect.arrayContaining(told([...idle, 'resourceLimits.maxMemory', 'resourceLimits.maxCpu'])));
  });

  test('the API routes: both answer success and data', async () => {
    const made = await api.post<{ success: true; data: { id: string } }>('/api/batches', {
      name: 'By HTTP',
      data: users,
      type: 'user-processing',
    });
    expect(made.status).toBe(201);
    expect(made.body).toEqual({
      success: true,
      data: expect.objectContaining({
        id: expect.stringMatching(UUID),
        name: 'By HTTP',
        type: 'user-processing',
        status: 'pending',
        priority: 'medium',
        createdAt: expect.stringMatching(ISO_TIME),
        startedAt: null,
        progress: 0,
        totalItems: 2,
        processedItems: 0,
        failedItems: 0,
        data: users,
        errors: [],
        warnings: [expect.any(String)],
        // the engine's own view of it
        dialect: 'batch-service',
        operation: 'user-processing',
        external: true,
        counts: expect.objectContaining({ total: 2, pending: 2 }),
      }),
    });
    const list = await api.get<{ success: true; data: { id: string; data: unknown[] }[] }>('/api/batches');
    expect([list.status, list.body.success]).toEqual([200, true]);
    expect(list.body.data[0]).toMatchObject({ id: made.body.data.id, data: users });
  });
});

describe('creation', () => {
  test('keys are the ids of the data when they are all there and distinct, else numbers', async () => {
    const keysOf = async (data: unknown[]) => (await batches.getJobsByBatchId((await noop(data)).id)).map(({ key }) => key);
    expect(await keysOf([{ id: 'b' }, { id: 'a' }])).toEqual(['b', 'a']);
    expect(await keysOf([{ id: 7 }, { id: '8' }])).toEqual(['7', '8']);
    expect(await keysOf([{ id: 7 }, { id: '7' }])).toEqual(['1', '2']);
    expect(await keysOf([{ id: 'x' }, { name: 'no id' }])).toEqual(['1', '2']);
    expect(await keysOf([{ id: { deep: 1 } }, { id: '' }])).toEqual(['1', '2']);
  });

  test('data may be any JSON', async () => {
    const data = ['text', 7, null, false, [1, [2]], { deep: { er: [] } }];
    const { id } = await batches.createBatch({ name: 'Anything', data });
    expect((await batches.getBatch(id))!.data).toEqual(data);
    expect((await batches.getJobsByBatchId(id)).map((job) => job.data)).toEqual(data);
  });

  test('a type with an item handler is worked by it, with its parameters, and only once it is started', async () => {
    const batch = await noop([{ output: 'own' }, {}], { config: { parameters: { durationMs: 1 } } });
    expect(batch).toMatchObject({ status: 'pending', warnings: [], config: { parameters: { durationMs: 1 } } });
    await batches.updateBatch(batch.id, { status: 'running' });
    expect(await ended(batch.id)).toMatchObject({
      status: 'completed',
      progress: 100,
      results: {
        successful: 2,
        outputs: [
          { key: '1', output: 'own' },
          { key: '2', output: null },
        ],
      },
    });
  });

  test('more side by side than the service does is taken as what it does, and told', async () => {
    const { config, warnings } = await noop(['a'], { config: { maxConcurrentJobs: 50_000 } });
    expect([config.maxConcurrentJobs, warnings]).toEqual([
      1_000,
      ['config.maxConcurrentJobs is 50000, and taken as 1000, which is the most'],
    ]);
  });

  test.each(['export', 'transform', 'report', 'validate', 'cleanup'])(
    'the type %s is refused while no item handler does it',
    async (type) => {
      const { status, body } = await api.post<Problem>('/api/batches', { name: 'Later', data: ['a'], type });
      expect([status, body.details.errors]).toMatchObject([
        422,
        [
          {
            path: 'type',
            message: `type: no item handler does ${type} here yet; register one, or say external: true and record its results yourself`,
          },
        ],
      ]);
    },
  );

  test('shows the first thousand items of a long batch and says so; a list shows a hundred', async () => {
    const { id } = await noop(Array.from({ length: 1_500 }, (_, n) => ({ n })));
    const batch = (await batches.getBatch(id))!;
    expect(batch.data).toHaveLength(1_000);
    expect(batch.data[999]).toEqual({ n: 999 });
    expect(batch.warnings).toEqual([expect.stringContaining('data shows the first 1000 of 1500 items')]);
    const listed = (await batches.getAllBatches()).find((each) => each.id === id)!;
    expect(listed.data).toHaveLength(100);
    expect(listed.warnings).toEqual([expect.stringContaining('data shows the first 100 of 1500 items')]);
    expect((await batches.getJobsByBatchId(id)).map(({ data }) => data)).toEqual(Array.from({ length: 1_500 }, (_, n) => ({ n })));
  });

  const good = { name: 'Good', data: ['a'] };
  test.each([
    ['no name', { data: ['a'] }, 'name', 'invalid_type'],
    ['an empty name', { ...good, name: '' }, 'name', 'too_small'],
    ['no data at all', { ...good, data: [] }, 'data', 'too_small'],
    ['data that is no list', { ...good, data: 'a' }, 'data', 'invalid_type'],
    ['a priority of another system', { ...good, priority: 'normal' }, 'priority', 'invalid_enum_value'],
    ['a type that is no text', { ...good, type: 5 }, 'type', 'invalid_type'],
    ['a misspelt field', { ...good, prioritty: 'high' }, 'prioritty', 'unrecognized_keys'],
    [
      'a parameter of a type that nobody here does',
      { ...good, config: { parameters: { speed: 1 } } },
      'config.parameters.speed',
      'unrecognized_keys',
    ],
    ['a field of the other kind of batch', { ...good, items: ['a'] }, 'items', 'unrecognized_keys'],
    ['an unknown setting', { ...good, config: { concurrency: 5 } }, 'config.concurrency', 'unrecognized_keys'],
    ['no concurrency', { ...good, config: { maxConcurrentJobs: 0 } }, 'config.maxConcurrentJobs', 'too_small'],
    ['half a retry', { ...good, config: { retryAttempts: 1.5 } }, 'config.retryAttempts', 'invalid_type'],
    ['a time limit in words', { ...good, config: { timeoutPerTemplate: '30s' } }, 'config.timeoutPerTemplate', 'invalid_type'],
    ['settings that are no object', { ...good, config: 'fast' }, 'config', 'invalid_type'],
    [
      'an interval beyond the end',
      { ...good, config: { notificationSettings: { progressInterval: 101 } } },
      'config.notificationSettings.progressInterval',
      'too_big',
    ],
    ['an unknown way to back up', { ...good, config: { backupStrategy: 'tape' } }, 'config.backupStrategy', 'invalid_enum_value'],
    ['an unknown way out', { ...good, config: { conflictResolution: 'mine' } }, 'config.conflictResolution', 'invalid_enum_value'],
    ['half a rollback', { ...good, config: { rollbackOnFailure: 'yes' } }, 'config.rollbackOnFailure', 'invalid_type'],
    ['an unknown limit', { ...good, config: { resourceLimits: { disk: 1 } } }, 'config.resourceLimits.disk', 'unrecognized_keys'],
    [
      'a parameter that the handler does not know',
      { ...good, type: 'noop', config: { parameters: { speed: 1 } } },
      'config.parameters.speed',
      'unrecognized_keys',
    ],
    [
      'a wrong value for a parameter',
      { ...good, type: 'noop', config: { parameters: { durationMs: -1 } } },
      'config.parameters.durationMs',
      'too_small',
    ],
  ])('%s is refused', async (_what, body, path, code) => {
    const count = async () => (await service.database.pool.query<{ n: number }>('SELECT count(*)::int AS n FROM batch')).rows[0]!.n;
    const before = await count();
    const { status, body: problem } = await api.post<Problem>('/api/batches', body);
    expect(status).toBe(400);
    expect(problem.details.errors).toMatchObject([{ path, code }]);
    expect(problem.message).toContain(path.split('.').at(-1)!);
    await expect(batches.createBatch(body as never)).rejects.toMatchObject({ code: 'INVALID_INPUT', details: { errors: [{ path }] } });
    expect(await count()).toBe(before);
  });

  test.each([
    [{ resourceLimits: { maxMemory: 1024 } }, 'config.resourceLimits.maxMemory'],
    [{ resourceLimits: { maxCpu: 80 } }, 'config.resourceLimits.maxCpu'],
  ])('%j is not kept for work outside or in the main thread: a warning says why, and the limit is not shown', async (config, path) => {
    for (const [type, why] of [
      [undefined, 'results come from outside'],
      ['noop', 'main thread'],
    ]) {
      const { status, body } = await api.post<{ data: BatchResource }>('/api/batches', { ...good, type, config });
      expect(status).toBe(201);
      expect(body.data.warnings).toContainEqual(expect.stringMatching(`^${path} has no effect: .*${why}`));
      expect([body.data.options.resourceLimits, body.data.config.resourceLimits]).toEqual([null, { timeout: null }]);
    }
  });

  test('limits of memory and CPU are kept for an operation that works in threads, and changed one by one', async () => {
    const limited = { ...good, type: 'analyze-document', config: { resourceLimits: { maxMemory: 1024, maxCpu: 80, timeout: 3600 } } };
    const { id, config } = await batches.createBatch(limited);
    expect(config.resourceLimits).toEqual({ maxMemory: 1024, maxCpu: 80, timeout: 3600 });
    const { rows } = await service.database.pool.query<{ options: object }>('SELECT options FROM batch WHERE id = $1', [id]);
    expect(rows[0]!.options).toMatchObject({ resourceLimits: { maxMemoryMb: 1024, maxCpuPercent: 80 }, batchTimeout: 3_600_000 });
    const change = async (resourceLimits: object) => (await batches.updateBatch(id, { config: { resourceLimits } }))!.config.resourceLimits;
    expect(await change({ maxCpu: 50 })).toEqual({ maxMemory: 1024, maxCpu: 50, timeout: 3600 });
    expect(await change({ maxMemory: null })).toEqual({ maxCpu: 50, timeout: 3600 });
  });

  test('what a batch changed in records can be taken back when it was told to save them', async () => {
    await api.send('PUT', '/api/records/stock/kept', { fields: { n: 1 } });
    const config = { rollbackOnFailure: true, parameters: { collection: 'stock' } };
    const { id } = await batches.createBatch({
      name: 'Stock',
      type: 'import',
      data: [
        { id: 'kept', n: 2 },
        { id: 'new', n: 3 },
      ],
      config,
    });
    expect(await batches.getBatch(id)).toMatchObject({ warnings: [], config: { rollbackOnFailure: true, conflictResolution: 'auto' } });
    await batches.updateBatch(id, { status: 'running' });
    await ended(id);
    expect((await api.get<{ data: object }>('/api/records/stock/kept')).body).toMatchObject({ data: { fields: { id: 'kept', n: 2 } } });
    expect((await api.post<{ data: object }>(`/api/batches/${id}/restore`)).body.data).toMatchObject({ restored: 1, removed: 1 });
    expect((await batches.getBatch(id))!.rollback).toMatchObject({ status: 'done', restored: 1, removed: 1 });
    expect((await api.get<{ data: object }>('/api/records/stock/kept')).body).toMatchObject({ data: { fields: { n: 1 } } });
    expect((await api.get('/api/records/stock/new')).status).toBe(404);
  });

  test('an item that cannot be stored is named by its place in the data', async () => {
    const data = ['fine', { text: 'x'.repeat(1_100_000) }];
    await expect(batches.createBatch({ name: 'Too large', data })).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(/^data\.1: an item may have at most 1048576 characters/),
      details: { errors: [{ path: 'data.1' }] },
    });
  });
});

describe('reading, changing and deleting', () => {
  test('getAllBatches: newest first, and only those made here', async () => {
    const tenant = batches.forTenant('lists');
    const ids: string[] = [];
    for (let n = 0; n < 3; n += 1) ids.unshift((await tenant.createBatch({ name: `Batch ${n}`, data: ['a'] })).id);
    expect((await tenant.getAllBatches()).map(({ id }) => id)).toEqual(ids);
    expect((await tenant.getAllBatchesForHook()).map(({ id }) => id)).toEqual(ids);
    await api.post('/api/batches', { operation: 'noop', items: ['a'], name: 'native' });
    expect((await batches.getAllBatches()).map(({ name }) => name)).not.toContain('native');
  });

  test('more batches than a page are all listed', async () => {
    const tenant = batches.forTenant('pages');
    for (let n = 0; n < 120; n += 1) await tenant.createBatch({ name: `Batch ${n}`, data: [n] });
    const all = await tenant.getAllBatches();
    expect(all.map(({ name }) => name)).toEqual(Array.from({ length: 120 }, (_, n) => `Batch ${119 - n}`));
    expect(all.map(({ data }) => data)).toEqual(Array.from({ length: 120 }, (_, n) => [119 - n]));
  });

  test('unknown ids, and those of another tenant, are null, false and empty', async () => {
    const { id } = await noop(['a']);
    const other = batches.forTenant('other');
    expect(await other.getBatch(id)).toBeNull();
    expect(await other.updateBatch(id, { status: 'running' })).toBeNull();
    expect(await other.deleteBatch(id)).toBe(false);
    expect(await other.getJobsByBatchId(id)).toEqual([]);
    expect(await other.getBatchMetrics(id)).toEqual([]);
    expect(await other.getBatchForHook(id)).toBeNull();
    await expect(other.recordMetrics(id, { memoryUsage: 1 })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect((await api.send('PATCH', '/api/batches/none', { status: 'running' })).status).toBe(404);
    expect((await api.get('/api/batches/none/jobs')).status).toBe(404);
    expect((await api.get('/api/batches/none/metrics')).status).toBe(404);
    expect((await api.get('/api/batches/none/stats')).status).toBe(404);
    expect(await batches.getBatch(id)).toMatchObject({ id, status: 'pending' });
  });

  test('the status a batch has already changes nothing', async () => {
    const { id } = await noop(['a']);
    expect(await batches.updateBatch(id, { status: 'pending' })).toMatchObject({ status: 'pending' });
    await batches.updateBatch(id, { status: 'running' });
    const done = await ended(id);
    expect(await batches.updateBatch(id, { status: 'completed' })).toEqual(done);
  });

  test('a status that the state does not allow is a conflict that says what is possible', async () => {
    const { id } = await noop(['a']);
    await expect(batches.updateBatch(id, { status: 'paused' })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: `batch ${id} is pending; its status can be set to running or cancelled`,
    });
    await expect(batches.updateBatch(id, { status: 'completed' })).rejects.toMatchObject({
      code: 'UNPROCESSABLE',
      details: { errors: [{ path: 'status' }] },
    });
    const answer = await api.send<Problem>('PATCH', `/api/batches/${id}`, { status: 'done' });
    expect([answer.status, answer.body.details.errors]).toMatchObject([400, [{ path: 'status', code: 'invalid_enum_value' }]]);
    expect(await batches.getBatch(id)).toMatchObject({ status: 'pending' });
  });

  test('pausing, going on and cancelling', async () => {
    const { id } = await noop(
      Array.from({ length: 200 }, () => ({ durationMs: 50 })),
      { config: { maxConcurrentJobs: 2 } },
    );
    await batches.updateBatch(id, { status: 'running' });
    expect(await batches.updateBatch(id, { status: 'paused' })).toMatchObject({ status: 'paused' });
    await expect(batches.deleteBatch(id)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await batches.updateBatch(id, { status: 'running' })).toMatchObject({ status: 'running' });
    expect(await batches.updateBatch(id, { status: 'cancelled' })).toMatchObject({ status: 'cancelled' });
    const batch = await ended(id);
    expect(batch.results).toMatchObject({ failed: 0, cancelled: 200 - batch.processedItems });
    const jobs = await batches.getJobsByBatchId(id);
    expect(jobs.at(-1)).toMatchObject({ status: 'skipped', error: 'the batch was stopped before this job was done' });
    expect(await batches.deleteBatch(id)).toBe(true);
    expect(await batches.getBatch(id)).toBeNull();
    expect(await batches.deleteBatch(id)).toBe(false);
  });

  test('while only retries are left it reads retrying', async () => {
    const { id } = await noop([{}, { fail: 'retryable' }]);
    await batches.updateBatch(id, { status: 'running' });
    const batch = await until(
      () => batches.getBatch(id),
      (found) => found?.status === 'retrying',
      LONG_MS,
    );
    expect(batch).toMatchObject({ processedItems: 1, failedItems: 0, progress: 50 });
    expect(await batches.updateBatch(id, { status: 'running' })).toMatchObject({ status: 'retrying' });
    expect((await batches.getBatchStats()).byStatus.retrying).toBe(1);
    const [, job] = await batches.getJobsByBatchId(id);
    expect(job!.status).toMatch(/^(retrying|running|pending)$/);
    await batches.updateBatch(id, { status: 'cancelled' });
    await ended(id);
  });

  test('name and description may be changed at any time', async () => {
    const { id } = await noop(['a'], { description: 'first' });
    expect(await batches.updateBatch(id, { name: 'Other', description: 'second' })).toMatchObject({ name: 'Other', description: 'second' });
    await batches.updateBatch(id, { status: 'running' });
    await ended(id);
    const patched = await api.send<{ data: object }>('PATCH', `/api/batches/${id}`, { name: 'Last', description: null });
    expect([patched.status, patched.body.data]).toMatchObject([200, { name: 'Last', description: null, status: 'completed' }]);
    expect(await batches.getBatch(id)).toMatchObject({ name: 'Last', description: undefined });
  });

  test('priority and config may be changed while it is pending, and only what is named changes', async () => {
    const { id } = await noop([{}], { config: { retryAttempts: 5, maxConcurrentJobs: 7 } });
    const changed = await batches.updateBatch(id, {
      priority: 'critical',
      config: { maxConcurrentJobs: 60, resourceLimits: { timeout: 90 } },
    });
    expect(changed).toMatchObject({
      status: 'pending',
      priority: 'critical',
      config: { retryAttempts: 5, maxConcurrentJobs: 60, resourceLimits: { timeout: 90 } },
    });
    const tooMany = await api.send<Problem>('PATCH', `/api/batches/${id}`, { config: { maxConcurrentJobs: 1_001 } });
    expect([tooMany.status, tooMany.body.details.errors.map(({ path }) => path)]).toEqual([400, ['config.maxConcurrentJobs']]);
    const both = await batches.updateBatch(id, { priority: 'low', status: 'running' });
    expect(both).toMatchObject({ priority: 'low', status: 'running' });
    await ended(id);
    await expect(batches.updateBatch(id, { config: { retryAttempts: 1 } })).rejects.toMatchObject({ code: 'CONFLICT' });
    expect((await batches.getBatch(id))!.config.retryAttempts).toBe(5);
  });

  test('the config of a reply can be sent back with other settings in it; null takes a limit away', async () => {
    const parameters = { durationMs: 1 };
    const limits = { notificationSettings: { progressInterval: 25 }, resourceLimits: { timeout: 90 } };
    const { id, config } = await noop([{}], { config: { ...limits, parameters } });
    expect((await batches.updateBatch(id, { config: { ...config, retryAttempts: 1 } }))!.config).toEqual({ ...config, retryAttempts: 1 });
    const without = { notificationSettings: { progressInterval: null }, resourceLimits: { timeout: null } };
    const patched = await api.send<{ data: Batch }>('PATCH', `/api/batches/${id}`, { config: without });
    expect([patched.status, patched.body.data.config]).toMatchObject([200, { ...without, parameters, retryAttempts: 1 }]);
    await batches.updateBatch(id, { status: 'running' });
    expect(await ended(id)).toMatchObject({ status: 'completed', config: without });
  });

  test('of the same status asked for at once, all answer that it is reached', async () => {
    const { id } = await noop([{ durationMs: 60_000 }]);
    const ask = (status: string) =>
      Promise.all(Array.from({ length: 4 }, () => api.send<{ data: Batch }>('PATCH', `/api/batches/${id}`, { status })));
    for (const status of ['running', 'paused', 'running', 'cancelled']) {
      expect((await ask(status)).map((answer) => [answer.status, answer.body.data?.status])).toEqual(Array(4).fill([200, status]));
    }
    const { rows } = await service.database.pool.query<{ type: string }>('SELECT type FROM batch_event WHERE batch_id = $1', [id]);
    for (const type of ['batch.started', 'batch.paused', 'batch.resumed'])
      expect(rows.filter((event) => event.type === type)).toHaveLength(1);
    await ended(id);
  });

  test('a change with a status that somebody else made impossible meanwhile is refused whole', async () => {
    for (let n = 0; n < 10; n += 1) {
      const { id } = await noop([{ durationMs: 60_000 }]);
      const [, changed] = await Promise.all([
        batches.updateBatch(id, { status: 'cancelled' }),
        api.send<Problem>('PATCH', `/api/batches/${id}`, { name: 'Other', status: 'running' }),
      ]);
      expect([200, 409]).toContain(changed.status);
      const batch = await batches.getBatch(id);
      expect(batch).toMatchObject({ status: 'cancelled', name: changed.status === 409 ? 'Worked here' : 'Other' });
      if (changed.status === 409) expect(changed.body.message).toContain(`batch ${id} is cancelled; `);
      await ended(id);
    }
  });

  test('what cannot be kept or changed is refused, and nothing is changed then', async () => {
    const { id } = await noop(['a']);
    const patch = (updates: object) => api.send<Problem>('PATCH', `/api/batches/${id}`, updates);
    const cases: [object, number, string][] = [
      [{ name: 'New', config: { resourceLimits: { maxCpu: 50 } } }, 422, 'config.resourceLimits.maxCpu'],
      [{ name: 'New', config: { parameters: { durationMs: 5 } } }, 422, 'config.parameters'],
      [{ name: 'New', config: { retryAttempts: -1 } }, 400, 'config.retryAttempts'],
      [{ name: 'New', priority: 'urgent' }, 400, 'priority'],
      [{ name: 'New', data: ['b'] }, 400, 'data'],
      [{ name: 'New', status: 'completed' }, 422, 'status'],
    ];
    for (const [updates, status, path] of cases) {
      const answer = await patch(updates);
      expect([answer.status, answer.body.details.errors]).toMatchObject([status, [{ path }]]);
    }
    expect((await patch({ name: 'New', status: 'paused' })).status).toBe(409);
    expect(await batches.getBatch(id)).toMatchObject({ name: 'Worked here', status: 'pending' });
  });

  test('retrying repeats the failed items of a batch that has ended, with all of their tries', async () => {
    const { id } = await noop([{ output: 1 }, { fail: 'permanent' }, { fail: 'permanent' }]);
    await expect(batches.updateBatch(id, { status: 'retrying' })).rejects.toMatchObject({ code: 'CONFLICT' });
    await batches.updateBatch(id, { status: 'running' });
    await ended(id);
    expect((await batches.updateBatch(id, { status: 'retrying' }))!.status).toMatch(/^(running|retrying)$/);
    const again = await ended(id);
    expect(again).toMatchObject({
      status: 'completed',
      totalItems: 3,
      processedItems: 3,
      failedItems: 2,
      results: { successful: 1, failed: 2, outputs: [{ key: '1', output: 1 }], summary: { throughput: null } },
    });
    expect(again.errors.map(({ itemIndex }) => itemIndex)).toEqual([1, 2]);
    expect(again.warnings).toEqual([]);
    expect(await batches.getJobsByBatchId(id)).toMatchObject([
      { status: 'completed', result: 1 },
      { status: 'failed' },
      { status: 'failed' },
    ]);
    const fine = await noop([{}]);
    await batches.updateBatch(fine.id, { status: 'running' });
    await ended(fine.id);
    await expect(batches.updateBatch(fine.id, { status: 'retrying' })).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  test('a batch that ran out of time failed, and its errors say why', async () => {
    const { id } = await noop([{ durationMs: 60_000 }], { config: { resourceLimits: { timeout: 0.05 } } });
    await batches.updateBatch(id, { status: 'running' });
    expect(await ended(id)).toMatchObject({
      status: 'failed',
      errors: [
        { message: 'Job timeout exceeded', severity: 'critical', context: { kind: 'batch-timeout' } },
        { jobId: `${id}:1`, message: expect.stringContaining('when the batch was stopped'), context: { kind: 'interrupted', attempts: 0 } },
      ],
    });
    expect((await api.get<{ data: object }>(`/api/batches/${id}`)).body.data).toMatchObject({
      status: 'failed',
      reason: 'Job timeout exceeded',
    });
    expect(await batches.getJobsByBatchId(id)).toMatchObject([
      { status: 'skipped', error: 'the batch was stopped before this job was done' },
    ]);
    const found = await api.get<{ data: Batch[] }>('/api/batches?dialect=batch-service&status=failed');
    expect(found.body.data.map((batch) => batch.id)).toContain(id);
  });
});

describe('errors', () => {
  test('the severity follows from the kind of the error, and is one step higher when the whole batch failed', async () => {
    const severities = async (data: object[]) => {
      const { id } = await noop(data, { config: { retryAttempts: 0 } });
      await batches.updateBatch(id, { status: 'running' });
      return (await ended(id)).errors.map(({ context, severity }) => [context.kind, severity]);
    };
    const failing = [{ fail: 'permanent' }, { fail: 'retryable' }];
    expect(await severities([...failing, {}])).toEqual([
      ['permanent', 'high'],
      ['retryable', 'medium'],
    ]);
    expect(await severities(failing)).toEqual([
      ['permanent', 'critical'],
      ['retryable', 'high'],
    ]);
  });

  test('a hundred are shown, and a warning says how many there are', async () => {
    const { id } = await noop([...Array.from({ length: 130 }, () => ({ fail: 'permanent' })), {}]);
    await batches.updateBatch(id, { status: 'running' });
    const batch = await ended(id);
    expect(batch.errors.map(({ itemIndex }) => itemIndex)).toEqual(Array.from({ length: 100 }, (_, n) => n));
    expect(batch.warnings).toEqual([expect.stringContaining('errors shows 100 of 130 failed items')]);
  });
});

describe('jobs', () => {
  test('there is one for each data item, with its state and result', async () => {
    const { id } = await noop(
      [
        { id: 'good', output: [1] },
        { id: 'bad', fail: 'permanent' },
      ],
      { name: 'Two' },
    );
    const job = { batchId: id, progress: 0, retryCount: 0, maxRetries: 3, status: 'pending', result: undefined, error: undefined };
    expect(await batches.getJobsByBatchId(id)).toEqual([
      { ...job, id: `${id}:1`, name: 'Two 1', key: 'good', data: { id: 'good', output: [1] } },
      { ...job, id: `${id}:2`, name: 'Two 2', key: 'bad', data: { id: 'bad', fail: 'permanent' } },
    ]);
    await batches.updateBatch(id, { status: 'running' });
    await ended(id);
    expect(await batches.getJobsByBatchId(id)).toMatchObject([
      { id: `${id}:1`, status: 'completed', progress: 100, result: [1] },
      { id: `${id}:2`, status: 'failed', progress: 100, error: 'failed for good, as told' },
    ]);
    const page = await api.get<{ data: object[]; pagination: object }>(`/api/batches/${id}/jobs?limit=1&offset=1`);
    expect(page.body).toMatchObject({
      success: true,
      data: [{ id: `${id}:2`, status: 'failed' }],
      pagination: { total: 2, limit: 1, offset: 1, hasMore: false },
    });
  });

  test('retryJob tries a failed job once more while it has tries left, and nothing else', async () => {
    const { id } = await noop([{ fail: 'permanent' }, {}, { durationMs: 1, fail: 'permanent' }], { config: { retryAttempts: 1 } });
    expect(await batches.retryJob(`${id}:1`)).toBeNull();
    await batches.updateBatch(id, { status: 'running' });
    await ended(id);
    expect(await batches.retryJob(`${id}:2`)).toBeNull();
    expect(await batches.retryJob(`${id}:4`)).toBeNull();
    expect(await batches.retryJob('no job')).toBeNull();
    expect(await batches.forTenant('other').retryJob(`${id}:1`)).toBeNull();
    expect(await batches.getBatch(id)).toMatchObject({ status: 'completed', failedItems: 2 });

    expect(await batches.retryJob(`${id}:1`)).toMatchObject({ id: `${id}:1`, batchId: id });
    await ended(id);
    expect(await batches.getJobsByBatchId(id)).toMatchObject([
      { status: 'failed', retryCount: 1, maxRetries: 1 },
      { status: 'completed', retryCount: 0 },
      { status: 'failed', retryCount: 0 },
    ]);
    expect(await batches.retryJob(`${id}:1`)).toBeNull();
  });

  test('over HTTP a job that cannot be retried is 409 with the reason, and an unknown one 404', async () => {
    const { id } = await noop([{ fail: 'permanent' }, {}, { fail: 'permanent' }], { config: { retryAttempts: 1 } });
    const retry = (path: string) => api.post<Problem & { data: object }>(`/api/batches/${path}/retry`);
    await batches.updateBatch(id, { status: 'running' });
    await ended(id);
    const first = await retry(`jobs/${id}:1`);
    expect([first.status, first.body]).toMatchObject([200, { success: true, data: { id: `${id}:1` } }]);
    await ended(id);
    const second = await retry(`${id}/jobs/${id}:3`);
    expect([second.status, second.body]).toMatchObject([200, { success: true, data: { id: `${id}:3` } }]);
    await ended(id);
    const reasons: [string, number, string][] = [
      [`jobs/${id}:1`, 409, 'has used all of its 1 retries'],
      [`jobs/${id}:2`, 409, 'is completed; only a failed job can be retried'],
      [`jobs/${id}:9`, 404, 'there is no job'],
      ['jobs/nonsense', 404, 'there is no job'],
      [`other/jobs/${id}:1`, 404, 'is not one of batch other'],
    ];
    for (const [path, status, reason] of reasons) {
      const answer = await retry(path);
      expect([answer.status, answer.body.message]).toEqual([status, expect.stringContaining(reason)]);
    }
  });

  test('that are listed are found by their ids, also behind positions that a refused request had reserved', async () => {
    const procedures = service.app.get(Procedures);
    const caller = { tenant: 'default' };
    const { id } = await procedures.call(CreateBatch, { operation: 'noop', open: true }, caller);
    const add = (items: unknown[], seal = false) => procedures.call(AddItems, { batchId: id, source: itemsFromArray(items), seal }, caller);
    await add([{ payload: { fail: 'permanent' } }]);
    // Whole slices of it are written before the wrong one comes.
    await expect(add([...Array<object>(5_000).fill({}), { key: 7 }])).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await add([{ payload: {} }, { payload: { fail: 'permanent' } }], true);
    await procedures.call(StartBatch, { batchId: id }, caller);
    await ended(id);
    const jobs = await batches.getJobsByBatchId(id);
    expect(jobs.map(({ status }) => status)).toEqual(['failed', 'completed', 'failed']);
    expect(jobs.at(-1)!.id).not.toBe(`${id}:3`);
    const found = await api.post<{ data: object }>(`/api/batches/jobs/${jobs.at(-1)!.id}/retry`);
    expect([found.status, found.body]).toMatchObject([200, { data: { id: jobs.at(-1)!.id } }]);
    await ended(id);
    expect((await api.post(`/api/batches/jobs/${id}:3/retry`)).status).toBe(404);
  });

  test('a failed job of a batch that is under way cannot be retried yet', async () => {
    const { id } = await noop([{ fail: 'permanent' }, { durationMs: 60_000 }]);
    await batches.updateBatch(id, { status: 'running' });
    await until(
      () => batches.getBatch(id),
      (batch) => batch?.failedItems === 1,
      LONG_MS,
    );
    await expect(batches.retryJob(`${id}:1`)).rejects.toMatchObject({ code: 'CONFLICT' });
    await batches.updateBatch(id, { status: 'cancelled' });
    await ended(id);
  });

  test('results from outside can be given again to jobs that failed', async () => {
    const { id } = await batches.createBatch({ name: 'Outside', data: [{ id: 'a' }, { id: 'b' }, { id: 'c' }] });
    await batches.recordResult(id, { key: 'c', success: true });
    await batches.recordResult(id, { key: 'b', success: false });
    await batches.recordResult(id, { key: 'a', success: false });
    expect(await batches.retryJob(`${id}:2`)).toMatchObject({ key: 'b' });
    await batches.recordResult(id, { key: 'b', success: true, output: 'now' });
    expect(await batches.getBatch(id)).toMatchObject({ status: 'completed', failedItems: 1, errors: [{ jobId: `${id}:1` }] });
    expect(await batches.getJobsByBatchId(id)).toMatchObject([
      { status: 'failed' },
      { status: 'completed', result: 'now' },
      { status: 'completed' },
    ]);
  });

  test('results from outside belong to the jobs of their keys, in whatever order they come', async () => {
    const { id } = await batches.createBatch({ name: 'Outside', type: 'elsewhere', data: [{ id: 'a' }, { id: 'b' }, { id: 'c' }] });
    await batches.recordResult(id, { key: 'c', success: true, output: 'C' });
    await batches.recordResult(id, { key: 'b', success: false, error: 'no' });
    expect(await batches.getJobsByBatchId(id)).toMatchObject([
      { key: 'a', status: 'pending' },
      { key: 'b', status: 'failed', error: 'no' },
      { key: 'c', status: 'completed', result: 'C' },
    ]);
    expect((await batches.getBatch(id))!.errors).toMatchObject([{ jobId: `${id}:2`, context: { key: 'b' } }]);
    await expect(batches.recordResult(id, { key: 'd', success: true })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('statistics, metrics and the hook', () => {
  test('getBatchStats adds up the batches made here', async () => {
    const tenant = batches.forTenant('statistics');
    const none = await tenant.getBatchStats();
    expect(none).toMatchObject({ total: 0, totalItems: 0, averageDuration: null, throughput: null, successRate: null });
    const { id } = await tenant.createBatch({ name: 'A', type: 'noop', priority: 'high', data: [{}, {}, {}, { fail: 'permanent' }] });
    await tenant.createBatch({ name: 'B', data: ['a'] });
    await tenant.updateBatch(id, { status: 'running' });
    await until(
      () => tenant.getBatch(id),
      (batch) => batch?.status === 'completed',
      LONG_MS,
    );
    const stats = await tenant.getBatchStats();
    expect(stats).toEqual({
      total: 2,
      byStatus: { pending: 1, running: 0, paused: 0, completed: 1, failed: 0, cancelled: 0, retrying: 0 },
      byPriority: { low: 0, medium: 1, high: 1, critical: 0 },
      byType: { noop: 1, custom: 1 },
      totalItems: 5,
      processedItems: 4,
      successfulItems: 3,
      failedItems: 1,
      skippedItems: 0,
      averageDuration: expect.any(Number),
      throughput: expect.any(Number),
      successRate: 0.75,
    });
    expect((await batches.forTenant('statistics-2').getBatchStats()).total).toBe(0);
  });

  test('over HTTP statistics are of all batches or of one interface, and of one batch', async () => {
    const { id } = await noop([{}, { fail: 'permanent' }]);
    await batches.updateBatch(id, { status: 'running' });
    await ended(id);
    const all = await api.get<{ data: { total: number } }>('/api/batches/stats');
    const own = await api.get<{ data: { total: number } }>('/api/batches/stats?dialect=batch-service');
    expect(all.body).toMatchObject({ success: true, data: { byStatus: { completed: expect.any(Number) } } });
    expect(own.body.data.total).toBeLessThan(all.body.data.total);
    expect((await api.get('/api/batches/stats?dialect=none')).status).toBe(400);
    expect((await api.get(`/api/batches/${id}/stats`)).body).toMatchObject({
      success: true,
      data: {
        batchId: id,
        status: 'completed',
        totalItems: 2,
        processedItems: 2,
        successfulItems: 1,
        failedItems: 1,
        successRate: 0.5,
        errors: [{ message: 'failed for good, as told', kind: 'permanent', count: 1 }],
      },
    });
  });

  test('recordMetrics keeps what it is given, in order, and getBatchMetrics tells it', async () => {
    const { id } = await noop(['a']);
    await batches.recordMetrics(id, { memoryUsage: 512, cpuUsage: 45.5, throughput: 10, queue: { length: 3 } });
    const answer = await api.post(`/api/batches/${id}/metrics`, { memoryUsage: 600 });
    expect([answer.status, answer.body]).toEqual([200, { success: true, data: { recorded: true } }]);
    const metrics: BatchMetrics[] = await batches.getBatchMetrics(id);
    const record = { batchId: id, source: 'caller', timestamp: expect.any(Date) };
    expect(metrics).toEqual([
      { ...record, memoryUsage: 512, cpuUsage: 45.5, throughput: 10, queue: { length: 3 } },
      { ...record, memoryUsage: 600 },
    ]);
    const page = await api.get<{ data: object[] }>(`/api/batches/${id}/metrics?source=caller&limit=1&offset=1`);
    expect(page.body).toMatchObject({
      data: [{ batchId: id, memoryUsage: 600, timestamp: expect.stringMatching(ISO_TIME) }],
      pagination: { total: 2, limit: 1, offset: 1, hasMore: false },
    });
    await batches.deleteBatch(id);
    const { rows } = await service.database.pool.query('SELECT FROM batch_metric WHERE batch_id = $1', [id]);
    expect(rows).toHaveLength(0);
  });

  test.each([
    ['without a figure', {}, 'metrics'],
    ['in words', { memoryUsage: 'much' }, 'memoryUsage'],
    ['below nothing', { cpuUsage: -1 }, 'cpuUsage'],
    ['with a time of their own', { timestamp: '2026-01-01' }, 'timestamp'],
    ['beyond 8 kB', { note: 'x'.repeat(9_000) }, 'metrics'],
    ['as a list', ['a'], 'body'],
  ])('metrics %s are refused', async (_what, metrics, path) => {
    const { id } = await noop(['a']);
    const { status, body } = await api.post<Problem>(`/api/batches/${id}/metrics`, metrics);
    expect([status, body.details.errors]).toMatchObject([400, [{ path }]]);
    expect(await batches.getBatchMetrics(id)).toEqual([]);
  });

  test('metrics as a stream are refused', async () => {
    const { id } = await noop(['a']);
    expect((await api.sendText(`/api/batches/${id}/metrics`, 'a,b', 'text/csv')).status).toBe(415);
  });

  test('the newest thousand records of a caller are kept', async () => {
    const { id } = await noop(['a']);
    await service.database.pool.query(
      `INSERT INTO batch_metric (batch_id, source, data) SELECT $1, 'caller', json_build_object('throughput', n) FROM generate_series(1, 1000) AS s (n)`,
      [id],
    );
    await batches.recordMetrics(id, { throughput: 1001 });
    const metrics = await batches.getBatchMetrics(id);
    expect(metrics.map(({ throughput }) => throughput)).toEqual(Array.from({ length: 1_000 }, (_, n) => n + 2));
  });

  test('the hook gets its own names: start, end, time remaining', async () => {
    const { id } = await noop([{}, { fail: 'permanent' }], { priority: 'critical' });
    await batches.updateBatch(id, { status: 'running' });
    await ended(id);
    const job: HookBatchJob = {
      id,
      name: 'Worked here',
      description: undefined,
      type: 'noop',
      status: 'completed',
      priority: 'critical',
      progress: 100,
      totalItems: 2,
      processedItems: 2,
      successfulItems: 1,
      failedItems: 1,
      skippedItems: 0,
      createdAt: expect.any(Date),
      startTime: expect.any(Date),
      endTime: expect.any(Date),
      duration: expect.any(Number),
      estimatedTimeRemaining: undefined,
      errors: [expect.objectContaining({ jobId: `${id}:2`, severity: 'high' })],
      warnings: [],
      config: expect.objectContaining({ retryAttempts: 3 }),
    };
    expect(await batches.getBatchForHook(id)).toEqual(job);
    expect((await batches.getAllBatchesForHook()).find((each) => each.id === id)).toEqual(job);
  });
});
