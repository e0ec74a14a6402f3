import { request } from 'node:http';
import { Api, type Problem } from '../contracts/api.js';
import { type ApiDocument, type Operation, resolved, type Schema } from '../support/api-document.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import {
  faultOf,
  forEach,
  HOSTILE_VALUES,
  type HostileValue,
  isProblem,
  jsonWith,
  type Spot,
  spotAt,
  type Told,
} from '../support/hostile.js';
import { type ServiceProcess, spawnService } from '../support/process.js';

// Built from the service's own description: a route that is added later is covered by itself.

/** Routes that change something and read no body. */
const WITHOUT_BODY: Record<string, string> = {
  'POST /api/batch/{id}/cancel': 'a cancel needs nothing',
  'POST /api/batch/annotations/{jobId}/cancel': 'a cancel needs nothing',
  'POST /api/v1/documents/batch-process/{jobId}/cancel': 'a cancel needs nothing',
  'POST /api/batches/{id}/seal': 'a seal needs nothing',
  'POST /api/batches/{id}/resume': 'a resume needs nothing',
  'POST /api/batches/{id}/restore': 'all that the batch changed',
  'POST /api/batches/jobs/{jobId}/retry': 'the job is in the address',
  'POST /api/batches/{id}/jobs/{jobId}/retry': 'the job is in the address',
  'DELETE /api/batches/{id}': 'the batch is in the address',
  'DELETE /api/files/{id}': 'the file is in the address',
  'DELETE /api/records/{collection}': 'the collection is in the address',
  'DELETE /api/records/{collection}/{key}': 'the record is in the address',
};

/** Where text that PostgreSQL cannot hold is kept, by a rule of docs/values.md. */
const KEPT: Record<string, RegExp> = {
  'POST /api/batch/create': /^items(\.0(\.payload.*)?)?$/,
  'POST /api/batches': /^(items(\.0(\.payload.*)?)?|data.*)$/,
  'POST /api/batches/{id}/items': /^items(\.0(\.payload.*)?)?$/,
  'PATCH /api/batches/{id}/items/{key}': /^payload/,
  'POST /api/batches/{id}/items/{key}/retry': /^payload/,
  'POST /api/batches/{id}/results': /^output/,
  'POST /api/batches/{id}/results/bulk': /^results(\.\d+\.output.*)?$/,
  'POST /api/batches/{id}/metrics': /^/,
};

/** Values for required fields, by their name: of other ones the type tells enough. */
const EXAMPLES: Record<string, unknown> = { operation: 'noop', batchId: 'x', fileId: '00000000-0000-4000-8000-000000000000' };

const LONG_MS = 180_000;
const AT_ONCE = 8;

interface Route {
  name: string;
  method: string;
  path: string;
  operation: Operation;
}

let database: TestDatabase;
let service: ServiceProcess;
let api: Api;
let document: ApiDocument;
let routes: Route[];

beforeAll(async () => {
  database = await createTestDatabase();
  service = await spawnService({ DATABASE_URL: database.url, CREATE_LIMIT_PER_MINUTE: '100000', UPLOADS_PER_HOUR: '100000' });
  api = new Api(service.url);
  document = (await api.get<ApiDocument>('/docs-json')).body;
  routes = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      method: method.toUpperCase(),
      path,
      operation,
    })),
  );
}, LONG_MS);

afterAll(async () => {
  await service.end('SIGTERM');
  await database.drop();
}, LONG_MS);

async function send(method: string, path: string, body?: string | Buffer, headers: Record<string, string> = {}): Promise<Told> {
  const type: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' };
  const response = await fetch(service.url + path, { method, body: body as string, headers: { ...type, ...headers } });
  const text = await response.text();
  const told = { status: response.status, text };
  return response.ok ? told : { ...told, problem: asProblem(text) };
}

function asProblem(text: string): Problem | undefined {
  try {
    return JSON.parse(text) as Problem;
  } catch {
    return undefined;
  }
}

/** The route's address for things that are there: a batch that has ended, or one that takes more items. */
async function addressOf({ path, method }: Route): Promise<string> {
  const open = method === 'POST' && path.endsWith('/items');
  const { body } = await api.post<{ data: { id: string } }>('/api/batches', { operation: 'noop', items: ['a'], open });
  const id = body.data.id;
  await eventually(
    () => api.get<{ data: { status: string } }>(`/api/batches/${id}`),
    (answer) => open || answer.body.data.status === 'completed',
  );
  const parts: Record<string, string> = { id, jobId: `${id}:1`, key: 'a', provider: 'mail', collection: 'hostile' };
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(parts[name] ?? 'x'));
}

