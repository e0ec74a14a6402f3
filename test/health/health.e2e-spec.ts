import { Api, type Problem } from '../contracts/api.js';
import { HealthController } from '../../src/health/health.controller.js';
import { createTestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { startTestService, type TestService } from '../support/service.js';
import { TcpProxy } from '../support/tcp-proxy.js';

describe('health', () => {
  let service: TestService;
  let api: Api;

  beforeAll(async () => {
    service = await startTestService();
    api = new Api(service.url);
  });

  afterAll(() => service.close());

  test('live says that the process answers', async () => {
    expect(await api.get('/health/live')).toMatchObject({ status: 200, body: { status: 'ok' } });
  });

  test('ready looks at the database and the queue', async () => {
    const { status, body } = await api.get<object>('/health/ready');
    expect(status).toBe(200);
    expect(body).toMatchObject({ status: 'ok', details: { database: { status: 'up' }, queue: { status: 'up' } } });
  });

  test('metrics tell of memory, CPU and batch events', async () => {
    await api.post('/api/batches', { operation: 'noop', items: ['a', 'b'] });
    const read = async () => (await fetch(`${service.url}/metrics`)).text();
    const metrics = await eventually(read, (text) => text.includes('batchwise_batch_events_total{type="batch.completed"} 1'));
    expect(metrics).toMatch(/^batchwise_batch_events_total\{type="batch.created"\} 1$/m);
    for (const name of ['process_resident_memory_bytes', 'process_cpu_seconds_total', 'nodejs_eventloop_lag_seconds'])
      expect(metrics).toContain(name);
    const response = await fetch(`${service.url}/metrics`);
    expect(response.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
  });
});

test('without its database the service lives, is not ready, answers 503 with Retry-After, and comes back by itself', async () => {
  const database = await createTestDatabase();
  const { proxy, url } = await TcpProxy.to(database.url);
  const service = await startTestService({ DATABASE_URL: url });
  const api = new Api(service.url);
  expect((await api.get('/health/ready')).status).toBe(200);

  proxy.cut();
  for (const [method, path, body] of [
    ['GET', '/health/ready'],
    ['GET', '/api/batch/history'],
    ['GET', '/api/batches/x'],
    ['POST', '/api/batch/create', { operation: 'noop', items: ['a'] }],
  ] as const) {
    const answer = await api.send<Problem>(method, path, body);
    expect(answer.status).toBe(503);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(answer.body).toEqual({
      success: false,
      error: answer.body.message,
      message: expect.stringMatching(/^(?:the service is not ready: )?the database cannot be reached/),
      statusCode: 503,
      details: { errors: [] },
    });
  }
  expect((await api.get('/health/live')).status).toBe(200);

  proxy.mend();
  await eventually(
    () => api.get('/health/ready'),
    ({ status }) => status === 200,
  );
  expect((await api.get('/api/batch/history')).body).toMatchObject({ success: true, count: 0 });
  await service.close();
  proxy.close();
  await database.drop();
});

test('while it shuts down it is alive and not ready', async () => {
  const service = await startTestService();
  const api = new Api(service.url);
  service.app.get(HealthController).onModuleDestroy();
  const { status, body } = await api.get<Problem>('/health/ready');
  expect(status).toBe(503);
  expect(body.message).toBe('the service is shutting down');
  expect((await api.get('/health/live')).status).toBe(200);
  await service.close();
});
