import type { Type } from '@nestjs/common';
import type { AnyProcedure } from '@trpc/server';
import { BatchGateway } from '../../src/realtime/batch.gateway.js';
import { CatchUpRequest } from '../../src/realtime/catch-up.request.js';
import { appRouter } from '../../src/rpc/router.js';
import type { RpcErrorShape } from '../../src/rpc/rpc-error.js';
import { Api, type Problem } from '../contracts/api.js';
import { Listener } from '../realtime/listener.js';
import { eventually } from '../support/eventually.js';
import { faultOf, forEach, HOSTILE_VALUES, isProblem, jsonWith, type Spot, spotAt, type Told, WHOLE } from '../support/hostile.js';
import { fieldsOf } from '../support/input-class.js';
import { startTestService, type TestService } from '../support/service.js';

// Built from the router and the gateway: a procedure or message that is added later is covered by itself.

/** Where text that PostgreSQL cannot hold is kept, by a rule of docs/values.md. */
const KEPT: Record<string, RegExp> = {
  'batch.create': /^items(\.0(\.payload.*)?)?$/,
  'batch.addItems': /^items(\.0(\.payload.*)?)?$/,
  'batch.editItem': /^payload/,
  'batch.retryItems': /^payload/,
  'batch.recordResult': /^output/,
  'batch.recordResults': /^results\.\d+\.output/,
  'batch.recordMetrics': /^metrics/,
};

/** What the sockets take, and the classes that it is checked against. */
const MESSAGES: Record<string, Type<object>> = { 'batch.catchUp': CatchUpRequest };

/** Values for required fields, by their name. */
const EXAMPLES: Record<string, unknown> = {
  operation: 'noop',
  collection: 'hostile',
  items: ['a'],
  rows: [{ a: 1 }],
  fields: { a: 1 },
  payload: { a: 1 },
  metrics: { cost: 1 },
  success: true,
  olderThanDays: 36_500,
  forced: null,
};

const LONG_MS = 180_000;
const AT_ONCE = 8;

let service: TestService;
let batchId: string;
let openId: string;

beforeAll(async () => {
  service = await startTestService({ CREATE_LIMIT_PER_MINUTE: '100000' });
  const api = new Api(service.url);
  const create = async (open: boolean) =>
    (await api.post<{ data: { id: string } }>('/api/batches', { operation: 'noop', items: ['a'], open })).body.data.id;
  [batchId, openId] = [await create(false), await create(true)];
  await eventually(
    () => api.get<{ data: { status: string } }>(`/api/batches/${batchId}`),
    ({ body }) => body.data.status === 'completed',
  );
});

afterAll(() => service.close());

/** A class's required fields with values that it takes. */
function sampleOf(type: Type<object>, more: Record<string, unknown> = {}): Record<string, unknown> {
  const required = fieldsOf(type).filter((field) => field.required && field.name !== 'source');
  return {
    ...Object.fromEntries(required.map(({ name, checks }) => [name, EXAMPLES[name] ?? (checks.includes('isInt') ? 1 : 'x')])),
    ...more,
  };
}

/** Every field of a class, those of other classes within it too, and what may be put into free JSON. */
function pathsOf(type: Type<object>, at: (string | number)[] = []): (string | number)[][] {
  return fieldsOf(type).flatMap(({ name, opaque, nested, checks }) => {
    const path = [...at, name];
    if (nested) return [path, ...pathsOf(nested, path)];
    if (opaque && checks.includes('isArray')) return freeList(path);
    return opaque || checks.includes('isObject')
      ? [path, [...path, 'x'], [...path, 'x', 'y']]
      : [path, ...(checks.includes('isArray') ? [[...path, 0]] : [])];
  });
}

function freeList(path: (string | number)[]): (string | number)[][] {
  return [path, [...path, 0], [...path, 0, 'x'], [...path, 0, 'key'], [...path, 0, 'payload'], [...path, 0, 'payload', 'x']];
}

async function call(name: string, input: string, method: 'GET' | 'POST'): Promise<Told> {
  const query = method === 'GET' ? `?input=${encodeURIComponent(input)}` : '';
  const response = await fetch(`${service.url}/trpc/${name}${query}`, {
    method,
    headers: { 'content-type': 'application/json' },
    body: method === 'POST' ? input : undefined,
    signal: AbortSignal.timeout(LONG_MS),
  });
  if (response.headers.get('content-type')?.startsWith('text/event-stream')) return firstEventOf(response);
  const text = await response.text();
  return response.ok ? { status: response.status, text } : { status: response.status, text, problem: asProblem(JSON.parse(text)) };
}

/** A subscription answers with events, of which an error is one; a browser could not read it otherwise. */
async function firstEventOf(response: Response): Promise<Told> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    const error = /event: serialized-error\ndata: (.*)\n/.exec(text)?.[1];
    if (error) {
      const problem = asProblem({ error: JSON.parse(error) as RpcErrorShape });
      return { status: problem.statusCode, text, problem };
    }
    if (/\nid: /.test(text)) break;
  }
  return { status: response.status, text };
}

