import { httpLink, createTRPCClient } from '@trpc/client';
import type { AppRouter } from '../../src/rpc/router.js';
import { Api } from '../contracts/api.js';
import { eventually } from '../support/eventually.js';
import { startTestService, type TestService } from '../support/service.js';
import { createRpcClient, refusalOf, type RpcClient } from './client.js';

let service: TestService;
let trpc: RpcClient;

beforeAll(async () => {
  service = await startTestService();
  trpc = createRpcClient(service.url);
});
afterAll(() => service.close());

const ended = (batchId: string) =>
  eventually(
    () => trpc.batch.get.query({ batchId }),
    (batch) => batch.endedAt !== null,
  );

const post = (path: string, body: string, type = 'application/json') =>
  fetch(`${service.url}/trpc/${path}`, { method: 'POST', body, headers: { 'content-type': type } });

interface Refused {
  error: { message: string; data: { code: string; httpStatus: number; details: { errors: { path: string; code: string }[] } } };
}

describe('a batch over tRPC', () => {
  it('is created, worked and read, all typed', async () => {
    const items = [
      { key: 'a', payload: { output: { n: 1 } } },
      { key: 'b', payload: { fail: 'permanent' } },
    ];
    const batch = await trpc.batch.create.mutate({ operation: 'noop', name: 'typed', items });
    expect(batch).toMatchObject({ dialect: 'native', operation: 'noop', name: 'typed', status: 'pending' });
    expect(await ended(batch.id)).toMatchObject({ status: 'completed', counts: { succeeded: 1, failed: 1, total: 2 } });
    const outcomes = await trpc.batch.outcomes.query({ batchId: batch.id });
    expect(outcomes.rows.map(({ key, status, output }) => [key, status, output])).toEqual([
      ['a', 'succeeded', { n: 1 }],
      ['b', 'failed', null],
    ]);
    expect((await trpc.batch.items.query({ batchId: batch.id })).rows.map(({ key }) => key)).toEqual(['a', 'b']);
    expect((await trpc.batch.events.query({ batchId: batch.id })).map(({ type }) => type).at(-1)).toBe('batch.completed');
    expect((await trpc.batch.analytics.query({ batchId: batch.id })).errors).toMatchObject([{ count: 1 }]);
    expect((await trpc.batch.list.query({ name: 'typed' })).rows.map(({ id }) => id)).toEqual([batch.id]);
    expect((await trpc.batch.stats.query()).total).toBeGreaterThan(0);
  });

  it('is filled, started, paused, resumed, sealed and cancelled', async () => {
    const { id: batchId } = await trpc.batch.create.mutate({ operation: 'noop', open: true, parameters: { durationMs: 60_000 } });
    expect(await trpc.batch.addItems.mutate({ batchId, items: ['a', { key: 'b' }, 'c'] })).toMatchObject({ added: 3, total: 3 });
    expect(await trpc.batch.start.mutate({ batchId, open: true })).toMatchObject({ status: 'running', sealed: false });
    expect(await trpc.batch.pause.mutate({ batchId })).toMatchObject({ status: 'paused' });
    expect(await trpc.batch.resume.mutate({ batchId })).toMatchObject({ status: 'running' });
    expect(await trpc.batch.seal.mutate({ batchId })).toMatchObject({ sealed: true });
    expect(await trpc.batch.cancel.mutate({ batchId, reason: 'enough' })).toMatchObject({ status: 'cancelled', reason: 'enough' });
    await ended(batchId);
    expect(await trpc.batch.delete.mutate({ batchId })).toEqual({ deleted: true });
    expect((await refusalOf(trpc.batch.get.query({ batchId }))).data).toMatchObject({ code: 'NOT_FOUND', httpStatus: 404 });
  });

  it('is renamed, and its failed items are tried again', async () => {
    const items = ['a', { key: 'b', payload: { fail: 'permanent' } }];
    const { id: batchId } = await trpc.batch.create.mutate({ operation: 'noop', name: 'before', items });
    await ended(batchId);
    expect(await trpc.batch.update.mutate({ batchId, name: 'after', description: null })).toMatchObject({ name: 'after' });
    expect(await trpc.batch.retryItems.mutate({ batchId, keys: ['b'] })).toMatchObject({ run: 2 });
    expect(await ended(batchId)).toMatchObject({ run: 2, counts: { succeeded: 1, failed: 1 } });
    expect((await trpc.batch.countItems.query()).failed).toBeGreaterThan(0);
    expect((await trpc.batch.totals.query()).batches).toBeGreaterThan(0);
    await trpc.batch.recordMetrics.mutate({ batchId, metrics: { cost: 5 } });
    expect((await trpc.batch.metrics.query({ batchId })).total).toBeGreaterThan(0);
  });

  it('is taken back, if it kept what it replaced', async () => {
    const options = { backupStrategy: 'auto' as const };
    const { batch } = await trpc.records.import.mutate({ collection: 'undone', rows: [{ text: 'new' }], options });
    await ended(batch.id);
    expect(await trpc.batch.restore.mutate({ batchId: batch.id })).toMatchObject({ removed: 1, leftAlone: 0 });
  });

  it('takes results from outside, and is cleaned up', async () => {
    const { id: batchId } = await trpc.batch.create.mutate({ operation: 'elsewhere', external: true, totalItems: 1 });
    const done = await trpc.batch.recordResult.mutate({ batchId, key: 'a', success: true, output: { x: 1 }, quality: 0.5 });
    expect(done).toMatchObject({ status: 'completed', counts: { succeeded: 1 } });
    expect((await trpc.batch.cleanUp.mutate({ olderThanDays: 0 })).deleted).toBeGreaterThan(0);
    expect((await refusalOf(trpc.batch.get.query({ batchId }))).data?.code).toBe('NOT_FOUND');
  });
});

