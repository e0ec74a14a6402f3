import { Client } from 'pg';
import { DashboardClient } from '../realtime/dashboard-client.js';
import { Listener } from '../realtime/listener.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { NativeClient } from '../support/native-client.js';
import { spawnService } from '../support/process.js';
import { RawClient } from '../support/raw-http.js';

let database: TestDatabase;

beforeEach(async () => (database = await createTestDatabase()));
afterEach(() => database.drop());

describe('SIGTERM in the middle of work', () => {
  it('lets items in flight finish, gives the rest back, and burns no attempt', async () => {
    const env = { DATABASE_URL: database.url, LEASE_MS: '60000', SHUTDOWN_GRACE_MS: '8000' };
    const first = await spawnService(env);
    const client = new NativeClient(first.url);
    const items = Array.from({ length: 120 }, (_, n) => ({ key: `${n}`, payload: { durationMs: 300 } }));
    const { id } = await client.create({ operation: 'noop', items, options: { concurrency: 20, batchSize: 30, retryAttempts: 0 } });
    await client.waitFor(id, (batch) => batch.counts.succeeded >= 20 && batch.counts.running > 0);

    expect(await first.end('SIGTERM')).toBe(0);

    // The lease is a minute: the lanes were given back, not taken over.
    const left = await rows(`SELECT lease_until::text FROM lane`);
    expect(left).toEqual([{ lease_until: '-infinity' }]);
    const second = await spawnService(env);
    client.url = second.url;
    const ended = await client.waitForEnd(id);
    expect(ended).toMatchObject({ status: 'completed', counts: { succeeded: 120, failed: 0 } });
    expect(await rows(`SELECT DISTINCT attempts FROM outcome`)).toEqual([{ attempts: 1 }]);
    expect(await rows(`SELECT sum(crashes)::int AS crashes FROM chunk`)).toEqual([{ crashes: 0 }]);
    expect(await second.end('SIGTERM')).toBe(0);
  }, 60_000);

  it('ends within the grace time although a handler ignores its signal, and the item runs again elsewhere', async () => {
    const env = { DATABASE_URL: database.url, LEASE_MS: '60000', SHUTDOWN_GRACE_MS: '2000', NOOP_FAULTS: 'true' };
    const first = await spawnService(env);
    const client = new NativeClient(first.url);
    const { id } = await client.create({ operation: 'noop', items: [{ key: 'hangs', payload: { hang: true } }, { key: 'works' }] });
    await client.waitFor(id, (batch) => batch.counts.succeeded === 1);

    // At the end of the grace time the process would end with 1.
    expect(await first.end('SIGTERM')).toBe(0);

    const second = await spawnService(env);
    client.url = second.url;
    await client.waitFor(id, (batch) => batch.counts.running === 1 && batch.counts.succeeded === 1);
    await second.end('SIGKILL');
  }, 60_000);

  it('ends at once at a second signal that comes a second later, or more', async () => {
    const service = await spawnService({ DATABASE_URL: database.url, SHUTDOWN_GRACE_MS: '60000', NOOP_FAULTS: 'true' });
    const client = new NativeClient(service.url);
    const { id } = await client.create({ operation: 'noop', items: [{ key: 'hangs', payload: { hang: true } }] });
    await client.waitFor(id, (batch) => batch.counts.running === 1);
    const ended = service.end('SIGTERM');
    await eventually(
      () => service.output(),
      (printed) => printed.includes('SIGTERM'),
    );
    const toldAt = performance.now();
    await eventually(() => performance.now() > toldAt + 1_100, Boolean);

    expect(await service.end('SIGTERM')).toBe(1);
    await ended;
  }, 60_000);
});

describe('SIGTERM with connections of every kind', () => {
  /** So long that who waits for its end does not end within the test. */
  const PATIENT = { SHUTDOWN_GRACE_MS: '600000', BODY_IDLE_MS: '600000' };

  it('ends by itself, and tells each what it can be told', async () => {
    const service = await spawnService({ DATABASE_URL: database.url, ...PATIENT });
    const client = new NativeClient(service.url);
    const { id } = await client.create({ operation: 'noop', open: true });
    const connect = () => RawClient.connect(service.url);
    const head = `POST /api/batches/${id}/items HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n`;

    const idle = await Promise.all([connect(), connect(), connect()]);
    const kept = await connect();
    await kept.write('GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n').answer();
    const halfHead = (await connect()).write(head);
    const halfBody = (await connect()).write(`${head}Content-Length: 1000\r\n\r\n{"key":"a"}\n`);
    const halfForm = (await connect()).write(
      'POST /api/files HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 1000\r\n\r\n--b\r\n',
    );
    const subscriber = (await connect()).write(
      `GET /trpc/batch.onEvent?input=${encodeURIComponent(JSON.stringify({ batchId: id }))} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`,
    );
    const dashboard = await DashboardClient.connect(service.url);
    const listeners = await Promise.all(
      ['websocket', 'polling'].map((transport) => Listener.connect(service.url, { transports: [transport] })),
    );
    const whole = listeners[0]!.socket.io.engine as unknown as { transport: { ws: WebSocket } };
    const code = new Promise((resolve) =>
      whole.transport.ws.addEventListener('close', (event) => resolve((event as { code: number }).code)),
    );
    await eventually(
      () => subscriber.text,
      (text) => text.includes('event: connected'),
    );

    expect(await service.end('SIGTERM')).toBe(0);
    expect(service.output()).not.toContain('not closed within');
    expect(await dashboard.closed()).toEqual({ code: 1001, reason: 'the service is shutting down' });
    expect(await code).toBe(1001);
    for (const half of [halfBody, halfForm])
      expect(await half.answer()).toMatchObject({ status: 503, body: expect.stringContaining('the service is shutting down') });
    await Promise.all([...idle, kept, halfHead, halfBody, halfForm, subscriber].map((each) => each.closed()));
    for (const listener of listeners) listener.close();
  }, 60_000);

  it('lets a request under way end, and closes connections with their answers while work drains', async () => {
    const service = await spawnService({ DATABASE_URL: database.url, ...PATIENT });
    const client = new NativeClient(service.url);
    const items = [{ key: 'a', payload: { durationMs: 3_000 } }];
    const { id } = await client.create({ operation: 'noop', items });
    await client.waitFor(id, (batch) => batch.counts.running === 1);
    const form = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n';
    const end = '\r\n--b--\r\n';
    const length = 1_000_000;
    const moving = (await RawClient.connect(service.url)).write(
      `POST /api/files HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: ${length}\r\nExpect: 100-continue\r\n\r\n${form}`,
    );
    await eventually(
      () => moving.text,
      (text) => text.includes('100 Continue'),
    );
    let sent = 0;
    const timer = setInterval(() => moving.write('x') && (sent += 1), 50);
    const ended = service.end('SIGTERM');
    await eventually(
      () => service.output(),
      (printed) => printed.includes('SIGTERM'),
    );

    const late = await RawClient.connect(service.url);
    const answer = await late.write('GET /health/ready HTTP/1.1\r\nHost: localhost\r\n\r\n').answer();
    expect(answer).toMatchObject({ status: 503, headers: { connection: 'close' } });
    await late.closed();
    clearInterval(timer);
    moving.write('x'.repeat(length - form.length - sent - end.length) + end);
    expect(await moving.answer()).toMatchObject({ status: 201, headers: { connection: 'close' } });
    expect(await ended).toBe(0);
  }, 60_000);
});

async function rows(query: string): Promise<object[]> {
  const connection = new Client({ connectionString: database.url });
  await connection.connect();
  const found = await connection.query<object>(query);
  await connection.end();
  return found.rows;
}
