import { Api, type Problem } from '../contracts/api.js';
import { DashboardClient } from '../realtime/dashboard-client.js';
import { Listener } from '../realtime/listener.js';
import { createRpcClient, refusalOf } from '../rpc/client.js';
import { RawClient, sendRaw } from '../support/raw-http.js';
import { startTestService, type TestService } from '../support/service.js';

const KEY = 'acme-key-0123456789';

describe('who asks is known before the body is read', () => {
  let service: TestService;

  beforeAll(async () => (service = await startTestService({ API_KEYS: `acme:${KEY}` })));
  afterAll(() => service.close());

  /** Only the beginning of a request whose body is never sent. */
  const headOf = (method: string, path: string, type: string, key = '') =>
    `${method} ${path} HTTP/1.1\r\nHost: x\r\n${key}Content-Type: ${type}\r\nContent-Length: 1000000\r\n\r\n`;

  test('every route with a body, and every procedure, answers 401 while the body is still to come', async () => {
    const { paths } = (await (await fetch(`${service.url}/docs-json`)).json()) as { paths: Record<string, Record<string, object>> };
    const routes = Object.entries(paths)
      .flatMap(([path, methods]) =>
        Object.keys(methods).map((method) => ({ method: method.toUpperCase(), path: path.replaceAll(/\{\w+\}/g, 'x') })),
      )
      .filter(({ method }) => method !== 'GET');
    expect(routes.length).toBeGreaterThan(20);
    for (const { method, path } of [...routes, { method: 'POST', path: '/trpc/batch.create' }]) {
      for (const type of ['application/json', 'application/x-ndjson', 'multipart/form-data; boundary=b']) {
        const { status, headers } = await sendRaw(service.url, headOf(method, path, type));
        expect({ method, path, status, asks: headers['www-authenticate'] }).toEqual({
          method,
          path,
          status: 401,
          asks: 'Bearer realm="batchwise"',
        });
      }
    }
  });

  test('a body that comes all the same is thrown away, and what is no JSON is not told', async () => {
    const api = new Api(service.url);
    expect((await api.sendText('/api/batches', '{"broken', 'application/json')).status).toBe(401);
    expect((await api.post('/api/batches', { operation: 'noop', items: ['x'.repeat(900_000)] })).status).toBe(401);
    expect((await api.post('/trpc/batch.create', { operation: 'x'.repeat(900_000) })).status).toBe(401);
    const large = await fetch(`${service.url}/api/files`, { method: 'POST', body: new Uint8Array(30_000_000) }).catch(
      (error: Error) => error,
    );
    // A client that does not read before it has sent all is cut off in time.
    expect(large instanceof Response ? large.status : 401).toBe(401);
  });

  test('a connection is kept for the next request after a body that was thrown away', async () => {
    const client = await RawClient.connect(service.url);
    client.write(
      `POST /api/batches HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 500000\r\n\r\n${'x'.repeat(500_000)}`,
    );
    expect((await client.answer()).status).toBe(401);
    client.write(`GET /api/batches HTTP/1.1\r\nHost: x\r\nx-api-key: ${KEY}\r\nConnection: close\r\n\r\n`);
    await client.closed();
    expect(client.answers.map(({ status }) => status)).toEqual([401, 200]);
  });

  test('what is no route is 404 at once', async () => {
    expect((await sendRaw(service.url, headOf('POST', '/nowhere', 'application/json'))).status).toBe(404);
  });
});

describe('wrong credentials are counted by the address they come from', () => {
  let service: TestService;

  beforeAll(async () => (service = await startTestService({ API_KEYS: `acme:${KEY}`, FAILED_CREDENTIALS_PER_MINUTE: '5' })));
  afterAll(() => service.close());

  const wrong = { 'x-api-key': 'wrong-key-0123456789' };

  test('after so many in a minute they are told to wait, through every door, and right ones still pass', async () => {
    const mallory = new Api(service.url, wrong);
    for (let n = 0; n < 5; n += 1) expect((await mallory.get('/api/batches')).status).toBe(401);

    const refused = await mallory.get<Problem>('/api/batches');
    expect(refused).toMatchObject({
      status: 429,
      body: { success: false, message: expect.stringMatching(/more than 5 wrong API keys .* 127\.0\.0\.1/) },
    });
    const seconds = Number(refused.headers.get('retry-after'));
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(60);
    expect(await refusalOf(createRpcClient(service.url, wrong).batch.list.query({}))).toMatchObject({
      data: { httpStatus: 429, code: 'TOO_MANY_REQUESTS' },
    });
    await expect(Listener.connect(service.url, { auth: { token: 'wrong-key-0123456789' } })).rejects.toMatchObject({
      data: { statusCode: 429 },
    });
    const dashboard = await DashboardClient.connect(service.url, 'userId=ada&token=wrong-key-0123456789');
    expect(await dashboard.closed()).toMatchObject({ code: 4429, reason: expect.stringMatching(/^more than 5 wrong API keys/) });

    expect((await new Api(service.url, { 'x-api-key': KEY }).get('/api/batches')).status).toBe(200);
    (await Listener.connect(service.url, { auth: { apiKey: KEY } })).close();
    // None at all are no attempt.
    expect((await new Api(service.url).get('/api/batches')).status).toBe(401);
  });
});
