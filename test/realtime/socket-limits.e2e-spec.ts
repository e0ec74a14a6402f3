import { WebSocket } from 'ws';
import { once } from 'node:events';
import { Api, type Problem } from '../contracts/api.js';
import { eventually } from '../support/eventually.js';
import { startTestService, type TestService } from '../support/service.js';
import { DashboardClient } from './dashboard-client.js';
import { Listener } from './listener.js';

const KEYS = { acme: 'acme-key-0123456789', globex: 'globex-key-0123456789' };

let service: TestService;

beforeAll(async () => {
  service = await startTestService({
    API_KEYS: `acme:${KEYS.acme},globex:${KEYS.globex}`,
    SOCKETS_PER_TENANT: '4',
    SUBSCRIPTIONS_PER_TENANT: '2',
    SOCKET_MESSAGES_PER_SECOND: '20',
  });
});
afterAll(() => service.close());

const listen = (apiKey: string, transports = ['websocket']) => Listener.connect(service.url, { auth: { apiKey }, transports });
const watch = (apiKey: string) => DashboardClient.connect(service.url, 'userId=ada', { headers: { 'x-api-key': apiKey } });

test('a tenant has so many sockets of both kinds, no other tenant is held up, and a closed one makes room', async () => {
  const listeners = [await listen(KEYS.acme), await listen(KEYS.acme, ['polling'])];
  const dashboards = [await watch(KEYS.acme), await watch(KEYS.acme)];
  await eventually(() => dashboards.every(({ socket }) => socket.readyState === WebSocket.OPEN), Boolean);

  for (const transport of ['websocket', 'polling']) {
    await expect(listen(KEYS.acme, [transport])).rejects.toMatchObject({
      data: { success: false, statusCode: 429, message: 'the tenant has 4 open sockets (SOCKETS_PER_TENANT) already; close some' },
    });
  }
  expect(await (await watch(KEYS.acme)).closed()).toEqual({
    code: 4429,
    reason: 'the tenant has 4 open sockets (SOCKETS_PER_TENANT) already; close some',
  });
  (await listen(KEYS.globex)).close();

  listeners[0]!.close();
  const next = await eventually(() => listen(KEYS.acme));
  dashboards[0]!.close();
  const last = await eventually(async () => {
    const dashboard = await watch(KEYS.acme);
    await once(dashboard.socket, 'close', { signal: AbortSignal.timeout(300) }).then(
      () => Promise.reject(new Error('closed')),
      () => {},
    );
    return dashboard;
  });
  for (const each of [next, last, listeners[1]!, dashboards[1]!]) each.close();
});

describe('messages that come too fast', () => {
  test('are refused one by one on Socket.IO, and the socket lives on', async () => {
    const listener = await listen(KEYS.acme);
    const ask = () => listener.socket.timeout(10_000).emitWithAck('batch.catchUp', { batchId: 'unknown' }) as Promise<Problem>;
    const answers = await Promise.all(Array.from({ length: 60 }, ask));
    const refused = answers.filter(({ message }) => message.startsWith('more than 20 messages a second (SOCKET_MESSAGES_PER_SECOND)'));
    expect(refused.length).toBeGreaterThan(20);
    expect(refused[0]).toMatchObject({ success: false, statusCode: 429 });
    const status = async () => (await ask()).statusCode;
    await eventually(status, (found) => found === 404, { withinMs: 15_000, pollMs: 200 });
    listener.close();
  });

  test.each(['websocket', 'polling'])('end a %s of Socket.IO when they are a flood', async (transport) => {
    const listener = await listen(KEYS.acme, [transport]);
    for (let n = 0; n < 10_000; n += 1) listener.socket.emit('anything', n);
    await eventually(
      () => listener.socket.connected,
      (connected) => !connected,
    );
    expect(await new Api(service.url, { 'x-api-key': KEYS.acme }).get('/api/batches')).toMatchObject({ status: 200 });
  });

  test('end the flood of a client that speaks Engine.IO by itself, before it has shown who it is', async () => {
    const socket = new WebSocket(`${service.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`);
    await once(socket, 'open');
    for (let n = 0; n < 10_000; n += 1) socket.send('40/nowhere,');
    const [code, reason] = (await once(socket, 'close')) as [number, Buffer];
    expect({ code, reason: reason.toString() }).toEqual({
      code: 4429,
      reason: 'more than 20 messages a second (SOCKET_MESSAGES_PER_SECOND)',
    });
  });

  test('end a socket of the dashboard stream, pings too', async () => {
    for (const flood of [(client: DashboardClient) => client.socket.send('x'), (client: DashboardClient) => client.socket.ping()]) {
      const client = await watch(KEYS.acme);
      for (let n = 0; n < 10_000; n += 1) flood(client);
      expect(await client.closed()).toEqual({ code: 4429, reason: 'more than 20 messages a second (SOCKET_MESSAGES_PER_SECOND)' });
    }
  });
});

test('messages that are too large end their socket', async () => {
  const listener = await listen(KEYS.acme);
  listener.socket.emit('batch.catchUp', 'x'.repeat(70_000));
  await eventually(
    () => listener.socket.connected,
    (connected) => !connected,
  );
  const client = await watch(KEYS.acme);
  client.socket.send('x'.repeat(5_000));
  expect(await client.closed()).toMatchObject({ code: 1009 });
});

test('a tenant has so many subscriptions, and a closed one makes room', async () => {
  const api = new Api(service.url, { 'x-api-key': KEYS.acme });
  const { body } = await api.post<{ data: { id: string } }>('/api/batches', { operation: 'noop', items: ['a'], start: false });
  const subscribe = async (apiKey = KEYS.acme) => {
    const input = encodeURIComponent(JSON.stringify({ batchId: body.data.id }));
    const abort = new AbortController();
    const answer = await fetch(`${service.url}/trpc/batch.onEvent?input=${input}`, {
      headers: { 'x-api-key': apiKey, accept: 'text/event-stream' },
      signal: abort.signal,
    });
    return { status: answer.status, text: () => answer.text(), close: () => abort.abort() };
  };
  const open = [await subscribe(), await subscribe()];
  expect(open.map(({ status }) => status)).toEqual([200, 200]);
  const refused = await subscribe();
  expect(await refused.text()).toContain('the tenant has 2 open subscriptions (SUBSCRIPTIONS_PER_TENANT) already; close some');
  open[0]!.close();
  await eventually(
    async () => {
      const next = await subscribe();
      next.close();
      return next.status;
    },
    (status) => status === 200,
  );
  open[1]!.close();
});
