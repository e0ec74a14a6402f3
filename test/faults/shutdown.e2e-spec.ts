import { Client } from 'pg';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { NativeClient } from '../support/native-client.js';
import { spawnService } from '../support/process.js';

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

  it('ends at once at the second signal', async () => {
    const service = await spawnService({ DATABASE_URL: database.url, SHUTDOWN_GRACE_MS: '60000', NOOP_FAULTS: 'true' });
    const client = new NativeClient(service.url);
    const { id } = await client.create({ operation: 'noop', items: [{ key: 'hangs', payload: { hang: true } }] });
    await client.waitFor(id, (batch) => batch.counts.running === 1);
    const ended = service.end('SIGTERM');
    await eventually(
      () => service.output(),
      (printed) => printed.includes('SIGTERM'),
    );

    expect(await service.end('SIGTERM')).toBe(1);
    await ended;
  }, 60_000);
});

async function rows(query: string): Promise<object[]> {
  const connection = new Client({ connectionString: database.url });
  await connection.connect();
  const found = await connection.query<object>(query);
  await connection.end();
  return found.rows;
}
