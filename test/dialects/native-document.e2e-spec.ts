import { Api } from '../contracts/api.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { type ServiceProcess, spawnService } from '../support/process.js';

/** As much of an OpenAPI schema as the service's document has. */
interface Schema {
  $ref?: string;
  type?: string;
  nullable?: boolean;
  enum?: unknown[];
  anyOf?: Schema[];
  allOf?: Schema[];
  items?: Schema;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
}

interface ApiDocument {
  paths: Record<string, Record<string, { responses: Record<string, { content?: Record<string, { schema: Schema }> }> }>>;
  components: { schemas: Record<string, Schema> };
}

const LONG_MS = 60_000;

let database: TestDatabase;
let service: ServiceProcess;
let api: Api;
let document: ApiDocument;

beforeAll(async () => {
  database = await createTestDatabase();
  service = await spawnService({ DATABASE_URL: database.url });
  api = new Api(service.url);
  document = (await api.get<ApiDocument>('/docs-json')).body;
}, LONG_MS);

afterAll(async () => {
  await service.end('SIGTERM');
  await database.drop();
}, LONG_MS);

/** What a value has that its schema does not tell, and what it lacks. */
function differences(schema: Schema, value: unknown, at: string): string[] {
  if (schema.$ref) return differences(document.components.schemas[schema.$ref.split('/').at(-1)!]!, value, at);
  if (schema.anyOf || !(schema.type || schema.allOf || schema.enum)) return [];
  if (value === null) return schema.nullable ? [] : [`${at} is null`];
  if (schema.allOf) return schema.allOf.flatMap((each) => differences(each, value, at));
  if (schema.enum && !schema.enum.includes(value)) return [`${at} is ${JSON.stringify(value)}`];
  if (schema.type === 'array') {
    if (!Array.isArray(value)) return [`${at} is no list`];
    return value.flatMap((each, index) => differences(schema.items!, each, `${at}.${index}`));
  }
  if (schema.type === 'object') return differencesOfObject(schema, value as Record<string, unknown>, at);
  if (schema.type === undefined) return [];
  return typeof value === schema.type.replace('integer', 'number') ? [] : [`${at} is a ${typeof value}`];
}

function differencesOfObject({ properties, required = [] }: Schema, value: Record<string, unknown>, at: string): string[] {
  if (typeof value !== 'object' || Array.isArray(value)) return [`${at} is no object`];
  if (!properties) return [];
  const missing = required.filter((field) => !(field in value)).map((field) => `${at}.${field} is missing`);
  const fields = Object.entries(value).flatMap(([field, each]) => {
    const schema = properties[field];
    return schema ? differences(schema, each, `${at}.${field}`) : [`${at}.${field} is not described`];
  });
  return [...missing, ...fields];
}