/** A value of a schema with its required fields. */
function sampleOf(given: Schema, name = ''): unknown {
  const schema = resolved(given, document);
  if (name in EXAMPLES) return EXAMPLES[name];
  if (schema.enum) return schema.enum[0];
  switch (schema.type) {
    case 'object':
      return Object.fromEntries((schema.required ?? []).map((field) => [field, sampleOf(schema.properties![field]!, field)]));
    case 'array':
      return [sampleOf(schema.items ?? {}, '')];
    case 'number':
    case 'integer':
      return 1;
    case 'boolean':
      return true;
    default:
      return 'x';
  }
}

/** Every field of a schema, those within others and within lists too, and what may be put into free JSON. */
function pathsOf(given: Schema, at: (string | number)[] = []): (string | number)[][] {
  const schema = resolved(given, document);
  const own = at.length > 0 ? [at] : [];
  if (schema.properties) return [...own, ...Object.entries(schema.properties).flatMap(([field, inner]) => pathsOf(inner, [...at, field]))];
  if (schema.type === 'array') return [...own, ...pathsOf(schema.items ?? {}, [...at, 0])];
  if (schema.type === 'object') return [...own, [...at, 'x'], [...at, 'x', 'y']];
  if (schema.type === undefined) return [...own, [...at, 'x'], [...at, 'key'], [...at, 'payload'], [...at, 'payload', 'x']];
  return own;
}

function spotsOf(schema: Schema): Spot[] {
  const kinds = (resolved(schema, document).oneOf ?? [schema]).filter((kind) => resolved(kind, document).type !== 'array');
  return kinds.flatMap((kind) => pathsOf(kind).map((path) => spotAt(path, sampleOf(kind) as Record<string, unknown>)));
}

test('every route that changes something describes its body, or is known to have none', () => {
  const undescribed = routes.filter(({ method, operation }) => method !== 'GET' && !operation.requestBody).map(({ name }) => name);
  expect(undescribed.sort()).toEqual(Object.keys(WITHOUT_BODY).sort());
  for (const { name, operation } of routes) {
    for (const [type, { schema }] of Object.entries(operation.requestBody?.content ?? {})) {
      // Lines have no fields of their own: what is wrong in a row is told by its number, which the tests of imports and intake look at.
      if (schema?.type === 'string') continue;
      const fields = schema && pathsOf(resolved(schema, document).oneOf?.[0] ?? schema);
      expect([name, type, fields?.length ?? 0]).toEqual([name, type, expect.any(Number)]);
      expect(fields).not.toEqual([]);
    }
  }
});

test(
  'a hostile value in any field of any JSON body is refused by its name or kept by rule, and never an error of the service',
  async () => {
    const faults: string[] = [];
    const cases: { route: Route; address: string; spot: Spot; value: HostileValue }[] = [];
    await forEach(
      routes.filter(({ operation }) => operation.requestBody?.content['application/json']),
      AT_ONCE,
      async (route) => {
        const address = await addressOf(route);
        const spots = spotsOf(route.operation.requestBody!.content['application/json']!.schema!);
        for (const spot of spots) for (const value of HOSTILE_VALUES) cases.push({ route, address, spot, value });
      },
    );
    await forEach(cases, AT_ONCE, async ({ route, address, spot, value }) => {
      const told = await send(route.method, address, jsonWith(spot, value.json));
      const kept = KEPT[route.name]?.test(spot.path.join('.')) ?? false;
      const fault = faultOf(told, spot, value, kept);
      if (fault) faults.push(`${route.name} with ${value.what} in ${spot.path.join('.')} ${fault}`);
    });
    expect(faults).toEqual([]);
    expect(cases.length).toBeGreaterThan(1_000);
  },
  LONG_MS,
);

test(
  'a body of 10 MB, of brackets, of NULs, of broken characters, or none is refused by every route that reads one',
  async () => {
    const faults: string[] = [];
    const brackets = '['.repeat(900_000);
    const bodies: [string, Buffer, number[]][] = [
      ['900,000 brackets', Buffer.from(brackets), [400]],
      ['900,000 brackets in a field', Buffer.from(`{"name":${brackets}`), [400]],
      ['brackets that are closed', Buffer.from(brackets.slice(0, 450_000) + ']'.repeat(450_000)), [400]],
      ['NULs', Buffer.alloc(1_000), [400]],
      ['bytes that are not UTF-8', Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), [400]],
      ['a text', Buffer.from('"text"'), [400]],
      ['a large number', Buffer.from('9007199254740993'), [400]],
    ];
    await forEach(
      routes.filter(({ operation }) => operation.requestBody?.content['application/json']),
      4,
      async (route) => {
        const address = await addressOf(route);
        const huge = await sendBeginning(route.method, address, 10_000_000);
        if (huge.status !== 413 || !isProblem(huge)) faults.push(`${route.name} with 10 MB answered ${huge.status}: ${huge.text}`);
        for (const [what, body, statuses] of bodies) {
          const told = await sendWhole(route.method, address, body, { 'content-type': 'application/json' });
          if (!statuses.includes(told.status) || !isProblem(told)) {
            faults.push(`${route.name} with a body of ${what} answered ${told.status}: ${told.text.slice(0, 300)}`);
          }
        }
      },
    );
    expect(faults).toEqual([]);
  },
  LONG_MS,
);