it('records are imported, written and read', async () => {
  const { batch } = await trpc.records.import.mutate({ collection: 'letters', keyField: 'no', rows: [{ no: '7', text: 'hello' }] });
  await ended(batch.id);
  expect(await trpc.records.get.query({ collection: 'letters', key: '7' })).toMatchObject({ fields: { text: 'hello' } });
  await trpc.records.put.mutate({ collection: 'letters', key: '8', fields: { text: 'bye' } });
  const page = await trpc.records.list.query({ collection: 'letters', filter: { text: 'bye' } });
  expect(page.rows.map(({ key }) => key)).toEqual(['8']);
});

it('calls made together travel together, and each has its own answer', async () => {
  const calls = [trpc.batch.stats.query(), trpc.batch.get.query({ batchId: 'nobody' }), trpc.batch.list.query({ limit: 1 })];
  const [stats, missing, list] = await Promise.allSettled(calls);
  expect(stats).toMatchObject({ status: 'fulfilled', value: { byStatus: {} } });
  expect(missing).toMatchObject({ status: 'rejected', reason: { data: { code: 'NOT_FOUND' } } });
  expect(list).toMatchObject({ status: 'fulfilled', value: { limit: 1 } });
});

describe('wrong input', () => {
  // What a program without types sends: the procedure's class finds it, as on every other interface.
  const untyped = () => trpc.batch.create as unknown as { mutate(input: unknown): Promise<unknown> };

  it.each<[string, unknown, string, string]>([
    ['a missing field', {}, 'operation', 'invalid_type'],
    ['an unknown field', { operation: 'noop', item: [] }, 'item', 'unrecognized_keys'],
    ['a wrong type', { operation: 5 }, 'operation', 'invalid_type'],
    ['a wrong option', { operation: 'noop', items: [], options: { priority: 'urgent' } }, 'options.priority', 'invalid_enum_value'],
    ['a wrong parameter', { operation: 'noop', items: [], parameters: { durationMs: -1 } }, 'parameters.durationMs', 'too_small'],
    ['a caller', { operation: 'noop', caller: { tenant: 'other' } }, 'caller', 'unrecognized_keys'],
    ['a stream', { operation: 'noop', source: ['a'] }, 'source', 'unrecognized_keys'],
  ])('of %s is refused by the name of the field', async (_what, input, path, code) => {
    const { data, message } = await refusalOf(untyped().mutate(input));
    expect(data).toMatchObject({ code: 'BAD_REQUEST', httpStatus: 400, path: 'batch.create' });
    expect(data!.details.errors).toMatchObject([{ path, code, message: expect.any(String) }]);
    expect(message).toContain(path.split('.').at(-1));
  });

  it('of items that are no list is refused', async () => {
    const addItems = trpc.batch.addItems as unknown as { mutate(input: unknown): Promise<unknown> };
    const { data } = await refusalOf(addItems.mutate({ batchId: 'x', items: 'a,b' }));
    expect(data!.details.errors).toMatchObject([{ path: 'items' }]);
  });

  it('is told by the codes of tRPC', async () => {
    const { id: batchId } = await trpc.batch.create.mutate({ operation: 'noop', items: ['a'] });
    await ended(batchId);
    expect((await refusalOf(trpc.batch.pause.mutate({ batchId }))).data).toMatchObject({ code: 'CONFLICT', httpStatus: 409 });
    const external = trpc.batch.create.mutate({ operation: 'report', external: false, items: ['a'] });
    expect((await refusalOf(external)).data).toMatchObject({ code: 'UNPROCESSABLE_CONTENT', httpStatus: 422 });
  });
});

