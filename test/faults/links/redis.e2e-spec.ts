import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Redis } from 'ioredis';
import { Config } from '../../../src/config.js';
import { ProcessRecycler } from '../../../src/common/process-recycler.js';
import { BullConnections } from '../../../src/queue/bull-connections.js';
import { EventChannel } from '../../../src/queue/event-channel.js';
import { connectRedis, disconnectRedis, type RedisRole } from '../../../src/queue/redis.js';
import { RedisWatchdog } from '../../../src/queue/redis-watchdog.js';
import { Api } from '../../contracts/api.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { Engine, keys } from '../../support/engine.js';
import { eventually } from '../../support/eventually.js';
import { assertInvariants } from '../../support/invariants.js';
import { startRedis } from '../../support/redis.js';

let redis: Awaited<ReturnType<typeof startRedis>>;

beforeAll(async () => (redis = await startRedis()));
afterAll(() => redis.stop());

const ROLES: RedisRole[] = ['client', 'subscriber', 'bclient'];

/** A server for the client's side of the protocol alone. */
async function stub(serve: (socket: Socket) => void): Promise<{ server: Server; url: string }> {
  const server = createServer(serve);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return { server, url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

describe('half-open and slow connections', () => {
  let proxy: TcpProxy;
  let engine: Engine;

  beforeAll(async () => {
    const way = await TcpProxy.to(redis.url);
    proxy = way.proxy;
    engine = await Engine.start({ REDIS_URL: way.url });
  });
  afterEach(() => assertInvariants(engine.database));
  afterAll(async () => {
    await engine.close();
    proxy.close();
  });

  test('are all back within 20 seconds, those that wait in silence too', async () => {
    const other = new Redis(redis.url);
    const heard: number[] = [];
    engine.service.app.get(EventChannel).subscribe<{ n: number }>('run-changed', ({ n }) => heard.push(n));
    const tell = (n: number) =>
      other.publish('batchwise:events', JSON.stringify({ from: 'another process', topic: 'run-changed', messages: [{ n }] }));
    await eventually(() => tell(1).then(() => heard.includes(1)), Boolean);

    proxy.deafen();
    await tell(2);
    const { opened } = engine.service.app.get<unknown, { opened: { stream: Socket }[] }>(BullConnections, { strict: false });
    expect(opened.length).toBeGreaterThanOrEqual(2);
    const cutOff = opened.map(({ stream }) => stream);
    await Promise.all([
      eventually(() => tell(3).then(() => heard.includes(3)), Boolean, 20_000),
      ...opened.map((connection, index) =>
        eventually(() => connection.stream !== cutOff[index] && connection.stream.bytesRead > 0, Boolean, 20_000),
      ),
    ]);
    expect(heard).not.toContain(2);
    other.disconnect();

    const batch = await engine.create({ items: keys(20) });
    expect(await engine.ended(batch)).toMatchObject({ status: 'completed' });
  }, 40_000);

  test('of half a second each way are no reason to give one up', async () => {
    const connected = proxy.connections;
    proxy.delayMs = 500;
    const batch = await engine.create({ items: keys(20) });
    expect(await engine.ended(batch)).toMatchObject({ status: 'completed' });
    const { body } = await new Api(engine.service.url).get<{ details: object }>('/health/ready');
    expect(body.details).toMatchObject({ queue: { status: 'up' } });
    proxy.delayMs = 0;
    expect(proxy.connections).toBe(connected);
  }, 30_000);
});

test.each(ROLES)(
  'a %s whose server dies in the handshake, several times, is connected in the end, 20 times',
  async (role) => {
    const target = new URL(redis.url);
    await Promise.all(
      Array.from({ length: 20 }, async (_, round) => {
        let deaths = (round % 4) + 1;
        const { server, url } = await stub((socket) => {
          socket.on('error', () => undefined);
          // Before the first answer, at whatever comes first.
          if (deaths-- > 0) return void socket.once('data', () => socket.destroy()).setTimeout(20, () => socket.destroy());
          const upstream = connect(Number(target.port), target.hostname);
          upstream.on('error', () => undefined);
          socket.pipe(upstream).pipe(socket);
        });
        const connection = connectRedis(url, role);
        await eventually(() => connection.ping(), Boolean, 20_000);
        disconnectRedis(connection);
        server.close();
      }),
    );
  },
  60_000,
);

describe('a Redis that takes nothing', () => {
  const states: Record<string, (admin: Redis) => Promise<unknown>> = {
    full: (admin) => admin.config('SET', 'maxmemory', '1'),
    'a replica': (admin) => admin.replicaof('127.0.0.1', 1),
  };

  test.each(Object.keys(states))(
    'because it is %s does not keep batches from being created and completed',
    async (state) => {
      const own = await startRedis();
      const engine = await Engine.start({ REDIS_URL: own.url });
      const admin = new Redis(own.url);
      await states[state]!(admin);
      await expect(admin.set('a', 'b')).rejects.toThrow(/OOM|READONLY/);
      await createsAndCompletes(engine);
      admin.disconnect();
      await engine.close();
      await own.stop();
    },
    40_000,
  );

  test('because it is still loading does not keep the service from starting', async () => {
    const { server, url } = await stub((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (data) => {
        const commands = data.toString().match(/\*\d+\r\n\$/g) ?? [];
        socket.write('-LOADING Redis is loading the dataset in memory\r\n'.repeat(commands.length));
      });
    });
    const engine = await Engine.start({ REDIS_URL: url });
    await createsAndCompletes(engine);
    await engine.close();
    server.close();
  }, 40_000);

  async function createsAndCompletes(engine: Engine): Promise<void> {
    const created = await new Api(engine.service.url).post('/api/batches', { operation: 'noop', items: ['a'] });
    expect(created.status).toBe(201);
    const batch = await engine.create({ items: keys(30) });
    expect(await engine.ended(batch)).toMatchObject({ status: 'completed', counts: { succeeded: 30 } });
    await assertInvariants(engine.database);
  }
});

test('a client that stays deaf while Redis answers others makes its process due for a new one, and one that comes back does not', async () => {
  const recycler = new ProcessRecycler(Config.from({ NODE_ENV: 'test', RECYCLE_AFTER_MS: '100' }));
  const watchdog = new RedisWatchdog(redis.url, recycler, 20);
  const wedged = connectRedis(redis.url, 'subscriber');
  await eventually(() => wedged.status === 'ready', Boolean);
  const ping = wedged.ping.bind(wedged);
  wedged.ping = () => new Promise<never>(() => undefined);
  watchdog.watch(wedged);
  const reason = await eventually(() => recycler.fault, Boolean);
  expect(reason).toBe("1 of this process's connections to Redis are deaf while Redis answers others");
  expect(await recycler.due).toBe(reason);
  wedged.ping = ping;
  await eventually(() => recycler.fault === undefined, Boolean);
  watchdog.onApplicationShutdown();
  disconnectRedis(wedged);
});

test('while Redis is away nobody asks for a new process', async () => {
  const gone = await startRedis();
  const recycler = new ProcessRecycler(Config.from({ NODE_ENV: 'test', RECYCLE_AFTER_MS: '100' }));
  const watchdog = new RedisWatchdog(gone.url, recycler, 20);
  const connection = connectRedis(gone.url, 'subscriber');
  watchdog.watch(connection);
  await gone.kill();
  let looks = 0;
  await eventually(() => (looks += 1) > 50, Boolean);
  expect(recycler.fault).toBeUndefined();
  watchdog.onApplicationShutdown();
  disconnectRedis(connection);
});
