import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PagesModule } from '../../examples/own-item-handler.js';
import type { BatchView } from '../../src/batches/batch.view.js';
import type { OutcomeView } from '../../src/batches/item.view.js';
import { Api, type Problem } from '../contracts/api.js';
import { eventually } from '../support/eventually.js';
import { startTestService, type TestService } from '../support/service.js';

type Reply<Data> = { data: Data };

/** The example of docs/write-an-item-handler.md, in a service of its own, against a site of its own. */
describe('an item handler of your own', () => {
  let service: TestService;
  let api: Api;
  let site: Server;
  let siteUrl: string;
  const keysSeen = new Map<string, Set<string>>();
  const asked = new Map<string, number>();

  beforeAll(async () => {
    site = createServer((request, response) => {
      const path = request.url!;
      const times = (asked.get(path) ?? 0) + 1;
      asked.set(path, times);
      keysSeen.set(path, (keysSeen.get(path) ?? new Set()).add(String(request.headers['idempotency-key'])));
      if (path === '/pages/2') response.writeHead(404).end();
      else if (path === '/pages/3' && times < 3) response.writeHead(500).end('broken');
      else if (path === '/pages/4' && times < 2) response.writeHead(429, { 'retry-after': '0.05' }).end();
      else if (path === '/pages/5') response.writeHead(200).end();
      else response.writeHead(200).end('x'.repeat(250));
    });
    await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
    siteUrl = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
    service = await startTestService({}, { modules: [PagesModule] });
    api = new Api(service.url);
  });

  afterAll(async () => {
    await service.close();
    site.close();
  });

  const finished = async (id: string) => {
    const { body } = await eventually(
      () => api.get<Reply<BatchView>>(`/api/batches/${id}`),
      (answer) => answer.body.data.endedAt !== null,
    );
    const results = await api.get<Reply<OutcomeView[]>>(`/api/batches/${id}/results`);
    return { batch: body.data, results: results.body.data };
  };

  test('chooses its items by its filters, and each ends as it said', async () => {
    const created = await api.post<Reply<BatchView>>('/api/batches', {
      operation: 'measure-page',
      filters: { siteUrl, pages: 5 },
      parameters: { maxBytes: 1_000 },
      options: { retryAttempts: 3, retryDelay: 10 },
    });
    expect(created.status).toBe(201);
    const { batch, results } = await finished(created.body.data.id);
    expect(batch).toMatchObject({ status: 'completed', counts: { total: 5, succeeded: 3, failed: 1, skipped: 1 } });
    expect(results).toMatchObject([
      { key: 'page-1', status: 'succeeded', output: { bytes: 250 }, quality: 0.25, attempts: 1 },
      { key: 'page-2', status: 'failed', error: { kind: 'permanent', message: `${siteUrl}/pages/2 does not exist` }, attempts: 1 },
      { key: 'page-3', status: 'succeeded', attempts: 3 },
      { key: 'page-4', status: 'succeeded', attempts: 1 },
      { key: 'page-5', status: 'skipped', attempts: 1 },
    ]);
    expect(keysSeen.get('/pages/3')!.size).toBe(1);
  });

  test('an item with a wrong payload fails alone', async () => {
    const items = [
      { key: 'good', payload: { url: `${siteUrl}/pages/1` } },
      { key: 'bad', payload: { url: 'not a page' } },
      { key: 'none' },
    ];
    const created = await api.post<Reply<BatchView>>('/api/batches', { operation: 'measure-page', items });
    const { batch, results } = await finished(created.body.data.id);
    expect(batch.counts).toMatchObject({ succeeded: 1, failed: 2 });
    expect(results[1]!.error).toMatchObject({ message: expect.stringContaining('url') as string });
  });

  test.each([
    [{ parameters: { maxBytes: 'many' }, items: ['a'] }, 'parameters.maxBytes'],
    [{ parameters: { maxByte: 5 }, items: ['a'] }, 'parameters.maxByte'],
    [{ filters: { siteUrl: 5, pages: 1 } }, 'filters.siteUrl'],
  ])('a batch with a wrong setting is refused: %j', async (settings, path) => {
    const answer = await api.post<Problem>('/api/batches', { operation: 'measure-page', ...settings });
    expect(answer.status).toBe(400);
    expect(answer.body.details.errors.map((error) => error.path)).toEqual([path]);
  });
});

test('the guide shows what the example says', () => {
  const example = readFileSync('examples/own-item-handler.ts', 'utf8');
  const shown = [...readFileSync('docs/write-an-item-handler.md', 'utf8').matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code]) => code!);
  expect(shown.length).toBeGreaterThan(0);
  // The first one is a file of its own, in a fork.
  expect(shown.filter((code) => !example.includes(code)).map((code) => code.split('\n')[0])).toEqual([
    '// src/operations/greet.item-handler.ts',
  ]);
});