test(
  'a hostile value in any part of an address is no error of the service',
  async () => {
    const faults: string[] = [];
    const NUL = '%00';
    const values = [NUL, '%ED%A0%80', '%EF%BF%BF', 'x'.repeat(7_000), '%', '..%2F..', "'%22;--", '9007199254740993'];
    const jsons = ['{"a":"\\u0000"}', '{"\\ud800":1}', '{"a":9007199254740993}', '{"toJSON":1,"then":{"a":1}}', '['.repeat(5_000)];
    const cases = routes.flatMap((route) =>
      (route.operation.parameters ?? []).filter((parameter) => parameter.in !== 'header').map((parameter) => ({ route, parameter })),
    );
    await forEach(cases, AT_ONCE, async ({ route, parameter }) => {
      const isText = parameter.in === 'query' && parameter.schema?.type === 'string';
      for (const value of [...values, ...(isText ? jsons.map(encodeURIComponent) : [])]) {
        const path = route.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => (name === parameter.name ? value : 'x'));
        const told = await send(route.method, parameter.in === 'query' ? `${path}?${parameter.name}=${value}` : path);
        const where = `${route.name} with ${value.slice(0, 40)} as ${parameter.name}`;
        if (told.status >= 500 || (told.status >= 400 && !isProblem(told)))
          faults.push(`${where} answered ${told.status}: ${told.text.slice(0, 300)}`);
        // Nothing has such an id.
        const isRefusal = [400, 415, ...(parameter.in === 'path' ? [404] : [])].includes(told.status);
        if (value === NUL && !isRefusal) faults.push(`${where} answered ${told.status} instead of 400: ${told.text.slice(0, 300)}`);
        const isNamed = told.problem?.details.errors.some(({ path: field }) => field.split('.')[0] === parameter.name);
        if (value === NUL && parameter.in === 'query' && told.status === 400 && !isNamed)
          faults.push(`${where} does not name it: ${told.text}`);
      }
    });
    expect(faults).toEqual([]);
    expect(cases.length).toBeGreaterThan(50);
  },
  LONG_MS,
);

test(
  'a hostile value in any header is no error of the service',
  async () => {
    const faults: string[] = [];
    const names = new Set([
      'x-request-id',
      'x-api-key',
      'authorization',
      'content-type',
      'accept',
      'origin',
      'user-agent',
      'traceparent',
      'cookie',
      'range',
      'if-none-match',
    ]);
    for (const { operation } of routes)
      for (const each of operation.parameters ?? []) if (each.in === 'header') names.add(each.name.toLowerCase());
    const values = [
      '\u00ff\u00fe',
      '\u00ed\u00a0\u0080',
      '%00',
      ' ',
      '"',
      '{"a":1}',
      "';--",
      'x'.repeat(7_000),
      'application/json; charset=utf-16',
      'multipart/form-data',
      'text/csv;;;=',
      '__proto__',
    ];
    const pairs = routes.flatMap((route) => [...names].map((name) => ({ route, name })));
    const cases = pairs.map((pair, index) => ({ ...pair, value: values[(index * 5) % values.length]! }));
    await forEach(cases, AT_ONCE, async ({ route, name, value }) => {
      const body = route.method === 'GET' ? undefined : Buffer.from('{}');
      const told = await sendWhole(route.method, route.path.replaceAll(/[{}]/g, ''), body, {
        'content-type': 'application/json',
        [name]: value,
      });
      if (told.status >= 500 || (told.status >= 400 && !isProblem(told))) {
        faults.push(`${route.name} with ${name}: ${value.slice(0, 40)} answered ${told.status}: ${told.text.slice(0, 300)}`);
      }
    });
    expect(faults).toEqual([]);
  },
  LONG_MS,
);

