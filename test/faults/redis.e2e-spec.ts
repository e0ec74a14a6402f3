import { Redis } from 'ioredis';
import { Client } from 'pg';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { assertInvariants } from '../support/invariants.js';
import { NativeClient, ndjsonItems } from '../support/native-client.js';
import { type ServiceProcess, spawnService } from '../support/process.js';
import { startRedis } from '../support/redis.js';

const ITEMS = 6_000;

let database: TestDatabase;
let redis: Awaited<ReturnType<typeof startRedis>>;
let api: ServiceProcess;
let worker: ServiceProcess;
let client: NativeClient;

beforeEach(async () => {
  database = await createTestDatabase();
  redis = await startRedis();
  const env = { DATABASE_URL: database.url, REDIS_URL: redis.url };
  api = await spawnService({ ...env, ROLE: 'api' });
  worker = await spawnService({ ...env, ROLE: 'worker' });
  client = new NativeClient(api.url);
}, 90_000);

afterEach(async () => {
  expect(await api.end('SIGTERM')).toBe(0);
  expect(await worker.end('SIGTERM')).toBe(0);
  await redis.stop();
  await database.drop();
}, 60_000);

describe('a batch under way, with an api and a worker process,', () => {
  it('completes when Redis is wiped again and again', async () => {
    const batchId = await startBatch();
    const wiper = new Redis(redis.url);

    for (let wipe = 1; wipe <= 5; wipe += 1) {
      await client.waitFor(batchId, (batch) => batch.counts.succeeded >= wipe * 500);
      await wiper.flushall();
    }

    await completes(batchId);
    wiper.disconnect();
  }, 120_000);

  it('completes when Redis is killed and never returns', async () => {
    const batchId = await startBatch();
    await client.waitFor(batchId, (batch) => batch.counts.succeeded >= 500);

    await redis.kill();

    await completes(batchId);
  }, 120_000);

  it('is created, worked and completed while Redis is away, and bells ring again when it is back', async () => {
    await redis.kill();
    const batchId = await startBatch();
    await completes(batchId);

    redis = await startRedis(redis.port);

    await client.waitFor(batchId, () => true);
    const next = await startBatch();
    await completes(next);
  }, 120_000);
});

async function startBatch(): Promise<string> {
  const options = { concurrency: 20, batchSize: 50 };
  const { id } = await client.create({ operation: 'noop', open: true, parameters: { durationMs: 5 }, options });
  await client.addItems(id, ndjsonItems(ITEMS));
  await client.start(id);
  return id;
}

async function completes(batchId: string): Promise<void> {
  const ended = await client.waitForEnd(batchId, 90_000);
  expect(ended).toMatchObject({ status: 'completed', counts: { total: ITEMS, succeeded: ITEMS, failed: 0 } });
  const connection = new Client({ connectionString: database.url });
  await connection.connect();
  await assertInvariants({ pool: connection });
  await connection.end();
}
