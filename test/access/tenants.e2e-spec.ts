import { SignJWT } from 'jose';
import { Api, type Problem } from '../contracts/api.js';
import { Listener } from '../realtime/listener.js';
import { eventually } from '../support/eventually.js';
import { startTestService, type TestService } from '../support/service.js';

const ACME_KEY = 'acme-key-0123456789';
const GLOBEX_KEY = 'globex-key-0123456789';
const SECRET = 'a secret of at least thirty-two characters';

const token = (tenant: string, seconds: number) =>
  new SignJWT({ sub: 'ada', tenant, exp: Date.now() / 1000 + seconds })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(new TextEncoder().encode(SECRET));

interface Route {
  route: string;
  body?: object;
}

/** Every route that names a batch, with a body where one is needed. */
const BATCH_ROUTES: Route[] = [
  { route: 'GET /api/batch/:id' },
  { route: 'GET /api/batch/:id/results' },
  { route: 'GET /api/batch/:id/viz' },
  { route: 'POST /api/batch/:id/cancel' },
  { route: 'GET /api/batches/:id' },
  { route: 'DELETE /api/batches/:id' },
  { route: 'POST /api/batches/:id/items', body: { items: ['a'] } },
  { route: 'GET /api/batches/:id/items' },
  { route: 'POST /api/batches/:id/results', body: { key: 'a', success: true } },
  { route: 'POST /api/batches/:id/results/bulk', body: { results: [{ key: 'a', success: true }] } },
  { route: 'GET /api/batches/:id/results' },
  { route: 'GET /api/batches/:id/analytics' },
  { route: 'GET /api/batches/:id/events' },
  { route: 'POST /api/batches/:id/start' },
  { route: 'POST /api/batches/:id/pause' },
  { route: 'POST /api/batches/:id/resume' },
  { route: 'POST /api/batches/:id/cancel' },
];

const OTHER_ROUTES: Route[] = [
  { route: 'POST /api/batch/create', body: { operation: 'noop', items: ['a'] } },
  { route: 'GET /api/batch/history' },
  { route: 'GET /api/batch/stats' },
  { route: 'DELETE /api/batch/cleanup', body: { daysToKeep: 0 } },
  { route: 'POST /api/batches', body: { operation: 'noop', items: ['a'] } },
  { route: 'GET /api/batches' },
  { route: 'GET /api/records' },
  { route: 'DELETE /api/records/letters' },
  { route: 'DELETE /api/records/letters/1' },
  { route: 'GET /api/files' },
  { route: 'GET /api/files/x' },
  { route: 'GET /api/files/x/content' },
  { route: 'DELETE /api/files/x' },
  { route: 'GET /metrics' },
];

const partsOf = (route: string, id: string) => route.replace(':id', id).split(' ') as [method: string, path: string];