function asProblem({ error }: { error: RpcErrorShape }): Problem {
  const { message, data } = error;
  return { success: false, error: message, message, statusCode: data.httpStatus, details: data.details };
}

const procedures = Object.entries(appRouter._def.procedures) as unknown as [string, AnyProcedure][];

function inputOf(procedure: AnyProcedure): Type<object> {
  return (procedure._def.meta as { input: Type<object> }).input;
}

function spotsOf(name: string, procedure: AnyProcedure): Spot[] {
  const type = inputOf(procedure);
  const adds = name === 'batch.addItems';
  const sample = sampleOf(type, {
    ...('batchId' in sampleOf(type) && { batchId: adds ? openId : batchId }),
    ...(adds && { items: ['a'] }),
  });
  const paths = pathsOf(type).filter(([field]) => field !== 'source');
  return [...paths, ...(adds ? freeList(['items']) : [])].map((path) => spotAt(path, sample));
}

test('every procedure names the class of its input, and every message is known here', () => {
  for (const [name, procedure] of procedures) expect([name, typeof inputOf(procedure)]).toEqual([name, 'function']);
  const handlers = Object.values(Object.getOwnPropertyDescriptors(BatchGateway.prototype)).map(({ value }) => value as unknown);
  const messages = handlers.flatMap((handler) =>
    typeof handler === 'function' ? [Reflect.getMetadata('message', handler) as unknown] : [],
  );
  expect(messages.filter(Boolean).sort()).toEqual(Object.keys(MESSAGES).sort());
});

test(
  'a hostile value in any field of any procedure is refused by its name or kept by rule, and never an error of the service',
  async () => {
    const faults: string[] = [];
    const cases = procedures
      .flatMap(([name, procedure]) =>
        spotsOf(name, procedure).map((spot) => ({ name, spot, isChange: procedure._def.type === 'mutation' })),
      )
      .flatMap((each) => HOSTILE_VALUES.map((value) => ({ ...each, value })));
    await forEach(cases, AT_ONCE, async ({ name, spot, value, isChange }) => {
      const input = jsonWith(spot, value.json);
      // An address is short.
      const told = await call(name, input, isChange || input.length > 5_000 ? 'POST' : 'GET');
      const fault = faultOf(told, spot, value, KEPT[name]?.test(spot.path.join('.')) ?? false);
      if (fault) faults.push(`${name} with ${value.what} in ${spot.path.join('.')} ${fault}`);
    });
    expect(faults).toEqual([]);
    expect(cases.length).toBeGreaterThan(1_000);
  },
  LONG_MS,
);

test(
  'an input that is no object, or no JSON, or nothing is refused by every procedure, in GET and POST',
  async () => {
    const faults: string[] = [];
    const inputs = [
      '[',
      '"',
      'x',
      '"text"',
      '7',
      '[]',
      '[[]]',
      '9007199254740993',
      '{"0":{"batchId":9007199254740993}}',
      '['.repeat(3_000),
    ];
    await forEach(procedures, AT_ONCE, async ([name, procedure]) => {
      for (const input of inputs) {
        const told = await call(name, input, procedure._def.type === 'mutation' ? 'POST' : 'GET');
        if (told.status !== 400 || !isProblem(told))
          faults.push(`${name} with ${input.slice(0, 30)} answered ${told.status}: ${told.text.slice(0, 300)}`);
      }
    });
    expect(faults).toEqual([]);
  },
  LONG_MS,
);

test(
  'a hostile value in any field of a message, in its place, or in the handshake is answered like any other wrong one',
  async () => {
    const faults: string[] = [];
    const { socket, close } = await Listener.connect(service.url).then((listener) => ({
      socket: listener.socket,
      close: () => listener.close(),
    }));
    for (const [name, type] of Object.entries(MESSAGES)) {
      for (const spot of [...pathsOf(type).map((path) => spotAt(path, sampleOf(type))), WHOLE]) {
        for (const value of HOSTILE_VALUES.filter(({ json }) => json.length < 10_000)) {
          const answer = (await socket.timeout(LONG_MS).emitWithAck(name, JSON.parse(jsonWith(spot, value.json)))) as
            Problem | { success: true };
          const status = answer.success ? 200 : answer.statusCode;
          const told: Told = { status, text: JSON.stringify(answer), problem: answer.success ? undefined : answer };
          // What is nested too deep is refused as a whole, before anybody looks for its fields.
          const fault = faultOf(told, value.what.startsWith('deep') ? WHOLE : spot, value, false);
          if (fault) faults.push(`${name} with ${value.what} in ${spot.path.join('.')} ${fault}`);
        }
      }
    }
    close();
    for (const token of ['a\0b', '\ud800', { toJSON: 1 }, [[['x']]], 'x'.repeat(20_000)]) {
      await Listener.connect(service.url, { auth: { token, apiKey: token } as object }).then((listener) => listener.close());
    }
    expect(faults).toEqual([]);
  },
  LONG_MS,
);
