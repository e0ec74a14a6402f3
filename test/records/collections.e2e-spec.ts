import type { RecordView } from '../../src/records/record.view.js';
import { Api, type Problem } from '../contracts/api.js';
import { eventually } from '../support/eventually.js';
import { startTestService, type TestService } from '../support/service.js';

interface Names {
  data: { name: string; records: number; bytes: number }[];
  pagination: { limit: number; nextName: string | null };
}

const ACME = { 'x-api-key': 'acme-key-0123456789abcdef' };
const GLOBEX = { 'x-api-key': 'globex-key-0123456789abcdef' };

let service: TestService;
let acme: Api;
let globex: Api;

beforeAll(async () => {
  service = await startTestService({ API_KEYS: `acme:${ACME['x-api-key']},globex:${GLOBEX['x-api-key']}` });
  acme = new Api(service.url, ACME);
  globex = new Api(service.url, GLOBEX);
  for (const name of ['orders', 'customers', 'parts.2026', 'archive'])
    await acme.send('PUT', `/api/records/${name}/1`, { fields: { n: 1 } });
  await globex.send('PUT', '/api/records/secrets/1', { fields: { n: 1 } });
});

afterAll(() => service.close());

const namesOf = (body: Names) => body.data.map(({ name }) => name);

test('the collections are listed by name, a page after the other, and nobody sees those of others', async () => {
  const all = (await acme.get<Names>('/api/records')).body;
  expect(namesOf(all)).toEqual(['archive', 'customers', 'orders', 'parts.2026']);
  expect(all.data[0]).toEqual({ name: 'archive', records: 1, bytes: '1{"n": 1}'.length });
  expect(all.pagination).toEqual({ limit: 100, nextName: null });
  const first = (await acme.get<Names>('/api/records?limit=3')).body;
  const { nextName } = first.pagination;
  const second = (await acme.get<Names>(`/api/records?limit=3&afterName=${nextName}`)).body;
  expect([...namesOf(first), ...namesOf(second)]).toEqual(namesOf(all));
  expect(namesOf((await globex.get<Names>('/api/records')).body)).toEqual(['secrets']);
});

test('a page has a thousand records when asked for them, and no more', async () => {
  const lines = Array.from({ length: 1_200 }, (_, n) => `{"n":${n}}\n`).join('');
  await acme.sendText('/api/records/many/import', lines, 'application/x-ndjson');
  const page = await eventually(
    () =>
      acme.get<{ data: RecordView[]; pagination: { nextKey: string | null; total: number } }>('/api/records/many?limit=1000&count=true'),
    ({ body }) => body.pagination.total === 1_200 && body.data.length === 1_000,
    30_000,
  );
  expect(page.body.pagination.nextKey).not.toBeNull();
  expect((await acme.get<Problem>('/api/records/many?limit=1001')).status).toBe(400);
});

test('a record is deleted once, and another of the same key elsewhere stays', async () => {
  await acme.send('PUT', '/api/records/orders/2', { fields: { n: 2 } });
  await globex.send('PUT', '/api/records/orders/2', { fields: { n: 3 } });
  expect((await acme.delete<object>('/api/records/orders/2')).body).toEqual({ success: true, data: { deleted: 1, complete: true } });
  const again = await acme.delete<Problem>('/api/records/orders/2');
  expect([again.status, again.body.message]).toEqual([404, expect.stringContaining('no record 2')]);
  expect((await acme.get('/api/records/orders/1')).status).toBe(200);
  expect((await globex.get('/api/records/orders/2')).status).toBe(200);
});

test('a collection is deleted with all of its records, more than one slice of them, and no other', async () => {
  await service.database.pool.query(
    `INSERT INTO record (tenant, collection, key, fields) SELECT 'acme', 'large', n::text, '{}' FROM generate_series(1, 12000) n`,
  );
  await globex.send('PUT', '/api/records/large/1', { fields: {} });
  expect((await acme.delete<object>('/api/records/large')).body).toEqual({ success: true, data: { deleted: 12_000, complete: true } });
  expect((await acme.delete<object>('/api/records/large')).body).toEqual({ success: true, data: { deleted: 0, complete: true } });
  expect(namesOf((await acme.get<Names>('/api/records')).body)).not.toContain('large');
  expect((await globex.get('/api/records/large/1')).status).toBe(200);
});