describe('with keys and tokens', () => {
  let service: TestService;
  let acme: Api;
  let globex: Api;

  beforeAll(async () => {
    service = await startTestService({ API_KEYS: `acme:${ACME_KEY},globex:${GLOBEX_KEY}`, JWT_SECRET: SECRET });
    acme = new Api(service.url, { 'x-api-key': ACME_KEY });
    globex = new Api(service.url, { authorization: `Bearer ${GLOBEX_KEY}` });
  });

  afterAll(() => service.close());

  const create = async (api: Api, name: string) => {
    const { body } = await api.post<{ batch: { id: string } }>('/api/batch/create', {
      operation: 'annotate',
      options: { externalResults: true },
      total_items: 2,
      name,
    });
    return body.batch.id;
  };

  const rows = async () => {
    const { rows: found } = await service.database.pool.query<{ rows: object }>(
      `SELECT json_build_object('batches', (SELECT json_agg(b ORDER BY id) FROM batch b), 'runs', (SELECT json_agg(r ORDER BY id) FROM run r),
         'outcomes', (SELECT count(*) FROM outcome), 'events', (SELECT count(*) FROM batch_event)) AS rows`,
    );
    return found[0]?.rows;
  };

  test.each([...BATCH_ROUTES, ...OTHER_ROUTES])('$route wants credentials, right ones', async ({ route, body }) => {
    const [method, path] = partsOf(route, 'batch_1_x');
    const before = await rows();
    const expired = await token('acme', -1);
    for (const headers of [{}, { 'x-api-key': 'wrong-key-0123456789' }, { authorization: `Bearer ${expired}` }] as Record<
      string,
      string
    >[]) {
      const answer = await new Api(service.url, headers).send<Problem>(method, path, body);
      expect(answer.status).toBe(401);
      expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="batchwise"');
      expect(answer.body).toEqual({
        success: false,
        error: expect.any(String),
        message: answer.body.error,
        statusCode: 401,
        details: { errors: [] },
      });
    }
    expect(await rows()).toEqual(before);
  });

  test('every route of the service is public on purpose, or closed', async () => {
    const { body } = await acme.get<{ paths: Record<string, Record<string, unknown>> }>('/docs-json');
    const open: string[] = [];
    for (const [path, methods] of Object.entries(body.paths)) {
      for (const method of Object.keys(methods)) {
        const { status } = await new Api(service.url).send(method.toUpperCase(), path.replaceAll(/\{\w+\}/g, 'x'));
        if (status !== 401) open.push(`${method} ${path}`);
      }
    }
    expect(open.sort()).toEqual(['get /health/live', 'get /health/ready']);
  });

  test.each(BATCH_ROUTES)('$route does not find the batch of another tenant, and leaves it as it is', async ({ route, body }) => {
    const id = await create(acme, 'secret plan');
    const before = await rows();
    const foreign = await globex.send<Problem>(...partsOf(route, id), body);
    const unknown = await globex.send<Problem>(...partsOf(route, 'batch_1_x'), body);
    expect(foreign.status).toBe(404);
    expect(JSON.stringify(foreign.body)).not.toContain('secret plan');
    expect(JSON.stringify(foreign.body).replaceAll(id, 'batch_1_x')).toBe(JSON.stringify(unknown.body));
    expect(await rows()).toEqual(before);
  });

  test('lists, counts and clean-up know only the own batches', async () => {
    const id = await create(acme, 'acme only');
    await acme.post(`/api/batches/${id}/results`, { key: 'a', success: true });
    await acme.post(`/api/batches/${id}/results`, { key: 'b', success: true });
    expect((await globex.get<{ count: number }>('/api/batch/history')).body.count).toBe(0);
    expect((await globex.get<{ stats: { total: number } }>('/api/batch/stats')).body.stats.total).toBe(0);
    expect((await globex.get<{ data: object[] }>('/api/batches')).body.data).toEqual([]);
    expect((await globex.delete<{ deleted: number }>('/api/batch/cleanup', { daysToKeep: 0 })).body.deleted).toBe(0);
    expect((await acme.get(`/api/batch/${id}`)).status).toBe(200);
  });

  test('a token works for the tenant it names, and its user is kept as the creator', async () => {
    const api = new Api(service.url, { authorization: `Bearer ${await token('initech', 60)}` });
    const id = await create(api, 'by token');
    const { body } = await api.get<{ data: { createdBy: string } }>(`/api/batches/${id}`);
    expect(body.data.createdBy).toBe('ada');
    expect((await acme.get(`/api/batches/${id}`)).status).toBe(404);
  });

  test('health and documentation need none', async () => {
    const nobody = new Api(service.url);
    expect((await nobody.get('/health/live')).status).toBe(200);
    expect((await nobody.get('/health/ready')).status).toBe(200);
    expect((await fetch(`${service.url}/docs`)).status).toBe(200);
  });

  describe('sockets', () => {
    test.each([
      ['none', {}],
      ['a wrong token', { auth: { token: 'wrong' } }],
      ['a wrong key', { extraHeaders: { 'x-api-key': 'wrong-key-0123456789' } }],
      ['something that is no text', { auth: { token: { a: 1 } } }],
    ])('are refused with %s, in the one error body', async (_what, options) => {
      await expect(Listener.connect(service.url, options)).rejects.toMatchObject({
        data: { success: false, statusCode: 401, error: expect.any(String), details: { errors: [] } },
      });
    });

    test.each([
      ['a key as token', { auth: { token: ACME_KEY } }],
      ['a key as apiKey', { auth: { apiKey: ACME_KEY } }],
      ['a key in the header', { extraHeaders: { 'x-api-key': ACME_KEY } }],
      ['a key as bearer', { extraHeaders: { authorization: `Bearer ${ACME_KEY}` } }],
    ])('connect with %s', async (_what, options) => {
      const listener = await Listener.connect(service.url, options);
      const id = await create(acme, 'for sockets');
      await listener.until('batch:created', id);
      listener.close();
    });

    test('hear only their own tenant, and catch up only with its batches', async () => {
      const own = await Listener.connect(service.url, { auth: { token: ACME_KEY } });
      const foreign = await Listener.connect(service.url, { auth: { token: GLOBEX_KEY } });
      const id = await create(acme, 'secret plan');
      const theirs = await create(globex, 'theirs');
      await acme.post(`/api/batches/${id}/results`, { key: 'a', success: true });
      await own.until('batch.progress', id);
      await foreign.until('batch.created', theirs);
      expect(foreign.of(id)).toEqual([]);
      expect(own.of(theirs)).toEqual([]);
      expect(JSON.stringify(foreign.heard)).not.toContain('secret plan');
      const answer = (await foreign.socket.timeout(5_000).emitWithAck('batch.catchUp', { batchId: id })) as Problem;
      expect(answer.statusCode).toBe(404);
      own.close();
      foreign.close();
    });

    test('end when their token does', async () => {
      const listener = await Listener.connect(service.url, { auth: { token: await token('acme', 2) } });
      await eventually(
        () => listener.socket.connected,
        (connected) => !connected,
      );
      listener.close();
    });
  });
});

test('a foreign page cannot open a socket to a service with open access', async () => {
  const service = await startTestService();
  await expect(Listener.connect(service.url, { extraHeaders: { origin: 'https://evil.example' } })).rejects.toThrow();
  await expect(
    Listener.connect(service.url, { transports: ['websocket'], extraHeaders: { origin: 'https://evil.example' } }),
  ).rejects.toThrow();
  (await Listener.connect(service.url, { extraHeaders: { origin: 'http://localhost:5173' } })).close();
  await service.close();
});
