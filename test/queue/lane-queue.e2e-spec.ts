import { type INestApplicationContext, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Config } from '../../src/config.js';
import { ConfigModule } from '../../src/config.module.js';
import { EventChannel } from '../../src/queue/event-channel.js';
import { type Bell, LaneQueue } from '../../src/queue/lane-queue.js';
import { QueueModule } from '../../src/queue/queue.module.js';
import { eventually, Gate } from '../support/eventually.js';
import { startRedis } from '../support/redis.js';

const run = promisify(execFile);

type RedisServer = Awaited<ReturnType<typeof startRedis>>;

let redis: RedisServer;
const processes: INestApplicationContext[] = [];

beforeAll(async () => {
  redis = await startRedis();
});

afterEach(async () => {
  await Promise.all(processes.splice(0).map((each) => each.close()));
});

afterAll(() => redis.stop());

@Module({})
class ProcessModule {}

/** What one process has of the queue. */
async function startProcess(redisUrl: string | undefined): Promise<INestApplicationContext> {
  const imports = [ConfigModule.with(Config.from({})), QueueModule.forRedis(redisUrl)];
  const module = await NestFactory.createApplicationContext({ module: ProcessModule, imports }, { logger: false });
  processes.push(module);
  return module;
}

const bell = (runId: string, rank: number): Bell => ({ runId, rank, tenant: 'acme', express: false });

const DRIVERS: [name: string, url: () => string | undefined][] = [
  ['in process', () => undefined],
  ['on Redis', () => redis.url],
];

describe.each(DRIVERS)('bells %s', (_name, url) => {
  /** Bells that are rung before the connection stands are lost, as they may be: the sweeper is there for them. */
  const queue = async () => {
    const lanes = (await startProcess(url())).get(LaneQueue);
    await eventually(() => lanes.isHealthy(), Boolean);
    return lanes;
  };

  test('are each heard once', async () => {
    const lanes = await queue();
    const heard: string[] = [];
    await lanes.listen(async ({ runId }) => void heard.push(runId), { common: 4, express: 0 });
    await lanes.ring(bell('1', 3), 3);
    await lanes.ring(bell('2', 3), 1);
    await lanes.ring(bell('3', 3), 0);
    await eventually(
      () => heard.length,
      (count) => count === 4,
    );
    expect(heard.sort()).toEqual(['1', '1', '1', '2']);
  });

  test('that were rung before anybody listened are heard then, in order of rank and then of age', async () => {
    const lanes = await queue();
    const heard: string[] = [];
    for (const [runId, rank] of [
      ['low', 4],
      ['first', 3],
      ['second', 3],
      ['critical', 1],
      ['high', 2],
    ] as const)
      await lanes.ring(bell(runId, rank), 1);
    await lanes.listen(async ({ runId }) => void heard.push(runId), { common: 1, express: 1 });
    await eventually(
      () => heard.length,
      (count) => count === 5,
    );
    expect(heard).toEqual(['critical', 'high', 'first', 'second', 'low']);
  });

  test('are worked so many at a time as was asked for, and those that wait are told', async () => {
    const lanes = await queue();
    const gate = new Gate();
    let now = 0;
    let most = 0;
    let heard = 0;
    await lanes.listen(
      async () => {
        most = Math.max(most, (now += 1));
        heard += 1;
        await gate.opened;
        now -= 1;
      },
      { common: 3, express: 0 },
    );
    await lanes.ring(bell('1', 3), 3);
    await eventually(
      () => now,
      (busy) => busy === 3,
    );
    await lanes.ring(bell('1', 3), 2);
    gate.open();
    await eventually(
      () => heard,
      (count) => count === 5,
    );
    expect(most).toBe(3);
  });

  test('are not heard any more after mute, and what is being worked goes on', async () => {
    const lanes = await queue();
    const gate = new Gate();
    const heard: string[] = [];
    let finished = false;
    await lanes.listen(
      async ({ runId }) => {
        heard.push(runId);
        await gate.opened;
        finished = true;
      },
      { common: 1, express: 1 },
    );
    await lanes.ring(bell('before', 3), 1);
    await eventually(
      () => heard.length,
      (count) => count === 1,
    );
    await lanes.mute();
    await lanes.ring(bell('after', 1), 1);
    gate.open();
    await eventually(() => finished, Boolean);
    expect(heard).toEqual(['before']);
  });

  test('arrive, as it says itself', async () => {
    const lanes = await queue();
    await eventually(() => lanes.isHealthy(), Boolean);
  });

  beforeEach(async () => {
    if (url()) await flush();
  });
});

async function flush(): Promise<void> {
  const { Redis } = await import('ioredis');
  const client = new Redis(redis.url);
  await client.flushall();
  client.disconnect();
}

