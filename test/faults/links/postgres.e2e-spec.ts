import type { PoolClient } from 'pg';
import type { BatchView } from '../../../src/batches/batch.view.js';
import { GetBatch } from '../../../src/batches/queries/get-batch.query.js';
import { Api } from '../../contracts/api.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { createTestDatabase, type TestDatabase } from '../../support/database.js';
import { Engine } from '../../support/engine.js';
import { eventually, Gate } from '../../support/eventually.js';
import { assertInvariants } from '../../support/invariants.js';

const POOL = 4;

let database: TestDatabase;
let proxy: TcpProxy;
let engine: Engine;
let api: Api;

beforeAll(async () => {
  database = await createTestDatabase();
  const way = await TcpProxy.to(database.url);
  proxy = way.proxy;
  engine = await Engine.start({ DATABASE_URL: way.url, DATABASE_POOL_SIZE: String(POOL), LEASE_MS: '1500' });
  api = new Api(engine.service.url);
});
afterEach(() => assertInvariants(engine.database));
afterAll(async () => {
  await engine.close();
  proxy.close();
  await database.drop();
});

/** Every connection of the pool, held until the function that comes back is called. */
async function takeThePool(): Promise<() => void> {
  const clients: PoolClient[] = [];
  while (clients.length < POOL) clients.push(await engine.database.pool.connect());
  return () => clients.forEach((client) => client.release());
}

const isReady = async () => (await api.get('/health/ready')).status === 200;

describe('half-open connections', () => {
  test('are found and replaced within 10 seconds, idle ones and those that wait for an answer', async () => {
    const waiting = Array.from({ length: POOL }, () => engine.sql('SELECT pg_sleep(2)').catch((error: Error) => error));
    const busy = `SELECT FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active' AND datname = current_database()`;
    await eventually(async () => (await engine.database.heartbeats.query(busy)).rowCount === POOL, Boolean);
    proxy.deafen();
    const asked = api.get<object>('/api/batch/history');
    await eventually(isReady, Boolean, 10_000);
    for (const lost of await Promise.all(waiting)) expect(lost).toMatchObject({ message: expect.stringMatching(/^Connection terminated/) });
    expect([200, 503]).toContain((await asked).status);
    expect((await api.get('/api/batch/history')).status).toBe(200);
  }, 30_000);

  test('cost a batch under way time and nothing else', async () => {
    const started = new Gate();
    const done = new Set<string>();
    const batch = await engine.run(
      async ({ key }) => {
        started.open();
        await new Promise((resolve) => setTimeout(resolve, 20));
        done.add(key);
      },
      { filters: { count: 300 }, options: { batchSize: 5, concurrency: 4 } },
    );
    await started.opened;
    proxy.deafen();
    expect(await engine.ended(batch, 25_000)).toMatchObject({ status: 'completed', counts: { total: 300, succeeded: 300 } });
    expect(done.size).toBe(300);
  }, 40_000);

  test('are told apart from a statement that takes its time', async () => {
    const rows = await engine.sql<{ done: number }>('SELECT 1 AS done FROM pg_sleep(6)');
    expect(rows).toEqual([{ done: 1 }]);
  });
});

describe('with every connection taken', () => {
  test('a request is told so within 5 seconds', async () => {
    const giveBack = await takeThePool();
    try {
      const answers = await answersWithin5Seconds([
        api.get('/api/batch/history'),
        api.post('/api/batches', { operation: 'noop', items: ['a'] }),
      ]);
      expect(answers.map(({ status }) => status)).toEqual([503, 503]);
    } finally {
      giveBack();
    }
    expect(await isReady()).toBe(true);
  });

  test('a worker keeps its lanes', async () => {
    const [started, finish] = [new Gate(), new Gate()];
    const batch = await engine.run(
      async () => {
        started.open();
        await finish.opened;
      },
      { filters: { count: 1 }, options: { retryAttempts: 0 } },
    );
    await started.opened;
    const [before] = await engine.sql<{ lease_until: Date }>('SELECT max(lease_until) AS lease_until FROM lane');
    const giveBack = await takeThePool();
    const { heartbeats } = engine.database;
    const overtime = (now: Date) => now.getTime() > before!.lease_until.getTime() + 1_500;
    await eventually(async () => (await heartbeats.query<{ now: Date }>('SELECT clock_timestamp() AS now')).rows[0]!.now, overtime);
    const held = await heartbeats.query('SELECT FROM lane WHERE lease_until > clock_timestamp()');
    giveBack();
    expect(held.rowCount).toBe(1);
    finish.open();
    expect(await engine.ended(batch)).toMatchObject({ status: 'completed' });
    const lanes = await engine.sql('SELECT fence FROM lane JOIN run r ON r.id = run_id WHERE batch_id = $1 AND fence > 0', [batch.id]);
    expect(lanes).toEqual([{ fence: 1 }]);
  });
});

test('a command whose batch is locked by somebody else is told so within 5 seconds, and reading goes on', async () => {
  const { id } = await engine.create({ items: ['a'], start: false }, { tenant: 'default' });
  const holder = await engine.database.pool.connect();
  await holder.query('BEGIN');
  await holder.query('SELECT FROM run WHERE batch_id = $1 FOR UPDATE', [id]);
  const [cancelled, read] = await answersWithin5Seconds([api.post(`/api/batches/${id}/cancel`, {}), api.get(`/api/batches/${id}`)]);
  await holder.query('ROLLBACK');
  holder.release();
  expect([cancelled!.status, read!.status]).toEqual([503, 200]);
  expect((await api.post(`/api/batches/${id}/cancel`, {})).status).toBe(200);
});

test('200 ms more for every round trip make requests slow, and lose no lane', async () => {
  let batchId: string;
  proxy.delayMs = 100;
  try {
    const [created] = await answersWithin5Seconds([
      api.post<{ data: BatchView }>('/api/batches', {
        operation: 'noop',
        items: ['a', 'b', 'c'],
        options: { concurrency: 2, batchSize: 1 },
      }),
    ]);
    expect(created!.status).toBe(201);
    batchId = created!.body.data.id;
    await eventually(
      () => engine.call(GetBatch, { batchId }, { tenant: 'default' }),
      ({ status }) => status === 'completed',
      20_000,
    );
  } finally {
    proxy.delayMs = 0;
  }
  const crashed = 'SELECT chunk.no FROM chunk JOIN run r ON r.id = run_id WHERE crashes > 0 AND batch_id = $1';
  expect(await engine.sql(crashed, [batchId])).toEqual([]);
});

function answersWithin5Seconds<T>(answers: Promise<T>[]): Promise<T[]> {
  let timer: NodeJS.Timeout;
  const late = new Promise<never>((_, reject) => (timer = setTimeout(() => reject(new Error('no answer within 5 seconds')), 5_000)));
  return Promise.race([Promise.all(answers), late]).finally(() => clearTimeout(timer));
}