describe('the edge', () => {
  it('refuses a body above the limit in the shape of tRPC', async () => {
    const { message, data } = await refusalOf(trpc.batch.create.mutate({ operation: 'noop', description: 'x'.repeat(1_100_000) }));
    expect(data).toMatchObject({ code: 'PAYLOAD_TOO_LARGE', httpStatus: 413 });
    expect(message).toContain('1 MB');
  });

  it.each([
    ['text that is no JSON', '{"operation":', 'application/json', 400, 'BAD_REQUEST'],
    ['JSON with a prototype key', '{"operation":"noop","filters":{"__proto__":{"x":1}}}', 'application/json', 400, 'BAD_REQUEST'],
    ['JSON that is nested too deep', `{"items":${'['.repeat(100)}${']'.repeat(100)}}`, 'application/json', 400, 'BAD_REQUEST'],
    ['a stream', '{"key":"a"}\n', 'application/x-ndjson', 415, 'UNSUPPORTED_MEDIA_TYPE'],
    ['an upload', '--x\r\n', 'multipart/form-data; boundary=x', 415, 'UNSUPPORTED_MEDIA_TYPE'],
    ['bytes', 'abc', 'application/octet-stream', 415, 'UNSUPPORTED_MEDIA_TYPE'],
  ])('refuses %s', async (_what, body, type, status, code) => {
    const response = await post('batch.create', body, type);
    expect(response.status).toBe(status);
    expect((await response.json()) as Refused).toMatchObject({ error: { data: { code, httpStatus: status } } });
  });

  it('refuses more than twenty calls in one request', async () => {
    const path = Array.from({ length: 21 }, () => 'batch.stats').join(',');
    const response = await fetch(`${service.url}/trpc/${path}?batch=1&input=%7B%7D`);
    expect(response.status).toBe(400);
  });

  it('refuses an unknown procedure, and a change by GET', async () => {
    const unknown = await fetch(`${service.url}/trpc/batch.destroy`);
    expect([unknown.status, ((await unknown.json()) as Refused).error.data.code]).toEqual([404, 'NOT_FOUND']);
    const change = await fetch(`${service.url}/trpc/batch.cleanUp?input=${encodeURIComponent('{"olderThanDays":0}')}`);
    expect([change.status, ((await change.json()) as Refused).error.data.code]).toEqual([405, 'METHOD_NOT_SUPPORTED']);
  });

  it('has no other methods than GET and POST', async () => {
    for (const method of ['HEAD', 'PUT', 'DELETE']) {
      expect([method, (await fetch(`${service.url}/trpc/batch.stats`, { method })).status]).toEqual([method, 404]);
    }
  });

  it('takes a query that is too long for an address as POST', async () => {
    const long = createTRPCClient<AppRouter>({ links: [httpLink({ url: `${service.url}/trpc`, methodOverride: 'POST' })] });
    const filter = { text: { in: Array.from({ length: 90 }, (_, n) => `${n}`.repeat(150)) } };
    const answer = await long.records.list.query({ collection: 'letters', filter }).catch((error: Error) => error.message);
    expect(answer).toMatchObject({ rows: [] });
  });

  it('tells nothing of an error that nobody foresaw, and no stack', async () => {
    await service.database.pool.query('ALTER TABLE batch RENAME TO batch_away');
    try {
      const { message, shape } = await refusalOf(trpc.batch.stats.query());
      expect(shape!.data).toMatchObject({ code: 'INTERNAL_SERVER_ERROR', httpStatus: 500, details: { errors: [] } });
      expect(message).toBe('something went wrong in the service; it has been logged');
      expect(JSON.stringify(shape)).not.toMatch(/batch_away|relation|stack|\.ts|\.js/);
    } finally {
      await service.database.pool.query('ALTER TABLE batch_away RENAME TO batch');
    }
  });

  it('has the headers of every other route', async () => {
    const response = await fetch(`${service.url}/trpc/batch.stats`, { headers: { 'x-request-id': 'mine-1' } });
    expect(response.headers.get('x-request-id')).toBe('mine-1');
    expect(response.headers.get('x-content-type-options')).toBe('nosniff');
  });
});

