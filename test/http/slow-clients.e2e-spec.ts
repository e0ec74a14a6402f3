import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { eventually, Gate } from '../support/eventually.js';
import { RawClient } from '../support/raw-http.js';
import { problemOf, startOrdersApp, waits } from './orders-app.js';

const HEAD = 'POST /orders/stream HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n';
const CHUNKED = `${HEAD}Transfer-Encoding: chunked\r\n\r\n`;

let app: NestFastifyApplication;
let url: string;
let clients: RawClient[];

beforeAll(async () => {
  ({ app, url } = await startOrdersApp({
    HEADERS_TIMEOUT_MS: '400',
    BODY_IDLE_MS: '400',
    BODY_MIN_BYTES_PER_SECOND: '1000',
    ANSWER_IDLE_MS: '400',
    KEEP_ALIVE_MS: '400',
  }));
});
beforeEach(() => (clients = []));
afterEach(() => clients.forEach((client) => client.destroy()));
afterAll(() => app.close());

const client = async (): Promise<RawClient> => {
  const opened = await RawClient.connect(url);
  clients.push(opened);
  return opened;
};

/** Writes again and again until the client is cut off, or the test ends it. */
const trickle = (to: RawClient, data: string, everyMs: number): (() => void) => {
  const timer = setInterval(() => to.socket.writable && to.write(data), everyMs);
  to.socket.once('close', () => clearInterval(timer));
  return () => clearInterval(timer);
};

test('two hundred connections that send slowly or nothing are all answered 408 and closed, and others are served beside them', async () => {
  const kinds = ['GET /a', 'GET /ord', HEAD, CHUNKED, `${HEAD}Content-Length: 1000000\r\n\r\nab`];
  const all = await Promise.all(
    Array.from({ length: 200 }, async (_, n) => {
      const slow = await client();
      slow.write(kinds[n % kinds.length]!);
      // Every second one sends a byte now and then.
      if (n % 2 === 1) trickle(slow, n % kinds.length === 3 ? '1\r\nx\r\n' : 'x', 100);
      return slow;
    }),
  );
  expect((await fetch(`${url}/orders/large/1`)).status).toBe(200);
  await Promise.all(all.map((slow) => slow.closed()));
  expect((await fetch(`${url}/orders/large/1`)).status).toBe(200);
  for (const { answers } of all) expect(problemOf(answers[0]!)).toMatchObject({ status: 408 });
});

test('each is told what it was too slow at', async () => {
  const [silent, slow, headless] = [await client(), await client(), await client()];
  silent.write(CHUNKED);
  slow.write(CHUNKED);
  trickle(slow, '1\r\nx\r\n', 50);
  headless.write('GET /orders HTTP/1.1\r\n');
  expect(problemOf(await silent.answer()).message).toMatch(/^nothing of the body came for 400 ms \(BODY_IDLE_MS\)/);
  expect(problemOf(await slow.answer()).message).toMatch(
    /^the body came at \d+ bytes a second .* must come at 1000 .*BODY_MIN_BYTES_PER_SECOND/,
  );
  expect(problemOf(await headless.answer()).message).toMatch(/headers did not come within 400 ms \(HEADERS_TIMEOUT_MS\)/);
});

test('an upload that moves goes on for many times the longest silence', async () => {
  const moving = await client();
  moving.write(CHUNKED);
  const startedAt = performance.now();
  const stop = trickle(moving, `1f4\r\n${'x'.repeat(500)}\r\n`, 50);
  await eventually(() => performance.now() - startedAt > 2_000 || moving.isClosed, Boolean);
  stop();
  expect(moving.isClosed).toBe(false);
  moving.write('0\r\n\r\n');
  const { status, body } = await moving.answer();
  expect(status).toBe(201);
  expect((JSON.parse(body) as { bytes: number }).bytes).toBeGreaterThan(10_000);
});

test('bytes that the service itself does not read are not held against the client', async () => {
  const early = await client();
  early.write('POST /orders/late HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\nContent-Length: 2000000\r\n\r\n');
  early.write(Buffer.alloc(2_000_000, 'x'));
  const startedAt = performance.now();
  await eventually(() => performance.now() - startedAt > 1_500 || early.isClosed, Boolean);
  waits.gate.open();
  expect(await early.answer()).toMatchObject({ status: 201, body: '{"bytes":2000000}' });
});

test('a client that takes nothing of its answer is cut, and one that takes it in its own time is not', async () => {
  const [deaf, slow] = [await client(), await client()];
  const request = 'GET /orders/large/32 HTTP/1.1\r\nHost: localhost\r\n\r\n';
  deaf.socket.pause();
  deaf.write(request);
  slow.write(request);
  const pace = setInterval(() => (slow.socket.isPaused() ? slow.socket.resume() : slow.socket.pause()), 50);
  await eventually(() => slow.received > 32 * 1_048_576, Boolean, 20_000);
  clearInterval(pace);
  slow.socket.resume();

  // It learns of its end when it reads what lay in the buffers on the way.
  await eventually(async () => (await connectionsOf(app)) <= 1, Boolean);
  deaf.socket.resume();
  await deaf.closed();
  expect(deaf.received).toBeLessThan(32 * 1_048_576);
});

test('a connection is kept between requests, not for ever, and as long as a request is under way', async () => {
  const kept = await client();
  const request = 'GET /orders/large/0 HTTP/1.1\r\nHost: localhost\r\n\r\n';
  await kept.write(request).answer();
  kept.write(request);
  await eventually(
    () => kept.text.split('HTTP/1.1 200').length,
    (parts) => parts === 3,
  );
  await kept.closed();

  const waiting = await client();
  waits.gate = new Gate();
  waiting.write('GET /orders/waits HTTP/1.1\r\nHost: localhost\r\n\r\n');
  const startedAt = performance.now();
  await eventually(() => performance.now() - startedAt > 1_200 || waiting.isClosed, Boolean);
  waits.gate.open();
  expect(await waiting.answer()).toMatchObject({ status: 200, body: '{"done":true}' });
});

test('an address that has as many connections as it may gets no more, until it closes some', async () => {
  const limited = await startOrdersApp({ CONNECTIONS_PER_ADDRESS: '3' });
  const open = await Promise.all([1, 2, 3].map(() => RawClient.connect(limited.url)));
  const refused = await RawClient.connect(limited.url);
  expect(problemOf(await refused.answer())).toMatchObject({
    status: 429,
    message: expect.stringMatching(/more than 3 connections from 127\.0\.0\.1/),
  });
  await refused.closed();
  open[0]!.destroy();
  await eventually(
    async () => {
      const next = await RawClient.connect(limited.url);
      const answer = await next.write('GET /orders/large/0 HTTP/1.1\r\nHost: localhost\r\n\r\n').answer();
      next.destroy();
      return answer.status;
    },
    (status) => status === 200,
  );
  for (const client of open) client.destroy();
  await limited.app.close();
});

function connectionsOf(of: NestFastifyApplication): Promise<number> {
  const server = of.getHttpServer() as unknown as { getConnections(done: (error: Error | null, count: number) => void): void };
  return new Promise((resolve, reject) => server.getConnections((error, count) => (error ? reject(error) : resolve(count))));
}