test(
  'hostile lines, rows and cells are refused by their line, and never an error of the service',
  async () => {
    const faults: string[] = [];
    const types = ['application/x-ndjson', 'text/csv', 'text/tab-separated-values'];
    for (const route of routes) {
      for (const type of Object.keys(route.operation.requestBody?.content ?? {}).filter((each) => types.includes(each))) {
        const address = await addressOf(route);
        for (const { what, json } of HOSTILE_VALUES) {
          for (const text of [
            json,
            `{"key":${json}}`,
            `{"a":1}\n{"payload":${json}}`,
            `{${json.startsWith('"') ? json : '"x"'}:1}`,
            `a,b\n1,${json}`,
            `${json},b\n1,2`,
          ]) {
            const told = await send(route.method, address, text, { 'content-type': type });
            if (told.status >= 500 || (told.status >= 400 && !isProblem(told)))
              faults.push(`${route.name} with ${what} in ${type} answered ${told.status}: ${told.text.slice(0, 300)}`);
          }
        }
      }
    }
    expect(faults).toEqual([]);
  },
  LONG_MS,
);

test(
  'hostile names, values and files of a form are no error of the service',
  async () => {
    const faults: string[] = [];
    const texts = [
      'a\0b',
      '\uffff',
      'x'.repeat(3_000),
      '../../etc/passwd',
      '%00',
      '__proto__',
      'toString',
      '"; filename="',
      '\u202e',
      '',
    ].map((text) => Buffer.from(text));
    texts.push(Buffer.from([0xed, 0xa0, 0x80]), Buffer.from([0xff, 0xfe]));
    const part = (name: Buffer, filename: Buffer | undefined, type: Buffer, value: Buffer) =>
      Buffer.concat([
        Buffer.from('--b\r\ncontent-disposition: form-data; name="'),
        name,
        ...(filename ? [Buffer.from('"; filename="'), filename] : []),
        Buffer.from('"\r\ncontent-type: '),
        type,
        Buffer.from('\r\n\r\n'),
        value,
        Buffer.from('\r\n'),
      ]);
    const [file, csv, kind, rows] = ['file', 'a.csv', 'text/csv', 'a,b\n1,2'].map((text) => Buffer.from(text)) as [
      Buffer,
      Buffer,
      Buffer,
      Buffer,
    ];
    for (const route of routes.filter(({ operation }) => operation.requestBody?.content['multipart/form-data'])) {
      const fields = Object.keys(route.operation.requestBody!.content['multipart/form-data']!.schema!.properties!);
      const forms = texts.flatMap((text) => [
        [part(text, csv, kind, rows)],
        [part(file, text, kind, rows)],
        [part(file, csv, text, rows)],
        [part(file, csv, kind, text)],
        ...fields.map((field) => [part(Buffer.from(field), undefined, Buffer.from('text/plain'), text), part(file, csv, kind, rows)]),
        [part(text, undefined, kind, text), part(file, csv, kind, rows)],
      ]);
      for (const form of forms) {
        const body = Buffer.concat([...form, Buffer.from('--b--\r\n')]);
        const told = await sendWhole(route.method, route.path, body, { 'content-type': 'multipart/form-data; boundary=b' });
        if (told.status >= 500 || (told.status >= 400 && !isProblem(told)))
          faults.push(
            `${route.name} with ${JSON.stringify(body.toString('latin1').slice(0, 200))} answered ${told.status}: ${told.text.slice(0, 300)}`,
          );
      }
    }
    expect(faults).toEqual([]);
  },
  LONG_MS,
);

/** Sends on whatever is answered meanwhile, and takes headers that fetch would refuse. */
function sendWhole(method: string, path: string, body: Buffer | undefined, headers: Record<string, string>): Promise<Told> {
  return new Promise((resolve, reject) => {
    const length: Record<string, number> = body ? { 'content-length': body.length } : {};
    let answered = false;
    const sending = request(service.url + path, { method, headers: { ...headers, ...length }, agent: false }, (response) => {
      answered = true;
      let text = '';
      response.on('data', (chunk) => (text += String(chunk)));
      response.on('close', () =>
        resolve({ status: response.statusCode!, text, problem: response.statusCode! < 400 ? undefined : asProblem(text) }),
      );
    });
    // The service may close the connection before it has read all of what it refuses.
    sending.on('error', (error) => answered || reject(error));
    sending.end(body);
  });
}

/** Says how long a body is, and sends so little of it that the service can answer before it comes. */
function sendBeginning(method: string, path: string, length: number): Promise<Told> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/json', 'content-length': length };
    const sending = request(service.url + path, { method, headers, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += String(chunk)));
      response.on('end', () => {
        sending.destroy();
        resolve({ status: response.statusCode!, text, problem: asProblem(text) });
      });
    });
    sending.on('error', reject);
    sending.write('{"name":"');
  });
}
