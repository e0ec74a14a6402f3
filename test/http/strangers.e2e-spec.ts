import { Api, type Problem } from '../contracts/api.js';
import { DashboardClient } from '../realtime/dashboard-client.js';
import { Listener } from '../realtime/listener.js';
import { sendRaw } from '../support/raw-http.js';
import { startTestService, type TestService } from '../support/service.js';
import { formOf } from '../support/upload.js';
import { problemOf } from './orders-app.js';

const EVIL = 'http://evil.example';
const DEV = 'http://localhost:5173';

let service: TestService;

describe('in open access', () => {
  beforeAll(async () => (service = await startTestService({ ALLOWED_HOSTS: 'batch.example' })));
  afterAll(() => service.close());

  const askFor = (host: string, method = 'GET', path = '/api/batches') =>
    sendRaw(service.url, `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 0\r\n\r\n`);

  const batches = async () => (await new Api(service.url).get<{ data: object[] }>('/api/batches')).body.data.length;

  test.each([
    'evil.example',
    'evil.example:3000',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '10.1.2.3',
    '[2001:db8::1]',
    'user@evil.example',
    '',
  ])('a request for the host %j is refused', async (host) => {
    for (const path of ['/', '/api/batches', '/docs', '/health/live', '/nowhere'])
      expect(problemOf(await askFor(host, 'GET', path))).toMatchObject({ status: 403, message: expect.stringMatching(/ALLOWED_HOSTS/) });
    expect((await askFor(host, 'GET', '/trpc/batch.list')).status).toBe(403);
  });

  test.each([
    'localhost',
    'LOCALHOST:3000',
    '127.0.0.1:3000',
    '127.0.0.9',
    '[::1]:3000',
    'app.localhost',
    'devbox:3000',
    'batch.example',
    'Batch.Example:443',
  ])('a request for the host %j is answered', async (host) => {
    expect((await askFor(host)).status).toBe(200);
  });

  test('sockets of a foreign host are refused, whatever page it says it is', async () => {
    const headers = { host: 'evil.example', origin: 'http://evil.example' };
    await expect(DashboardClient.connect(service.url, 'userId=ada', { headers })).rejects.toThrow('403');
    await expect(Listener.connect(service.url, { transports: ['websocket'], extraHeaders: headers })).rejects.toThrow();
    await expect(Listener.connect(service.url, { transports: ['polling'], extraHeaders: headers })).rejects.toThrow();
  });

  test('a foreign page changes nothing, whatever it sends', async () => {
    const before = await batches();
    const create = JSON.stringify({ operation: 'noop', items: ['a'] });
    const form = formOf([{ name: 'a.csv', bytes: Buffer.from('a,b\n1,2\n') }]);
    const bodies: [path: string, body: string | FormData, type?: string][] = [
      ['/api/batches', create, 'application/json'],
      ['/api/batches', create, 'text/plain'],
      ['/api/batch/create', create, 'application/x-www-form-urlencoded'],
      ['/api/batch/upload', form],
      ['/api/files', form],
      ['/trpc/batch.create', create, 'application/json'],
      ['/api/records/menu/import', 'a\n1\n', 'text/csv'],
    ];
    const pages = [
      { origin: EVIL },
      { origin: 'null' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'same-site' },
      { origin: EVIL, 'sec-fetch-site': 'same-origin' },
    ];
    for (const page of pages as Record<string, string>[]) {
      for (const [path, body, type] of bodies) {
        const headers = { ...page, ...(type && { 'content-type': type }) };
        const answer = await fetch(service.url + path, { method: 'POST', body, headers });
        expect({ path, page, status: answer.status }).toEqual({ path, page, status: 403 });
        expect(answer.headers.get('access-control-allow-origin')).toBeNull();
      }
      for (const method of ['DELETE', 'PATCH', 'PUT'])
        expect((await fetch(`${service.url}/api/batches/x`, { method, headers: page })).status).toBe(403);
    }
    expect(await batches()).toBe(before);
  });

  test('programs, own pages and pages of this machine go on', async () => {
    const create = JSON.stringify({ operation: 'noop', items: ['a'] });
    for (const page of [
      {},
      { origin: service.url },
      { origin: DEV },
      { 'sec-fetch-site': 'none' },
      { 'sec-fetch-site': 'same-origin' },
    ] as Record<string, string>[]) {
      const headers = { ...page, 'content-type': 'application/json' };
      expect((await fetch(`${service.url}/api/batches`, { method: 'POST', body: create, headers })).status).toBe(201);
    }
    // A link from a foreign page may be followed.
    expect((await fetch(`${service.url}/docs`, { headers: { 'sec-fetch-site': 'cross-site' } })).status).toBe(200);
  });

  test('pages of this machine may read the answers, foreign ones not', async () => {
    const preflight = (origin: string) =>
      fetch(`${service.url}/api/batches`, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' },
      });
    const allowed = async (answer: Promise<Response>) => (await answer).headers.get('access-control-allow-origin');
    for (const origin of [DEV, 'http://127.0.0.1:8080', 'http://[::1]:1', 'https://app.localhost']) {
      expect(await preflight(origin)).toMatchObject({ status: 204 });
      expect(await allowed(preflight(origin))).toBe(origin);
      expect(await allowed(fetch(`${service.url}/api/batches`, { headers: { origin } }))).toBe(origin);
      expect(await allowed(fetch(`${service.url}/socket.io/?EIO=4&transport=polling`, { headers: { origin } }))).toBe(origin);
      expect(await allowed(fetch(`${service.url}/trpc/batch.list`, { headers: { origin } }))).toBe(origin);
      (await DashboardClient.connect(service.url, 'userId=ada', { origin })).close();
    }
    expect(await preflight(EVIL)).toMatchObject({ status: 404 });
    expect(await allowed(fetch(`${service.url}/api/batches`, { headers: { origin: EVIL } }))).toBeNull();
    expect(await allowed(fetch(`${service.url}/socket.io/?EIO=4&transport=polling`, { headers: { origin: EVIL } }))).toBeNull();
  });
});

test('with keys any host and page may ask, as neither brings a key of its own', async () => {
  const KEY = 'acme-key-0123456789';
  service = await startTestService({ API_KEYS: `acme:${KEY}` });
  const text = `POST /api/batches HTTP/1.1\r\nHost: batch.example\r\nOrigin: ${EVIL}\r\nContent-Type: application/json\r\n`;
  const body = JSON.stringify({ operation: 'noop', items: ['a'] });
  expect((await sendRaw(service.url, `${text}Content-Length: ${body.length}\r\n\r\n${body}`)).status).toBe(401);
  expect((await sendRaw(service.url, `${text}x-api-key: ${KEY}\r\nContent-Length: ${body.length}\r\n\r\n${body}`)).status).toBe(201);
  await service.close();

  service = await startTestService({ API_KEYS: `acme:${KEY}`, ALLOWED_HOSTS: 'batch.example' });
  const { status, body: refused } = await new Api(service.url, { 'x-api-key': KEY }).get<Problem>('/api/batches');
  expect({ status, refused }).toMatchObject({ status: 200 });
  expect((await sendRaw(service.url, 'GET /api/batches HTTP/1.1\r\nHost: other.example\r\n\r\n')).status).toBe(403);
  await service.close();
});