test(
  'the description of /api/batches and /api/breakers tells of every route the status and all fields of its reply',
  async () => {
    const asked = new Set<string>();
    const ask = async (method: string, route: string, parts: Record<string, string> = {}, body?: unknown, query = '') => {
      asked.add(`${method} ${route}`);
      const described = document.paths[route]![method.toLowerCase()]!.responses;
      const path = route.replace(/\{(\w+)\}/g, (_, name: string) => parts[name]!);
      const answer = await api.send<{ data: { id: string; status: string; completedAt?: string } }>(method, path + query, body);
      const schema = described[String(answer.status)]?.content?.['application/json']?.schema;
      const found = schema ? differences(schema, answer.body, '') : [`answered ${answer.status}: ${JSON.stringify(answer.body)}`];
      expect([`${method} ${route}`, found]).toEqual([`${method} ${route}`, []]);
      return answer.body.data;
    };
    const base = '/api/batches';
    const ended = (id: string) =>
      eventually(
        () => ask('GET', `${base}/{id}`, { id }),
        ({ completedAt }) => completedAt !== undefined,
        LONG_MS,
      );

    const data = [{ output: [1] }, { fail: 'permanent' }];
    const { id } = await ask('POST', base, {}, { name: 'Described', type: 'noop', data });
    await ask('PATCH', `${base}/{id}`, { id }, { config: { resourceLimits: { timeout: 60 }, notificationSettings: { onStart: true } } });
    await ask('POST', `${base}/{id}/start`, { id });
    await ended(id);
    await ask('GET', base, {}, undefined, '?limit=10');
    for (const part of ['items', 'results', 'jobs', 'events', 'stats', 'analytics', 'audit', 'waiting'])
      await ask('GET', `${base}/{id}/${part}`, { id });
    await ask('POST', `${base}/{id}/metrics`, { id }, { memoryUsage: 1 });
    await ask('GET', `${base}/{id}/metrics`, { id });
    await ask('GET', `${base}/stats`);
    await ask('POST', `${base}/jobs/{jobId}/retry`, { jobId: `${id}:2` });
    await ended(id);
    await ask('POST', `${base}/{id}/jobs/{jobId}/retry`, { id, jobId: `${id}:2` });
    await ended(id);
    await ask('POST', `${base}/{id}/retry`, { id }, { seqs: [1] });
    await ended(id);
    await ask('PATCH', `${base}/{id}/items/{key}`, { id, key: '2' }, { payload: { output: 1 } });
    await ask('POST', `${base}/{id}/items/{key}/retry`, { id, key: '1' }, {}, '?by=seq');
    await ended(id);
    for (const part of ['history', 'waiting']) await ask('GET', `${base}/{id}/items/{key}/${part}`, { id, key: '2' });

    const slow = { operation: 'noop', open: true, items: [{ payload: { durationMs: 60_000 } }] };
    const open = await ask('POST', base, {}, slow);
    await ask('POST', `${base}/{id}/items`, { id: open.id }, { items: ['a', 7] });
    await ask('POST', `${base}/{id}/start`, { id: open.id }, { open: true });
    await ask('GET', `${base}/{id}/waiting`, { id: open.id });
    await ask('GET', `${base}/{id}/items/{key}/waiting`, { id: open.id, key: 'a' });
    for (const move of ['seal', 'pause', 'resume', 'cancel']) await ask('POST', `${base}/{id}/${move}`, { id: open.id });
    await ended(open.id);
    await ask('DELETE', `${base}/{id}`, { id: open.id });

    const outside = await ask('POST', base, {}, { name: 'Outside', data: ['a'] });
    await ask('POST', `${base}/{id}/results`, { id: outside.id }, { key: '1', success: true, output: 'done' });
    const many = await ask('POST', base, {}, { name: 'Many outside', data: ['a'] });
    await ask('POST', `${base}/{id}/results/bulk`, { id: many.id }, { results: [{ key: '1', success: true, output: 'done' }] });
    const config = { backupStrategy: 'auto', parameters: { collection: 'described' } };
    const saved = await ask('POST', base, {}, { name: 'Saved', type: 'import', data: [{ id: 'a' }], config });
    await ask('PATCH', `${base}/{id}`, { id: saved.id }, { status: 'running' });
    await ended(saved.id);
    await ask('POST', `${base}/{id}/restore`, { id: saved.id });
    await ask('GET', `${base}/{id}/rollback`, { id: saved.id });
    await ask('GET', `${base}/{id}`, { id: saved.id });

    await ask('PATCH', '/api/breakers/{provider}', { provider: 'mail' }, { failures: 2 });
    await ask('GET', '/api/breakers/{provider}', { provider: 'mail' });
    await ask('GET', '/api/breakers');

    const routes = Object.entries(document.paths)
      .filter(([route]) => route.startsWith(base) || route.startsWith('/api/breakers'))
      .flatMap(([route, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${route}`));
    expect([...asked].sort()).toEqual(routes.sort());
  },
  2 * LONG_MS,
);

test('the description takes any JSON as data, and names the fields of every request', () => {
  const { schemas } = document.components;
  expect(schemas.CreateBatchOfDataRequest!.properties!.data!.items).toEqual({});
  expect(Object.keys(schemas.RetryRequest!.properties!)).toEqual([
    'statuses',
    'keys',
    'seqs',
    'errorKind',
    'error',
    'errorMatch',
    'continueAttempts',
  ]);
});
