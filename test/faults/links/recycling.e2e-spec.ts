import { Api, type Problem } from '../../contracts/api.js';
import { Redis } from 'ioredis';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { keys } from '../../support/engine.js';
import { eventually } from '../../support/eventually.js';
import { NativeClient } from '../../support/native-client.js';
import { spawnService } from '../../support/process.js';
import { startRedis } from '../../support/redis.js';

let database: TestDatabase;

beforeEach(async () => (database = await createTestDatabase()));
afterEach(() => database.drop());

test('a process in which too many handlers never end is not ready, and then drains and ends to be started anew', async () => {
  const faults = { NOOP_FAULTS: 'true', HANGING_CALLS: '100', HANGING_CALLS_OF_BATCH: '1000' };
  const env = { DATABASE_URL: database.url, RECYCLE_AFTER_MS: '1000', SHUTDOWN_GRACE_MS: '4000', ...faults };
  const first = await spawnService(env);
  const client = new NativeClient(first.url);
  const items = keys(110).map((key) => ({ key, payload: { hang: true } }));
  const { id } = await client.create({
    operation: 'noop',
    items,
    options: { concurrency: 110, batchSize: 10, timeout: 200, retryAttempts: 0 },
  });
  const api = new Api(first.url);
  const { body } = await eventually(
    () => api.get<Problem>('/health/ready'),
    ({ status }) => status === 503,
  );
  expect(body.message).toMatch(/^the process is to be replaced: 1\d\d calls of item handlers ignore their abort signals/);
  expect(await first.ended).toEqual([75, null]);

  const second = await spawnService(env);
  client.url = second.url;
  expect(await client.waitForEnd(id)).toMatchObject({ status: 'failed', counts: { failed: 110 } });
  expect(await second.end('SIGTERM')).toBe(0);
}, 120_000);

test('a Redis that throws keys away when it is full is told of at the start', async () => {
  const redis = await startRedis();
  const admin = new Redis(redis.url);
  await admin.config('SET', 'maxmemory-policy', 'allkeys-lru');
  admin.disconnect();
  const service = await spawnService({ DATABASE_URL: database.url, REDIS_URL: redis.url });
  await eventually(() => service.output().includes('maxmemory-policy allkeys-lru'), Boolean);
  expect(await service.end('SIGTERM')).toBe(0);
  await redis.stop();
}, 120_000);
