import type { ItemView } from '../../src/batches/item.view.js';
import type { CreatedDocumentJobReply, DocumentJobReply } from '../../src/dialects/documents/documents.reply.js';
import { Client } from 'pg';
import { Api } from '../contracts/api.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { FakeProvider, GOOD_FINDINGS } from '../support/fake-provider.js';
import { type ServiceProcess, spawnService } from '../support/process.js';

const JOBS = '/api/v1/documents/batch-process';
const LONG_MS = 60_000;

describe('a provider that several processes ask', () => {
  let database: TestDatabase;
  let provider: FakeProvider;
  let client: Client;
  const services: ServiceProcess[] = [];

  beforeAll(async () => {
    [database, provider] = await Promise.all([createTestDatabase(), FakeProvider.start()]);
    for (let n = 0; n < 2; n += 1) await start();
    client = new Client({ connectionString: database.url });
    await client.connect();
  }, 3 * LONG_MS);

  afterAll(async () => {
    await Promise.all(services.map((service) => service.end('SIGTERM')));
    await client.end();
    await provider.close();
    await database.drop();
  }, LONG_MS);

  const start = async () => {
    const env = { DATABASE_URL: database.url, AI_BASE_URL: provider.url, AI_MODEL: 'reader-1', LOG_LEVEL: 'info', LEASE_MS: '3000' };
    services.push(await spawnService({ ...env, AI_BREAKER_FAILURES: '3', AI_BREAKER_OPEN_MS: '3600000' }));
  };
  /** In the process that asked for it. */
  const probes = (service: ServiceProcess) => service.output().split('circuit half open').length - 1;

  test(
    'has one probe over all of them; when its process is killed another one tries, and no try of an item is lost or counted twice',
    async () => {
      const api = () => new Api(services.at(-1)!.url);
      const ids = Array.from({ length: 12 }, (_, n) => `d${n}`);
      for (const id of ids) await api().send('PUT', `/api/records/documents/${id}`, { fields: { text: `This is the document ${id}.` } });
      let mode: 'down' | 'silent' | 'up' = 'down';
      provider.answer = () => (mode === 'down' ? { status: 500 } : mode === 'up' ? { findings: GOOD_FINDINGS } : () => undefined);
      const options = { maxConcurrent: 12, retryAttempts: 9, retryDelay: 0, timeout: 300_000 };
      const created = await api().post<CreatedDocumentJobReply>(JOBS, { documentIds: ids, type: 'QUALITY_CHECK', options });
      const { jobId } = created.body.data;
      const waiting = (why: string, count: number, meanwhile?: () => Promise<unknown>) =>
        eventually(
          async () => {
            await meanwhile?.();
            return (await api().get<{ data: ItemView[] }>(`/api/batches/${jobId}/items`)).body.data;
          },
          (all) => all.filter(({ status, error }) => status === 'retrying' && error?.message.includes(why)).length === count,
          LONG_MS,
        );
      await waiting('left alone', 12);
      mode = 'silent';
      const sent = provider.requests.length;
      await client.query('UPDATE circuit_breaker SET open_until = clock_timestamp()');
      // A process that has not looked at the circuit since tells an item to wait once more.
      await waiting('one item tries', 11, () => client.query('UPDATE retry SET due_at = clock_timestamp()'));
      expect(provider.requests).toHaveLength(sent + 1);
      const holder = services.findIndex((service) => probes(service) > 0);
      expect(services.map(probes).sort()).toEqual([0, 1]);
      const [killed] = services.splice(holder, 1);
      mode = 'up';
      await killed!.end('SIGKILL');
      const job = await eventually(
        async () => (await api().get<DocumentJobReply>(`${JOBS}/${jobId}`)).body.data,
        ({ completedAt }) => completedAt !== undefined,
        LONG_MS,
      );
      expect(job).toMatchObject({ status: 'COMPLETED', failedDocuments: 0 });
      const { rows } = await client.query<{ attempts: number }>('SELECT sum(attempts)::int AS attempts FROM outcome');
      // Neither what a dead process had not recorded nor what was told to wait counts.
      expect(rows[0]!.attempts).toBeGreaterThanOrEqual(ids.length);
      expect(rows[0]!.attempts).toBeLessThan(provider.requests.length);
      expect((await api().get<{ data: object[] }>('/api/breakers')).body.data).toMatchObject([{ provider: 'ai', state: 'closed' }]);
    },
    2 * LONG_MS,
  );

  test(
    'is left alone by a process that starts while the circuit is open',
    async () => {
      const openedAt = `opened_at = clock_timestamp(), open_until = clock_timestamp() + interval '1 hour', failed = 3`;
      await client.query(`UPDATE circuit_breaker SET ${openedAt}`);
      await services.pop()!.end('SIGTERM');
      await start();
      const api = new Api(services.at(-1)!.url);
      const sent = provider.requests.length;
      const created = await api.post<CreatedDocumentJobReply>(JOBS, { documentIds: ['d0'], type: 'QUALITY_CHECK' });
      const { jobId } = created.body.data;
      await eventually(
        async () => (await api.get<{ data: ItemView[] }>(`/api/batches/${jobId}/items`)).body.data,
        ([item]) => item?.error?.message === 'provider ai: failed 3 times in a row and is left alone',
      );
      expect(provider.requests).toHaveLength(sent);
      await api.post(`${JOBS}/${jobId}/cancel`);
    },
    LONG_MS,
  );
});
