import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from 'pg';
import type { BatchView } from '../../src/batches/batch.view.js';
import type { Waiting } from '../../src/waiting/waiting.view.js';
import { Api, type Problem } from '../contracts/api.js';
import { START_MS } from '../support/cluster.js';
import { createTestDatabase } from '../support/database.js';
import { Engine } from '../support/engine.js';
import { eventually } from '../support/eventually.js';
import { spawnService } from '../support/process.js';
import { startTestService } from '../support/service.js';

type Reply<Data> = { data: Data };
type Ready = { status: string; details: { space: { status: string; files?: { message: string; missingMb: number } } } };

/** More than any disk has. */
const EVERYTHING = '100000000';

test('below the reserve of the disk for files an upload answers 507 with what is missing, before it is read; all else goes on', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'batchwise-space-'));
  const service = await startTestService({ MIN_FREE_MB: EVERYTHING, DATA_DIR: dataDir });
  const api = new Api(service.url);
  const words =
    /^no space left in DATA_DIR, where files are stored: \d+ MB are free, and 100000000 MB are kept back \(MIN_FREE_MB\); make room for \d+ MB$/;

  const form = new FormData();
  form.append('file', new Blob(['a,b\n1,2\n']), 'a.csv');
  for (const path of ['/api/files', '/api/batch/upload']) {
    const answer = await fetch(service.url + path, { method: 'POST', body: form });
    const { message } = (await answer.json()) as Problem;
    expect([path, answer.status, message]).toEqual([path, 507, expect.stringMatching(words)]);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(message).not.toContain(dataDir);
  }
  expect(await readdir(join(dataDir, 'files'), { recursive: true })).toEqual(['incoming']);
  const { status, body } = await api.get<Ready>('/health/ready');
  expect(status).toBe(200);
  expect(body.details.space).toMatchObject({
    status: 'degraded',
    files: { message: expect.stringMatching(words), missingMb: expect.any(Number) },
  });
  const { body: created } = await api.post<Reply<BatchView>>('/api/batches', { operation: 'noop', items: ['a'] });
  await eventually(
    () => api.get<Reply<BatchView>>(`/api/batches/${created.data.id}`),
    ({ body }) => body.data.status === 'completed',
  );
  await service.close();
  await rm(dataDir, { recursive: true, force: true });
});

test(
  'a database elsewhere without space: results are kept and recorded once, intake is refused, every process says so, work goes on by itself',
  async () => {
    const database = await createTestDatabase();
    const engine = await Engine.start({ DATABASE_URL: database.url, ROLE: 'worker', LEASE_MS: '60000' });
    const service = await spawnService({ DATABASE_URL: database.url, ROLE: 'api' });
    const api = new Api(service.url);
    const runs = new Map<string, number>();
    const { id } = await engine.run(
      ({ key }) => void runs.set(key, (runs.get(key) ?? 0) + 1),
      { filters: { count: 20 }, options: { concurrency: 2, batchSize: 5 }, start: false },
      { tenant: 'default' },
    );
    const get = async () => (await api.get<Reply<BatchView>>(`/api/batches/${id}`)).body.data;
    const words = "no space left on the database's disk; somebody has to make room there";

    await fillDisk(database.url);
    await api.post(`/api/batches/${id}/start`);
    expect(await eventually(get, ({ reason }) => reason !== null, 30_000)).toMatchObject({ status: 'running', reason: words });
    const { gates } = (await api.get<Reply<Waiting>>(`/api/batches/${id}/waiting`)).body.data;
    expect(gates).toMatchObject([{ gate: 'no-space', message: `${words}; the batch goes on by itself then` }, { gate: 'concurrency' }]);
    for (const [method, path, body] of [
      ['POST', '/api/batches', { operation: 'noop', items: ['a'] }],
      ['PUT', '/api/records/people/1', { fields: {} }],
    ] as const) {
      const { status, body: problem } = await api.send<Problem>(method, path, body);
      expect([path, status, problem.message]).toEqual([path, 507, words]);
    }
    const imported = await api.sendText<Problem>('/api/records/people/import', '{"name":"Keller"}', 'application/x-ndjson');
    expect([imported.status, imported.body.message]).toEqual([507, words]);
    expect(runs.size).toBeLessThan(20);

    await makeRoom(database.url);
    expect(await eventually(get, ({ status }) => status === 'completed', 30_000)).toMatchObject({
      reason: null,
      counts: { succeeded: 20 },
    });
    expect([...runs.values()].every((times) => times === 1)).toBe(true);
    // Other processes hear of it with the workers' next reports.
    const create = () => api.post('/api/batches', { operation: 'noop', items: ['a'] });
    await eventually(create, ({ status }) => status === 201, 30_000);
    expect(await service.end('SIGTERM')).toBe(0);
    await engine.close();
    await database.drop();
  },
  START_MS,
);

/** Outcomes and new tables find no space, as PostgreSQL says it on a full disk. */
async function fillDisk(url: string): Promise<void> {
  await asSuperuser(
    url,
    `CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE SQLSTATE '53100'; END $$;
     CREATE TRIGGER full_disk BEFORE INSERT ON outcome FOR EACH STATEMENT EXECUTE FUNCTION full_disk();
     CREATE FUNCTION no_table() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE SQLSTATE '53100'; END $$;
     CREATE EVENT TRIGGER no_table ON ddl_command_start WHEN TAG IN ('CREATE TABLE AS') EXECUTE FUNCTION no_table()`,
  );
}

const makeRoom = (url: string): Promise<void> => asSuperuser(url, 'DROP EVENT TRIGGER no_table; DROP TRIGGER full_disk ON outcome');

/** The embedded server's superuser has the same password. */
async function asSuperuser(url: string, sql: string): Promise<void> {
  const client = new Client({ connectionString: Object.assign(new URL(url), { username: 'postgres' }).toString() });
  await client.connect();
  await client.query(sql).finally(() => client.end());
}
