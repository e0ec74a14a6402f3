import { createConfig, lintFromString } from '@redocly/openapi-core';
import type { BatchView } from '../../src/batches/batch.view.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { type ServiceProcess, spawnService } from '../support/process.js';

interface Content {
  schema?: { type?: string };
  example?: unknown;
}

interface Operation {
  operationId: string;
  summary?: string;
  parameters?: { name: string; in: string; example?: string }[];
  requestBody?: { content: Record<string, Content> };
  responses: Record<string, { content?: Record<string, Content> }>;
}

interface ApiDocument {
  paths: Record<string, Record<string, Operation>>;
}

const LONG_MS = 60_000;

/** The paths of two of the documented interfaces, which clients are written for. */
const AMBIGUOUS = 'Found two ambiguous paths: `/api/batch/{id}/results` and `/api/batch/jobs/{id}`.';

let database: TestDatabase;
let service: ServiceProcess;
let text: string;
let operations: (Operation & { method: string; path: string })[];

beforeAll(async () => {
  database = await createTestDatabase();
  service = await spawnService({ DATABASE_URL: database.url });
  text = await (await fetch(`${service.url}/docs-json`)).text();
  const { paths } = JSON.parse(text) as ApiDocument;
  operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ ...operation, method: method.toUpperCase(), path })),
  );
}, LONG_MS);

afterAll(async () => {
  await service.end('SIGTERM');
  await database.drop();
}, LONG_MS);

test("Redocly's recommended rules find nothing in the document but two paths that clients are written for", async () => {
  const config = await createConfig({ extends: ['recommended'] });
  const findings = await lintFromString({ source: text, absoluteRef: 'openapi.json', config });
  const told = findings.map(({ ruleId, message, location }) => `${ruleId}: ${message} (${location[0]?.pointer})`);
  expect(told.filter((finding) => !finding.includes(AMBIGUOUS))).toEqual([]);
});

test('every operation is described, and every reply of it has a schema', () => {
  expect(operations.length).toBeGreaterThan(60);
  expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length);
  expect(operations.filter(({ summary }) => !summary).map(({ operationId }) => operationId)).toEqual([]);
  const bare = operations.flatMap(({ operationId, responses }) =>
    Object.entries(responses).flatMap(([status, { content }]) =>
      content && Object.values(content).every(({ schema }) => schema) ? [] : [`${operationId} ${status}`],
    ),
  );
  expect(bare).toEqual([]);
  const undecided = operations.filter(({ responses }) => !('4XX' in responses && '5XX' in responses));
  expect(undecided.map(({ operationId }) => operationId)).toEqual([]);
});

test('bodies of lines are described as text, and every body but a form has an example', () => {
  const bodies = operations.flatMap(({ operationId, requestBody }) =>
    Object.entries(requestBody?.content ?? {}).map(([type, content]) => ({ operationId, type, ...content })),
  );
  const lines = bodies.filter(({ type }) => type === 'application/x-ndjson' || type.startsWith('text/'));
  expect(lines.length).toBeGreaterThanOrEqual(3);
  expect(lines.filter(({ schema }) => schema?.type !== 'string').map(({ operationId }) => operationId)).toEqual([]);
  const bare = bodies.filter(({ type, example }) => type !== 'multipart/form-data' && example === undefined);
  expect(bare.map(({ operationId, type }) => `${operationId} ${type}`)).toEqual([]);
});

describe('what /docs offers to try out', () => {
  const tried = new Set<string>();

  /** Sends the example as it stands. @returns the reply's data */
  async function tryOut(operationId: string, parts: Record<string, string> = {}, type = 'application/json'): Promise<BatchView> {
    const operation = operations.find((each) => each.operationId === operationId)!;
    const example = operation.requestBody?.content[type]?.example;
    const named = Object.fromEntries((operation.parameters ?? []).flatMap(({ name, example: part }) => (part ? [[name, part]] : [])));
    const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => ({ ...named, ...parts })[name] ?? `no ${name}`);
    tried.add(`${operationId} ${type}`);
    return send(operation.method, path, typeof example === 'string' ? example : JSON.stringify(example), type);
  }

  async function send(method: string, path: string, body?: string, type = 'application/json'): Promise<BatchView> {
    const reply = await fetch(service.url + path, { method, body, headers: body === undefined ? {} : { 'content-type': type } });
    const answer = (await reply.json()) as { data: BatchView };
    expect([path, reply.status, answer]).toEqual([path, reply.status < 300 ? reply.status : 200, answer]);
    return answer.data;
  }

  const create = (body: object) => send('POST', '/api/batches', JSON.stringify({ operation: 'noop', ...body }));
  const ended = ({ id }: { id: string }) =>
    eventually(
      () => send('GET', `/api/batches/${id}`),
      ({ endedAt }) => endedAt !== null,
    );

  test(
    'is accepted as it stands',
    async () => {
      const batch = await tryOut('BatchesController_create');
      await ended(batch);
      await tryOut('BatchesController_update', { id: batch.id });
      await tryOut('RetriesController_retry', { id: batch.id });
      await ended(batch);
      await tryOut('ItemsController_edit', { id: batch.id });
      await tryOut('ItemsController_retry', { id: batch.id });
      expect(await ended(batch)).toMatchObject({ counts: { succeeded: 3 } });
      await tryOut('BatchFiguresController_recordMetrics', { id: batch.id });

      const open = await create({ open: true });
      await tryOut('BatchContentsController_addItems', { id: open.id });
      await tryOut('BatchContentsController_addItems', { id: open.id }, 'application/x-ndjson');
      await tryOut('BatchMovesController_start', { id: open.id });
      expect(await ended(open)).toMatchObject({ counts: { succeeded: 4 } });

      const external = await create({ operation: 'review', external: true, items: ['a'] });
      await tryOut('BatchContentsController_recordResult', { id: external.id });
      expect(await ended(external)).toMatchObject({ counts: { succeeded: 1 } });
      const many = await create({ operation: 'review', external: true, items: ['a', 'b'] });
      await tryOut('BatchContentsController_recordResults', { id: many.id });
      expect(await ended(many)).toMatchObject({ counts: { succeeded: 1, failed: 1 } });

      const slow = await create({ items: ['a'], parameters: { durationMs: 60_000 } });
      await tryOut('BatchMovesController_pause', { id: slow.id });
      await tryOut('BatchMovesController_cancel', { id: slow.id });

      const { content } = operations.find(({ operationId }) => operationId === 'RecordsController_import')!.requestBody!;
      for (const type of Object.keys(content)) {
        const { counts } = await ended(await tryOut('RecordsController_import', {}, type));
        expect(counts.succeeded).toBe(counts.total);
      }
      await tryOut('RecordsController_put');
      await tryOut('RecordsController_get');
      await tryOut('BreakersController_update');
      await tryOut('BreakersController_get');
      await tryOut('ErpBatchController_create');
      await tryOut('ErpBatchController_cleanUp');
      await tryOut('AnnotationsController_start');
      await tryOut('DocumentsController_create');

      const offered = operations.flatMap(({ operationId, requestBody }) =>
        Object.entries(requestBody?.content ?? {}).flatMap(([type, { example }]) =>
          example === undefined ? [] : [`${operationId} ${type}`],
        ),
      );
      expect(offered.filter((each) => !tried.has(each))).toEqual([]);
    },
    LONG_MS,
  );
});
