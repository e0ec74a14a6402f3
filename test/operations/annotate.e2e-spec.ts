import { readFileSync } from 'node:fs';
import type { ErpBatchReply, ErpCreatedReply, ErpResultsReply, ErpVisualizationReply } from '../../src/dialects/erp/erp.reply.js';
import type { BatchView } from '../../src/batches/batch.view.js';
import type { OutcomeView } from '../../src/batches/item.view.js';
import type { RecordView } from '../../src/records/record.view.js';
import { Api, type Problem } from '../contracts/api.js';
import { eventually } from '../support/eventually.js';
import { startTestService, type TestService } from '../support/service.js';

type Reply<Data> = { data: Data };

const PACKAGES = [
  'fastify',
  'ioredis',
  'bull',
  'pino',
  'typeorm',
  'rxjs',
  'csv-parse',
  'compromise',
  'jest',
  'prettier',
  'pino-http',
  'zod',
];

describe('annotating records', () => {
  let service: TestService;
  let api: Api;

  beforeAll(async () => {
    service = await startTestService();
    api = new Api(service.url);
    const lines = PACKAGES.map((name) => {
      const { version, description, license } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')) as Record<
        string,
        string
      >;
      return JSON.stringify({ name, version, description, license, readme: readFileSync(`node_modules/${name}/README.md`, 'utf8') });
    });
    const imported = await api.sendText<Reply<BatchView>>(
      '/api/records/packages/import?keyField=name',
      lines.join('\n'),
      'application/x-ndjson',
    );
    await ended(imported.body.data.id);
  });

  afterAll(() => service.close());

  const ended = async (id: string) =>
    (
      await eventually(
        () => api.get<Reply<BatchView>>(`/api/batches/${id}`),
        ({ body }) => body.data.endedAt !== null,
      )
    ).body.data;

  const record = async (key: string) => (await api.get<Reply<RecordView>>(`/api/records/packages/${key}`)).body.data;

  test('the ERP interface: the records that match are read, and what was found is written into them', async () => {
    const created = await api.post<ErpCreatedReply>('/api/batch/create', {
      operation: 'annotate',
      filters: { license: 'MIT', annotation_status: 'pending' },
      options: { collection: 'packages', model: 'gpt-4', batchSize: 5, retryAttempts: 3 },
      name: 'Annotate packages',
    });
    expect(created.status).toBe(201);
    expect(created.body.warnings).toEqual([expect.stringContaining('options.model has no effect: ')]);
    const id = created.body.batch.id;
    const licensed = PACKAGES.filter(
      (name) => (JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8')) as { license: string }).license === 'MIT',
    );
    expect(await ended(id)).toMatchObject({ status: 'completed', counts: { total: licensed.length, succeeded: licensed.length } });

    const batch = (await api.get<ErpBatchReply>(`/api/batch/${id}`)).body.batch;
    expect(batch).toMatchObject({ status: 'completed', progress: 100, total_items: licensed.length, failed_items: 0 });
    const { results } = (await api.get<ErpResultsReply>(`/api/batch/${id}/results`)).body.batch;
    expect(results.map(({ nodeId }) => nodeId)).toEqual([...licensed].sort());
    for (const result of results) {
      expect(result).toMatchObject({ success: true, result: { analyzer: 'offline', language: 'en' } });
      expect(result.qualityScore).toBeCloseTo((result.result as { qualityScore: number }).qualityScore);
    }
    expect(new Set(results.map(({ qualityScore }) => qualityScore)).size).toBeGreaterThan(licensed.length / 2);
    const { visualization } = (await api.get<ErpVisualizationReply>(`/api/batch/${id}/viz`)).body;
    expect(visualization.qualityDistribution.length).toBeGreaterThan(0);

    const fastify = await record('fastify');
    expect(fastify.fields.annotation_status).toBe('done');
    expect(fastify.fields.annotation).toEqual(results.find(({ nodeId }) => nodeId === 'fastify')!.result);
    expect(fastify.fields.readme).toBe(readFileSync('node_modules/fastify/README.md', 'utf8'));
  });

  test('what was done is no longer pending', async () => {
    const created = await api.post<ErpCreatedReply>('/api/batch/create', {
      operation: 'annotate',
      filters: { license: 'MIT', annotation_status: 'pending' },
      options: { collection: 'packages' },
    });
    expect(await ended(created.body.batch.id)).toMatchObject({ status: 'completed', counts: { total: 0 } });
  });

  test('a key that is no record fails alone and for good', async () => {
    const created = await api.post<Reply<BatchView>>('/api/batches', {
      operation: 'annotate',
      items: ['fastify', 'no-such-package', 'pino'],
      parameters: { collection: 'packages' },
    });
    const { id } = created.body.data;
    expect((await ended(id)).counts).toMatchObject({ succeeded: 2, failed: 1 });
    const failures = await api.get<Reply<OutcomeView[]>>(`/api/batches/${id}/results?status=failed`);
    expect(failures.body.data).toMatchObject([
      {
        key: 'no-such-package',
        attempts: 1,
        error: { kind: 'permanent', message: 'record no-such-package not found in collection packages' },
      },
    ]);
  });

  test('the text of the record’s file is read as well', async () => {
    const form = new FormData();
    form.append(
      'file',
      new Blob(['Sehr geehrte Frau Keller, die Rechnung für den Monat Oktober ist bis Ende November fällig und noch nicht bezahlt.']),
      'brief.txt',
    );
    const file = await fetch(`${service.url}/api/files`, { method: 'POST', body: form });
    const { data } = (await file.json()) as Reply<{ id: string }>;
    await api.send('PUT', '/api/records/letters/1', { fields: { subject: 'Rechnung' }, fileId: data.id });
    const created = await api.post<Reply<BatchView>>('/api/batches', {
      operation: 'annotate',
      filters: {},
      parameters: { collection: 'letters' },
    });
    await ended(created.body.data.id);
    const letter = (await api.get<Reply<RecordView>>('/api/records/letters/1')).body.data;
    expect(letter).toMatchObject({ fileId: data.id, fields: { annotation: { language: 'de' } } });
  });

  test.each([
    [{ filters: { a: { $where: 1 } } }, 'filters.a.$where'],
    [{ filters: {}, parameters: { collection: '../etc' } }, 'parameters.collection'],
    [{ filters: {}, parameters: { textFields: 'all' } }, 'parameters.textFields'],
  ])('a wrong batch is refused and nothing is left: %j', async (input, path) => {
    const before = await api.get<{ pagination: { total: number } }>('/api/batches');
    const answer = await api.post<Problem>('/api/batches', { operation: 'annotate', ...input });
    expect(answer.status).toBe(400);
    expect(answer.body.details.errors[0]!.path).toBe(path);
    const after = await api.get<{ pagination: { total: number } }>('/api/batches');
    expect(after.body.pagination.total).toBe(before.body.pagination.total);
  });
});
