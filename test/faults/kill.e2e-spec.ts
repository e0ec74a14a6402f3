import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import { createTestDatabase } from '../support/database.js';
import { assertInvariants } from '../support/invariants.js';
import { NativeClient, ndjsonItems } from '../support/native-client.js';
import { type ServiceProcess, spawnService } from '../support/process.js';
import { startRedis } from '../support/redis.js';

const ITEMS = 20_000;
const KILLS = 10;
const ITEM_MS = 10;
/** So much progress between two kills, that every kill hits work under way. */
const STEP = 1_200;

describe('kill -9 of the service in the middle of a batch of 20,000 items, ten times', () => {
  it('loses and doubles nothing with the in-process queue and the embedded database', async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'batchwise-kill-'));
    const env = { DATA_DIR: dataDir };

    const { batchId, service } = await runWithKills(env);

    await proveComplete(await embeddedUrl(dataDir), batchId);
    expect(await service.end('SIGTERM')).toBe(0);
    await rm(dataDir, { recursive: true, force: true });
  }, 240_000);

  it('loses and doubles nothing with Bull on Redis', async () => {
    const database = await createTestDatabase();
    const redis = await startRedis();
    const env = { DATABASE_URL: database.url, REDIS_URL: redis.url };

    const { batchId, service } = await runWithKills(env);

    await proveComplete(database.url, batchId);
    expect(await service.end('SIGTERM')).toBe(0);
    await redis.stop();
    await database.drop();
  }, 240_000);
});

async function runWithKills(env: Record<string, string>): Promise<{ batchId: string; service: ServiceProcess }> {
  let service = await spawnService(env);
  const client = new NativeClient(service.url);
  const options = { concurrency: 40, batchSize: 100 };
  const { id: batchId } = await client.create({ operation: 'noop', open: true, parameters: { durationMs: ITEM_MS }, options });
  await client.addItems(batchId, ndjsonItems(ITEMS));
  await client.start(batchId);
  let seen = 0;
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const { counts } = await client.waitFor(batchId, (batch) => batch.counts.succeeded >= seen + STEP || batch.endedAt !== null);
    expect(counts.succeeded).toBeLessThan(ITEMS);
    expect(counts.succeeded).toBeGreaterThanOrEqual(seen);
    seen = counts.succeeded;
    await service.end('SIGKILL');
    service = await spawnService(env);
    client.url = service.url;
  }
  const ended = await client.waitForEnd(batchId);
  expect(ended).toMatchObject({ status: 'completed', progress: 100, counts: { total: ITEMS, succeeded: ITEMS, failed: 0, pending: 0 } });
  return { batchId, service };
}

async function proveComplete(databaseUrl: string, batchId: string): Promise<void> {
  const connection = new Client({ connectionString: databaseUrl });
  await connection.connect();
  try {
    await assertInvariants({ pool: connection });
    const { rows } = await connection.query(
      `SELECT count(*)::int AS outcomes, count(DISTINCT key)::int AS keys FROM outcome WHERE run_id = (SELECT run_id FROM batch WHERE id = $1)`,
      [batchId],
    );
    expect(rows).toEqual([{ outcomes: ITEMS, keys: ITEMS }]);
    // The kills really hit work under way: chunks were taken over.
    const { rows: crashed } = await connection.query<{ crashes: number }>(`SELECT sum(crashes)::int AS crashes FROM chunk`);
    expect(crashed[0]!.crashes).toBeGreaterThanOrEqual(KILLS);
  } finally {
    await connection.end();
  }
}

async function embeddedUrl(dataDir: string): Promise<string> {
  const password = (await readFile(join(dataDir, 'postgres.password'), 'utf8')).trim();
  const pidFile = await readFile(join(dataDir, 'postgres-18/postmaster.pid'), 'utf8');
  return `postgres://batchwise:${password}@127.0.0.1:${pidFile.split('\n')[3]}/batchwise`;
}
