import type { Redis } from 'ioredis';
import { CreationLimit } from '../../src/access/creation-limit.js';
import { Config } from '../../src/config.js';
import { Api, type Problem } from '../contracts/api.js';
import { startRedis } from '../support/redis.js';
import { startTestService } from '../support/service.js';

const KEYS = 'acme:acme-key-0123456789,globex:globex-key-0123456789';

test('a tenant that creates too many batches is told when the next one is allowed, and no other tenant is', async () => {
  const service = await startTestService({ API_KEYS: KEYS, CREATE_LIMIT_PER_MINUTE: '3' });
  const acme = new Api(service.url, { 'x-api-key': 'acme-key-0123456789' });
  const globex = new Api(service.url, { 'x-api-key': 'globex-key-0123456789' });
  const batch = { operation: 'noop', items: ['a'] };

  expect((await acme.post('/api/batch/create', batch)).status).toBe(201);
  expect((await acme.post('/api/batches', { operation: 'noop', items: ['a'] })).status).toBe(201);
  expect((await acme.post('/api/batch/create', batch)).status).toBe(201);
  for (const path of ['/api/batch/create', '/api/batches']) {
    const refused = await acme.post<Problem>(path, batch);
    expect(refused.status).toBe(429);
    const seconds = Number(refused.headers.get('retry-after'));
    expect(seconds).toBeGreaterThan(0);
    expect(seconds).toBeLessThanOrEqual(60);
    expect(refused.body).toMatchObject({
      success: false,
      statusCode: 429,
      message: expect.stringMatching(/more than 3 batches .* in \d+ s/),
    });
  }
  expect((await acme.get<{ data: object[] }>('/api/batches')).body.data).toHaveLength(3);
  expect((await acme.get('/api/batch/stats')).status).toBe(200);
  expect((await globex.post('/api/batch/create', batch)).status).toBe(201);
  await service.close();
});

describe('with Redis', () => {
  const acme = { tenant: 'acme' };
  const limitOf = (url: string) => new CreationLimit(Config.from({ REDIS_URL: url, CREATE_LIMIT_PER_MINUTE: '2' }));
  const ready = async (limit: CreationLimit) => {
    const { redis } = limit as unknown as { redis: Redis };
    if (redis.status !== 'ready') await new Promise((resolve) => redis.once('ready', resolve));
  };

  test('all processes count together', async () => {
    const redis = await startRedis();
    const [first, second] = [limitOf(redis.url), limitOf(redis.url)];
    await Promise.all([ready(first), ready(second)]);
    await first.spend(acme);
    await second.spend(acme);
    await expect(first.spend(acme)).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    await expect(second.spend(acme)).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    first.onApplicationShutdown();
    second.onApplicationShutdown();
    await redis.stop();
  });

  test('without it each process counts by itself, at once', async () => {
    const redis = await startRedis();
    const limit = limitOf(redis.url);
    await ready(limit);
    await redis.kill();
    const started = Date.now();
    await limit.spend(acme);
    await limit.spend(acme);
    await expect(limit.spend(acme)).rejects.toMatchObject({ code: 'RATE_LIMITED' });
    expect(Date.now() - started).toBeLessThan(4_000);
    limit.onApplicationShutdown();
  });
});