describe.each(DRIVERS)('events %s', (_name, url) => {
  test('are delivered once to each listener of each process, the own one included, in order', async () => {
    // In process there is one process only.
    const modules = [await startProcess(url()), ...(url() ? [await startProcess(url())] : [])];
    const received = modules.map(() => [] as number[]);
    const others: object[] = [];
    modules.forEach((module, index) => {
      module.get(EventChannel).subscribe<{ n: number }>('batch-event', ({ n }) => received[index]!.push(n));
      module.get(EventChannel).subscribe('run-changed', (message) => others.push(message));
    });
    const channel = modules[0]!.get(EventChannel);
    // The subscription takes a moment: messages are sent until one arrives everywhere, and then all that were sent before have come.
    let sent = 0;
    await eventually(async () => {
      await channel.publish('batch-event', [{ n: (sent -= 1) }]);
      return received.every((each) => each.length > 0);
    }, Boolean);
    await eventually(() => received.every((each) => each.at(-1) === sent), Boolean);
    await channel.publish('batch-event', [{ n: 1 }, { n: 2 }]);
    await channel.publish('batch-event', [{ n: 3 }]);
    await channel.publish('batch-event', []);
    await eventually(
      () => received.map((each) => each.filter((n) => n > 0)),
      (lists) => lists.every(({ length }) => length >= 3),
    );
    for (const each of received) expect(each.filter((n) => n > 0)).toEqual([1, 2, 3]);
    expect(others).toEqual([]);
  });
});

describe('a process that has closed its queue', () => {
  const PROGRAM = `
    import 'reflect-metadata';
    import { setImmediate } from 'node:timers/promises';
    import { NestFactory } from '@nestjs/core';
    import { Config } from './dist/config.js';
    import { ConfigModule } from './dist/config.module.js';
    import { LaneQueue } from './dist/queue/lane-queue.js';
    import { QueueModule } from './dist/queue/queue.module.js';
    const imports = [ConfigModule.with(Config.from({})), QueueModule.forRedis(process.argv[1])];
    const app = await NestFactory.createApplicationContext({ module: class Process {}, imports }, { logger: false });
    const lanes = app.get(LaneQueue);
    await lanes.listen(async () => undefined, { common: 2, express: 1 });
    await lanes.ring({ runId: '1', rank: 3, tenant: 'acme', express: false }, 1);
    const waits = async () => (await lanes.isHealthy()) && /blocked_clients:[1-9]/.test(await lanes.common.client.info('clients'));
    while (process.argv[2] === 'waiting' && !(await waits())) await setImmediate();
    await lanes.mute();
    await app.close();
  `;

  test.each([
    ['in process', () => []],
    ['on Redis, while it waits for a bell', () => [redis.url, 'waiting']],
    ['on a Redis that was never there', () => ['redis://127.0.0.1:1']],
  ])(
    'ends by itself: %s',
    async (_where, args) => {
      const program = ['--input-type=module', '--eval', PROGRAM, ...args()];
      await run(process.execPath, program, { cwd: join(__dirname, '../..'), timeout: 10_000 });
    },
    30_000,
  );
});

test('a process on Redis closes although a bell is worked that never ends', async () => {
  const module = await startProcess(redis.url);
  const lanes = module.get(LaneQueue);
  const hears = new Gate();
  await lanes.listen(
    () => {
      hears.open();
      return new Promise<void>(() => undefined);
    },
    { common: 1, express: 1 },
  );
  await lanes.ring(bell('1', 3), 1);
  await hears.opened;
  await lanes.mute();
  await module.close();
});

describe('without Redis', () => {
  test('nothing rejects or waits long, and bells and events go on when it is back', async () => {
    const own = await startRedis();
    const { port } = own;
    const module = await startProcess(own.url);
    const other = await startProcess(own.url);
    const lanes = module.get(LaneQueue);
    const channel = module.get(EventChannel);
    const heard: Bell[] = [];
    const told: object[] = [];
    const toldOther: object[] = [];
    await eventually(() => lanes.isHealthy(), Boolean);
    await lanes.listen(async (bell) => void heard.push(bell), { common: 2, express: 1 });
    channel.subscribe('run-changed', (message) => told.push(message));
    other.get(EventChannel).subscribe('run-changed', (message) => toldOther.push(message));
    await lanes.ring(bell('1', 3), 1);
    await eventually(
      () => heard.length,
      (count) => count === 1,
    );

    await own.kill();
    await eventually(
      () => lanes.isHealthy(),
      (healthy) => !healthy,
    );
    const began = performance.now();
    await lanes.ring(bell('2', 3), 5);
    await channel.publish('run-changed', [{ runId: '2' }]);
    await lanes.ring(bell('3', 3), 1);
    expect(performance.now() - began).toBeLessThan(8_500);
    expect(told).toEqual([{ runId: '2' }]);

    const back = await startRedis(port);
    try {
      await eventually(() => lanes.isHealthy(), Boolean, 20_000);
      await eventually(
        async () => {
          await lanes.ring(bell('back', 3), 1);
          return heard.some(({ runId }) => runId === 'back');
        },
        Boolean,
        20_000,
      );
      await eventually(
        async () => {
          await channel.publish('run-changed', [{ runId: 'back' }]);
          return toldOther.length > 0;
        },
        Boolean,
        20_000,
      );
    } finally {
      await Promise.all(processes.splice(0).map((each) => each.close()));
      await back.stop();
    }
  }, 90_000);

  test('a process starts, rings into the void, and mutes', async () => {
    const module = await startProcess('redis://127.0.0.1:1');
    const lanes = module.get(LaneQueue);
    await lanes.listen(async () => undefined, { common: 2, express: 1 });
    await lanes.ring(bell('1', 3), 1);
    await module.get(EventChannel).publish('batch-event', [{ seq: 1 }]);
    expect(await lanes.isHealthy()).toBe(false);
    await lanes.mute();
  });
});
