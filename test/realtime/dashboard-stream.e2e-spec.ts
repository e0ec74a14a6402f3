import { SignJWT } from 'jose';
import { connect } from 'node:net';
import type { Socket as TcpSocket } from 'node:net';
import type { BatchView } from '../../src/batches/batch.view.js';
import type { BatchEventRecord } from '../../src/batches/events/batch.events.js';
import { DashboardStream } from '../../src/realtime/dashboard-stream.js';
import { Api, ISO_TIME } from '../contracts/api.js';
import { eventually } from '../support/eventually.js';
import { startTestService, type TestService } from '../support/service.js';
import { DashboardClient } from './dashboard-client.js';
import { Listener } from './listener.js';

const createIn = (api: Api) => async (fields: object) =>
  (await api.post<{ data: BatchView }>('/api/batches', { operation: 'noop', ...fields })).body.data;

describe('the dashboard stream', () => {
  let service: TestService;
  let create: (fields: object) => Promise<BatchView>;
  let api: Api;
  let client: DashboardClient;

  beforeAll(async () => {
    service = await startTestService();
    api = new Api(service.url);
    create = createIn(api);
    client = await DashboardClient.connect(service.url);
  });

  afterAll(async () => {
    client.close();
    await service.close();
  });

  it('tells of the progress of a batch, and then that it is completed', async () => {
    const { id } = await create({ filters: { count: 30 }, parameters: { durationMs: 100 }, options: { concurrency: 2 } });
    const completed = await client.until('batch.completed', id);
    expect(completed).toEqual({
      type: 'batch.completed',
      data: { jobId: id, totalDocuments: 30, processedDocuments: 30, failedDocuments: 0, duration: expect.any(Number) },
      timestamp: expect.stringMatching(ISO_TIME),
    });
    expect(completed.data.duration).toBeGreaterThan(500);
    const progress = client.of(id).filter(({ type }) => type === 'batch.progress');
    expect(progress.length).toBeGreaterThan(1);
    // A page moves its bar by progress alone: the last one says 100, just before the completion.
    expect(client.of(id).at(-2)!.data).toMatchObject({ progress: 100, processedDocuments: 30, estimatedTimeRemaining: 0 });
    for (const message of progress.slice(0, -1)) {
      expect(message).toEqual({
        type: 'batch.progress',
        data: {
          jobId: id,
          progress: expect.any(Number),
          processedDocuments: expect.any(Number),
          totalDocuments: 30,
          estimatedTimeRemaining: expect.any(Number),
        },
        timestamp: expect.stringMatching(ISO_TIME),
      });
      const { processedDocuments, estimatedTimeRemaining, progress: percent } = message.data as Record<string, number>;
      expect(percent).toBe(Math.min(99, Math.floor((100 * processedDocuments!) / 30)));
      // The mean duration of a document, about 100 ms, times those that are left: however many run side by side.
      expect(estimatedTimeRemaining).toBeGreaterThanOrEqual(95 * (30 - processedDocuments!));
    }
  });

  it('tells of a batch that failed, and why', async () => {
    const { id } = await create({ items: [{ payload: { fail: 'permanent' } }] });
    expect((await client.until('batch.failed', id)).data).toEqual({
      jobId: id,
      error: 'every item failed',
      processedDocuments: 1,
      failedDocuments: 1,
    });
  });

  it('tells of a batch that ran out of time', async () => {
    const { id } = await create({ items: ['a'], parameters: { durationMs: 60_000 }, options: { batchTimeout: 300 } });
    expect((await client.until('batch.failed', id)).data).toEqual({
      jobId: id,
      error: 'Job timeout exceeded',
      processedDocuments: 0,
      failedDocuments: 0,
    });
  });

  it('tells of a cancelled batch when its items in flight have ended', async () => {
    const { id } = await create({ items: ['a'], parameters: { durationMs: 60_000 } });
    await eventually(
      async () => (await api.get<{ data: BatchView }>(`/api/batches/${id}`)).body.data,
      ({ counts }) => counts.running === 1,
    );
    await api.post(`/api/batches/${id}/cancel`);
    expect(await client.until('batch.cancelled', id)).toEqual({
      type: 'batch.cancelled',
      data: { jobId: id },
      timestamp: expect.stringMatching(ISO_TIME),
    });
    expect(client.types(id).filter((type) => type !== 'batch.progress')).toEqual(['batch.cancelled']);
    expect(client.types(id).at(-1)).toBe('batch.cancelled');
  });

  it.each([
    ['without a userId', '', 'userId is missing'],
    ['with an empty one', 'userId=', 'userId is missing'],
    ['with one that is too long', `userId=${'x'.repeat(201)}`, 'at most 200 characters'],
  ])('%s is closed with a reason that browsers show', async (_what, query, reason) => {
    const refused = await DashboardClient.connect(service.url, query);
    expect(await refused.closed()).toEqual({ code: 1008, reason: expect.stringContaining(reason) });
  });

  it('reads nothing: what comes in is ignored, and more than 4 kB ends the socket', async () => {
    const talker = await DashboardClient.connect(service.url);
    talker.socket.send('{"type":"subscribe"}');
    const { id } = await create({ items: ['a'] });
    await talker.until('batch.completed', id);
    talker.socket.send('x'.repeat(5_000));
    expect((await talker.closed()).code).toBe(1009);
  });

  it('does not compress', async () => {
    const compressing = await DashboardClient.connect(service.url, 'userId=ada', { perMessageDeflate: true });
    expect(compressing.socket.extensions).toBe('');
    compressing.close();
  });

  it('refuses pages of foreign origins', async () => {
    const foreign = DashboardClient.connect(service.url, 'userId=ada', { origin: 'https://evil.example' });
    await expect(foreign).rejects.toThrow('403');
    const own = await DashboardClient.connect(service.url, 'userId=ada', { origin: service.url });
    own.close();
  });

  it('an upgrade of any other address is answered at once with 404', async () => {
    const { hostname, port } = new URL(service.url);
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect(Number(port), hostname);
      let text = '';
      socket.on('data', (data) => (text += data.toString()));
      socket.on('close', () => resolve(text));
      socket.on('error', reject);
      socket.write('GET /elsewhere HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    });
    expect(answer).toMatch(/^HTTP\/1\.1 404 Not Found\r\n/);
  });

  /** As curl --http2 and Java's HttpClient send it: the first request of a connection would rather be HTTP/2. */
  it('a request that asks for another protocol is answered as if it did not, with its body, and so is the next one', async () => {
    const { hostname, port } = new URL(service.url);
    const body = JSON.stringify({
      operation: 'noop',
      name: 'of a client that likes HTTP/2',
      items: ['a'],
      start: false,
      note: 'x'.repeat(60_000),
    });
    const wish = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n';
    const socket = connect(Number(port), hostname);
    let text = '';
    socket.on('data', (data) => (text += data.toString()));
    const answers = (count: number) =>
      eventually(
        () => text.match(/HTTP\/1\.1 \d+/g) ?? [],
        ({ length }) => length === count,
      );

    socket.write(
      `POST /api/batches HTTP/1.1\r\nHost: x\r\n${wish}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`,
    );
    socket.write(body);
    expect(await answers(1)).toEqual(['HTTP/1.1 400']);
    expect(text).toContain('note is not a known field');
    socket.write(`GET /api/batches?limit=1 HTTP/1.1\r\nHost: x\r\n\r\n`);
    expect(await answers(2)).toEqual(['HTTP/1.1 400', 'HTTP/1.1 200']);
    socket.destroy();
  });

  it('a plain GET is a route that does not exist', async () => {
    expect((await api.get('/api/dashboard/stream?userId=ada')).status).toBe(404);
  });
});

describe('a dashboard that does not read', () => {
  const progress = (seq: number, type: BatchEventRecord['type'] = 'batch.progress') =>
    ({
      tenant: 'default',
      batchId: 'x'.repeat(10_000),
      seq,
      type,
      at: '2026-01-01T00:00:00.000Z',
      data: { progress: 1, counts: { total: 2, succeeded: 1, failed: 0, skipped: 0 }, meanDurationMs: 5 },
    }) as BatchEventRecord;
  const wireOf = ({ socket }: DashboardClient) => (socket as unknown as { _socket: TcpSocket })._socket;

  let service: TestService;
  let stream: DashboardStream;

  beforeAll(async () => {
    service = await startTestService();
    stream = service.app.get(DashboardStream);
  });
  afterAll(() => service.close());

  async function flood(type: BatchEventRecord['type'], count: number): Promise<void> {
    for (let n = 1; n <= count; n += 1) {
      stream.send(progress(n, type));
      // As events come: one at a time, with time for what reads to read.
      if (n % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  }

  it('misses progress, and hears of the end when it has caught up', async () => {
    const [slow, fast] = [await DashboardClient.connect(service.url), await DashboardClient.connect(service.url)];
    wireOf(slow).pause();
    await flood('batch.progress', 3_000);
    stream.send(progress(3_001, 'batch.cancelled'));
    await eventually(() => fast.heard.length === 3_001, Boolean);
    wireOf(slow).resume();
    await eventually(() => slow.heard.at(-1)?.type === 'batch.cancelled', Boolean);
    expect(slow.heard.length).toBeLessThan(1_500);
    slow.close();
    fast.close();
  });

  it('is closed when a megabyte of what may not be left out waits for it', async () => {
    const slow = await DashboardClient.connect(service.url);
    wireOf(slow).pause();
    await flood('batch.cancelled', 3_000);
    wireOf(slow).resume();
    expect((await slow.closed()).code).toBe(1006);
    expect(slow.heard.length).toBeLessThan(1_500);
  });

  it('is closed when it stays slow, and when it does not answer pings', async () => {
    const [slow, dead] = [
      await DashboardClient.connect(service.url),
      await DashboardClient.connect(service.url, 'userId=ada', { autoPong: false }),
    ];
    const alive = await DashboardClient.connect(service.url);
    const wire = wireOf(slow);
    wire.pause();
    await flood('batch.progress', 3_000);
    const [gone] = await Promise.all([
      dead.closed(),
      eventually(
        () => sockets(stream),
        (size) => size === 1,
        45_000,
      ),
    ]);
    expect(gone.code).toBe(1006);
    expect(alive.socket.readyState).toBe(1);
    wire.destroy();
    alive.close();
  }, 60_000);
});

function sockets(stream: DashboardStream): number {
  return (stream as unknown as { sockets: Set<unknown> }).sockets.size;
}

describe('a dashboard with keys and tokens', () => {
  const [ACME, GLOBEX] = ['acme-key-0123456789', 'globex-key-0123456789'];
  const SECRET = 'a secret of at least thirty-two characters';
  const token = (sub: string, tenant: string, seconds = 600) =>
    new SignJWT({ sub, tenant, exp: Date.now() / 1000 + seconds })
      .setProtectedHeader({ alg: 'HS256' })
      .sign(new TextEncoder().encode(SECRET));
  let service: TestService;

  beforeAll(async () => {
    service = await startTestService({ API_KEYS: `acme:${ACME},globex:${GLOBEX}`, JWT_SECRET: SECRET });
  });
  afterAll(() => service.close());

  it('hears only what its credentials may: a key its tenant, a token what its subject created', async () => {
    const [ada, bob] = [await token('ada', 'acme'), await token('bob', 'acme')];
    const clients = {
      acme: await DashboardClient.connect(service.url, 'userId=anybody', { headers: { 'x-api-key': ACME } }),
      globex: await DashboardClient.connect(service.url, `userId=anybody&token=${GLOBEX}`),
      ada: await DashboardClient.connect(service.url, `userId=ada&token=${ada}`),
      bob: await DashboardClient.connect(service.url, 'userId=bob', { headers: { authorization: `Bearer ${bob}` } }),
    };
    const { id } = await createIn(new Api(service.url, { authorization: `Bearer ${ada}` }))({ items: ['a'] });
    const byBob = await createIn(new Api(service.url, { authorization: `Bearer ${bob}` }))({ items: ['a'] });
    await Promise.all([clients.acme.until('batch.completed', id), clients.ada.until('batch.completed', id)]);
    await Promise.all([clients.acme.until('batch.completed', byBob.id), clients.bob.until('batch.completed', byBob.id)]);
    const jobs = ({ heard }: DashboardClient) => [...new Set(heard.map(({ data }) => data.jobId))].sort();
    expect(jobs(clients.acme)).toEqual([id, byBob.id].sort());
    expect(jobs(clients.ada)).toEqual([id]);
    expect(jobs(clients.bob)).toEqual([byBob.id]);
    expect(jobs(clients.globex)).toEqual([]);
    for (const client of Object.values(clients)) client.close();
  });

  it('without credentials, with wrong ones, and under another name is closed with a reason', async () => {
    const ada = await token('ada', 'acme');
    const closings = async (query: string) => (await DashboardClient.connect(service.url, query)).closed();
    expect(await closings('userId=ada')).toEqual({ code: 4401, reason: expect.stringContaining('no credentials') });
    expect(await closings('userId=ada&token=nonsense')).toEqual({ code: 4401, reason: expect.stringContaining('not valid') });
    expect(await closings(`userId=bob&token=${ada}`)).toEqual({ code: 1008, reason: "userId must be the token's subject" });
  });

  it('is closed when its token expires', async () => {
    const client = await DashboardClient.connect(service.url, `userId=ada&token=${await token('ada', 'acme', 2)}`);
    expect(await client.closed()).toEqual({ code: 4401, reason: 'the token has expired' });
  });
});

test('when the service stops, every socket is told, and nothing is left open', async () => {
  const service = await startTestService();
  const client = await DashboardClient.connect(service.url);
  const silent = await DashboardClient.connect(service.url);
  (silent.socket as unknown as { _socket: TcpSocket })._socket.pause();
  const socketIo = await Listener.connect(service.url);
  await service.close();
  expect(await client.closed()).toEqual({ code: 1001, reason: 'the service is shutting down' });
  (silent.socket as unknown as { _socket: TcpSocket })._socket.destroy();
  socketIo.close();
});