describe('with keys', () => {
  const ACME = 'acme-key-0123456789';
  const GLOBEX = 'globex-key-0123456789';
  let closed: TestService;

  beforeAll(async () => {
    closed = await startTestService({ API_KEYS: `acme:${ACME},globex:${GLOBEX}`, CREATE_LIMIT_PER_MINUTE: '2' });
  });
  afterAll(() => closed.close());

  it('nobody calls without one', async () => {
    expect((await refusalOf(createRpcClient(closed.url).batch.stats.query())).data).toMatchObject({
      code: 'UNAUTHORIZED',
      httpStatus: 401,
    });
    const response = await fetch(`${closed.url}/trpc/batch.stats`);
    expect(response.headers.get('www-authenticate')).toContain('Bearer');
  });

  it("another tenant's batch does not exist", async () => {
    const [acme, globex] = [
      createRpcClient(closed.url, { 'x-api-key': ACME }),
      createRpcClient(closed.url, { authorization: `Bearer ${GLOBEX}` }),
    ];
    const { id: batchId } = await acme.batch.create.mutate({ operation: 'noop', items: ['a'] });
    expect((await acme.batch.get.query({ batchId })).id).toBe(batchId);
    for (const call of [
      globex.batch.get.query({ batchId }),
      globex.batch.cancel.mutate({ batchId }),
      globex.batch.events.query({ batchId }),
    ]) {
      expect((await refusalOf(call)).data?.code).toBe('NOT_FOUND');
    }
    expect((await globex.batch.list.query()).rows).toEqual([]);
  });

  it('more creations in a minute than allowed are refused until later, however they are sent', async () => {
    const globex = createRpcClient(closed.url, { 'x-api-key': GLOBEX });
    const calls = [1, 2, 3, 4].map(() => globex.batch.create.mutate({ operation: 'noop', items: [] }));
    const refused = (await Promise.allSettled(calls)).filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(2);
    const response = await new Api(closed.url, { 'x-api-key': GLOBEX }).post<Refused>('/trpc/batch.create', { operation: 'noop' });
    expect([response.status, response.body.error.data.code]).toEqual([429, 'TOO_MANY_REQUESTS']);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
  });
});
