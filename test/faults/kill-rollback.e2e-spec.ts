import { Client } from 'pg';
import { join } from 'node:path';
import type { BatchView } from '../../src/batches/batch.view.js';
import type { RollbackReport } from '../../src/batches/rollback.view.js';
import { Api } from '../contracts/api.js';
import { createTestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { spawnService } from '../support/process.js';

const UNDOING = join(__dirname, '../support/undoing-service.mjs');
const LONG_MS = 120_000;
const COUNT = 20;

test(
  'a rollback whose process is killed in the middle goes on where it was: only what was in work is tried again, under the same key',
  async () => {
    const database = await createTestDatabase();
    const client = new Client({ connectionString: database.url });
    await client.connect();
    await client.query('CREATE TABLE undone (no int GENERATED ALWAYS AS IDENTITY, key text, idempotency_key text, attempt int)');
    const env = { DATABASE_URL: database.url };
    const killed = await spawnService({ ...env, HANG_AT: '8' }, UNDOING);
    const keys = Array.from({ length: COUNT }, (_, n) => String(n + 1));
    const input = {
      operation: 'undoable',
      items: keys.map((key) => ({ key })),
      options: { concurrency: 1, timeout: 600_000 },
      start: true,
    };
    const { id } = (await new Api(killed.url).post<{ data: BatchView }>('/api/batches', input)).body.data;
    const report = async (url: string) => (await new Api(url).get<{ data: RollbackReport }>(`/api/batches/${id}/rollback`)).body.data;
    await eventually(
      async () => (await new Api(killed.url).get<{ data: BatchView }>(`/api/batches/${id}`)).body.data,
      ({ status }) => status === 'completed',
      LONG_MS,
    );
    expect((await new Api(killed.url).post(`/api/batches/${id}/restore`)).status).toBe(200);
    await eventually(
      async () => (await client.query(`SELECT FROM undone WHERE key = '8'`)).rows.length,
      (count) => count === 1,
      LONG_MS,
    );
    expect(await report(killed.url)).toMatchObject({ status: 'due', compensations: { compensated: 12, left: 8 }, current: { key: '8' } });
    await killed.end('SIGKILL');

    const next = await spawnService(env, UNDOING);
    await eventually(
      () => report(next.url),
      ({ status, compensations }) => status === 'done' && compensations.compensated === COUNT,
      LONG_MS,
    );
    const { rows } = await client.query<{ key: string; idempotency_key: string; attempt: number }>('SELECT * FROM undone ORDER BY no');
    const reversed = keys.toReversed();
    expect(rows.map(({ key }) => key)).toEqual([...reversed.slice(0, 13), ...reversed.slice(12)]);
    expect(rows.every(({ attempt }) => attempt === 1)).toBe(true);
    expect(new Set(rows.map(({ idempotency_key: key }) => key)).size).toBe(COUNT);
    await next.end('SIGTERM');
    await client.end();
    await database.drop();
  },
  2 * LONG_MS,
);
