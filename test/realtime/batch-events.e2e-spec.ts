import type { ErpBatchReply, ErpCreatedReply, ErpVisualizationReply } from '../../src/dialects/erp/erp.reply.js';
import { Api, ISO_TIME, type Problem } from '../contracts/api.js';
import { eventually } from '../support/eventually.js';
import { startTestService, type TestService } from '../support/service.js';
import { type Heard, Listener } from './listener.js';

describe('batch events on sockets', () => {
  let service: TestService;
  let api: Api;
  let listener: Listener;

  beforeAll(async () => {
    service = await startTestService();
    api = new Api(service.url);
    listener = await Listener.connect(service.url);
  });

  afterAll(async () => {
    listener.close();
    await service.close();
  });

  const create = async (fields: object) =>
    (await api.post<ErpCreatedReply>('/api/batch/create', { operation: 'noop', ...fields })).body.batch;
  const finished = (id: string) =>
    eventually(
      () => api.get<ErpBatchReply>(`/api/batch/${id}`),
      ({ body }) => body.batch.completed_at !== undefined,
    );

  test('a batch tells of its creation, progress and end, without any subscription', async () => {
    const batch = await create({ filters: { count: 20 }, options: { durationMs: 20, concurrency: 5 }, name: 'Twenty' });
    await listener.until('batch:completed', batch.id);
    const heard = listener.of(batch.id);

    const created = heard.find(({ name }) => name === 'batch:created');
    expect(created?.payload).toEqual({ ...batch, created_at: expect.stringMatching(ISO_TIME) });

    const progress = heard.filter(({ name }) => name === 'batch:progress').map(({ payload }) => payload);
    for (const payload of progress) expect(Object.keys(payload).sort()).toEqual(['batchId', 'progress', 'status']);
    const percents = progress.map((payload) => payload.progress as number);
    expect(percents).toEqual([...percents].sort((a, b) => a - b));
    expect(progress.at(-1)).toEqual({ batchId: batch.id, progress: 100, status: 'completed' });

    const names = heard.map(({ name }) => name);
    expect(names.indexOf('batch:completed')).toBeGreaterThan(names.lastIndexOf('batch:progress'));
    expect(heard.find(({ name }) => name === 'batch:completed')?.payload).toEqual({ batchId: batch.id });
  });

  test('the events under their own names count without a gap, and every snapshot adds up', async () => {
    const { id } = await create({ filters: { count: 10 }, options: { durationMs: 10, concurrency: 2 } });
    await listener.until('batch.completed', id);
    const own = listener.of(id).filter(({ name }) => name.startsWith('batch.'));
    expect(own.map(({ payload }) => payload.seq)).toEqual(own.map((_, index) => index + 1));
    expect(own[0]?.name).toBe('batch.created');
    expect(own[1]?.name).toBe('batch.started');
    expect(own.at(-1)?.name).toBe('batch.completed');
    for (const { payload } of own) {
      const { total, ...parts } = payload.counts as Record<string, number>;
      expect(Object.values(parts).reduce((sum, part) => sum + part, 0)).toBe(total);
      expect(payload).toMatchObject({ batchId: id, run: 1, at: expect.stringMatching(ISO_TIME), status: expect.any(String) });
    }
    expect(own.at(-1)?.payload).toMatchObject({ progress: 100, status: 'completed', counts: { succeeded: 10, total: 10 } });
  });

  test("the React view's way: fetch, merge live progress, fetch the visualization at the end", async () => {
    const { id } = await create({ filters: { count: 30 }, options: { durationMs: 20, concurrency: 3 }, name: 'Watched' });
    let view: Record<string, unknown> = {};
    const socket = await Listener.connect(service.url);
    socket.socket.on('batch:progress', (update: { batchId: string }) => {
      if (update.batchId === id) view = { ...view, ...update };
    });
    view = { ...(await api.get<ErpBatchReply>(`/api/batch/${id}`)).body.batch };
    await eventually(
      () => view,
      ({ status }) => status === 'completed',
    );
    const viz = (await api.get<ErpVisualizationReply>(`/api/batch/${id}/viz`)).body.visualization;
    socket.close();
    expect(view).toMatchObject({ name: 'Watched', status: 'completed', progress: 100, id });
    expect(`${(viz.overview.successRate * 100).toFixed(2)}%`).toBe('100.00%');
    expect(viz.performanceMetrics.averageDuration).toBeGreaterThan(0);
  });

  test('the ends that have no name of their own in the ERP module come as a last progress', async () => {
    const failing = await create({ items: [{ payload: { fail: 'permanent' } }] });
    await listener.until('batch.failed', failing.id);
    const running = await create({ filters: { count: 5 }, options: { durationMs: 60_000 } });
    await listener.until('batch.started', running.id);
    await api.post(`/api/batch/${running.id}/cancel`);
    await listener.until('batch.cancelled', running.id);
    for (const [id, status] of [
      [failing.id, 'failed'],
      [running.id, 'cancelled'],
    ] as const) {
      const last = listener.of(id).filter(({ name }) => name === 'batch:progress');
      expect(last.at(-1)?.payload).toMatchObject({ batchId: id, status });
      expect(listener.names(id)).not.toContain('batch:completed');
    }
  });

  test('pausing and resuming show as "running" with and without paused', async () => {
    const { id } = await create({ filters: { count: 2000 }, options: { durationMs: 30, concurrency: 2 } });
    await listener.until('batch.started', id);
    await api.post(`/api/batches/${id}/pause`);
    await listener.until('batch.paused', id);
    expect((await api.get<ErpBatchReply>(`/api/batch/${id}`)).body.batch).toMatchObject({ status: 'running', paused: true });
    await api.post(`/api/batches/${id}/resume`);
    await listener.until('batch.resumed', id);
    expect((await api.get<ErpBatchReply>(`/api/batch/${id}`)).body.batch).not.toHaveProperty('paused');
    const told = listener.of(id).filter(({ name, payload }) => name === 'batch:progress' && 'paused' in payload);
    expect(told.map(({ payload }) => [payload.status, payload.paused])).toEqual([
      ['running', true],
      ['running', false],
    ]);
    await api.post(`/api/batch/${id}/cancel`);
    await finished(id);
  });

  test('a batch that asked for it sends one notification at its end', async () => {
    const asked = await create({ filters: { count: 2 }, options: { notifyOnComplete: true }, name: 'Two' });
    const silent = await create({ filters: { count: 2 } });
    await listener.until('batch.completed', silent.id);
    const { payload } = await listener.until('batch.notification', asked.id);
    const message = 'Two completed: 2 of 2 succeeded, 0 failed';
    expect(payload).toEqual({ batchId: asked.id, name: 'Two', kind: 'ended', status: 'completed', progress: 100, message });
    expect(listener.names(asked.id).filter((name) => name === 'batch.notification')).toHaveLength(1);
    expect(listener.names(silent.id)).not.toContain('batch.notification');
  });

  test('a new socket is sent nothing until something happens', async () => {
    const quiet = await Listener.connect(service.url);
    const answer = (await quiet.socket.timeout(5_000).emitWithAck('batch.catchUp', { batchId: 'none' })) as Problem;
    expect(answer).toMatchObject({ success: false, statusCode: 404 });
    expect(quiet.heard).toEqual([]);
    quiet.close();
  });

  test('a socket that was away catches up with exactly what it missed', async () => {
    const { id } = await create({ filters: { count: 10 }, options: { durationMs: 10 } });
    await listener.until('batch.completed', id);
    const catchUp = (message: unknown) => listener.socket.timeout(5_000).emitWithAck('batch.catchUp', message) as Promise<CatchUp>;
    const all = await catchUp({ batchId: id, afterSeq: 0 });
    const sent = listener.of(id).filter(({ name }) => name.startsWith('batch.'));
    expect(all).toMatchObject({ success: true, more: false });
    expect(all.events).toEqual(sent.map(({ payload }) => payload));
    const rest = await catchUp({ batchId: id, afterSeq: 1 });
    expect(rest.events).toEqual(all.events.slice(1));
    expect((await catchUp({ batchId: id, afterSeq: 10_000 })).events).toEqual([]);
    expect((await catchUp({ batchId: id })).events).toEqual(all.events);
  });

  test.each([[undefined], ['batch_1'], [[]], [{}], [{ batchId: 5 }], [{ batchId: 'x', afterSeq: -1 }], [{ batchId: 'x', more: true }]])(
    'a catch-up of %j is refused with the one error body',
    async (message) => {
      const answer = (await listener.socket.timeout(5_000).emitWithAck('batch.catchUp', message)) as Problem;
      expect(answer).toEqual({
        success: false,
        error: expect.any(String),
        message: expect.any(String),
        statusCode: 400,
        details: { errors: [expect.objectContaining({ path: expect.any(String) })] },
      });
    },
  );

  test('works over polling as well', async () => {
    const polling = await Listener.connect(service.url, { transports: ['polling'] });
    const { id } = await create({ filters: { count: 3 } });
    await polling.until('batch:completed', id);
    polling.close();
  });

  test('batches of every interface are told of', async () => {
    const { body } = await api.post<{ data: { id: string } }>('/api/batches', { operation: 'noop', items: ['a'] });
    await listener.until('batch:completed', body.data.id);
    expect(listener.names(body.data.id)).toEqual(expect.arrayContaining(['batch:created', 'batch.created', 'batch.completed']));
  });
});

interface CatchUp {
  success: true;
  more: boolean;
  events: Heard['payload'][];
}
