import type { BatchView } from '../../src/batches/batch.view.js';
import { CreateBatch } from '../../src/batches/commands/create-batch.command.js';
import { StartBatch } from '../../src/batches/commands/start-batch.command.js';
import type { Dialect } from '../../src/common/procedure.js';
import { Api } from '../contracts/api.js';
import { Engine, keys } from '../support/engine.js';
import { eventually } from '../support/eventually.js';
import { assertInvariants } from '../support/invariants.js';

let engine: Engine;

beforeAll(async () => (engine = await Engine.start({ BATCH_DEFAULT_SIZE: '40', BATCH_MAX_RETRIES: '2', BATCH_TIMEOUT_MS: '1234' })));
afterEach(() => assertInvariants(engine.database));
afterAll(() => engine.close());

const deep = (levels: number): unknown => JSON.parse(`${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`);
const json = <T = Record<string, unknown>>(text: string): T => JSON.parse(text) as T;

describe('a new batch', () => {
  test('is told as it was created, and starts by itself', async () => {
    const batch = await engine.create(
      { name: 'Spring', description: 'all of it', items: ['a', 7, { key: 'b', payload: [1] }, { payload: null }] },
      {
        tenant: 'acme',
        subject: 'ada',
      },
    );
    expect(batch).toMatchObject({
      dialect: 'native',
      operation: 'noop',
      name: 'Spring',
      description: 'all of it',
      status: 'pending',
      stopping: false,
      reason: null,
      progress: 0,
      counts: { total: 4, succeeded: 0, failed: 0, skipped: 0, cancelled: 0, running: 0, pending: 4 },
      sealed: true,
      external: false,
      run: 1,
      createdBy: 'ada',
      startedAt: null,
      endedAt: null,
    });
    expect(await engine.ended(batch)).toMatchObject({ status: 'completed', counts: { succeeded: 4 }, startedAt: expect.any(String) });
    expect((await engine.items(batch)).map(({ key, payload }) => [key, payload])).toEqual([
      ['a', null],
      ['7', null],
      ['b', [1]],
      ['4', null],
    ]);
    expect((await engine.events(batch)).map(({ type }) => type).slice(0, 2)).toEqual(['batch.created', 'batch.started']);
  });

  test('waits when it is told not to start', async () => {
    const batch = await engine.create({ items: ['a'], start: false });
    expect(await engine.get(batch.id)).toMatchObject({ status: 'pending', sealed: true });
    await engine.call(StartBatch, { batchId: batch.id });
    expect((await engine.ended(batch)).counts.succeeded).toBe(1);
  });

  test('takes its items from a filter, streamed', async () => {
    const batch = await engine.run(({ payload }) => ({ output: payload.n }), { filters: { count: 1_234 } });
    expect(batch).toMatchObject({ counts: { total: 1_234 }, filters: { count: 1_234 } });
    await engine.ended(batch);
    expect((await engine.outcomes(batch)).every(({ seq, output, key }) => output === seq + 1 && key === `item-${seq + 1}`)).toBe(true);
  });

  test.each<[Dialect, object, RegExp]>([
    ['native', { batchSize: 500, retryAttempts: 3, timeout: 30_000 }, /^[0-9a-f-]{36}$/],
    ['erp', { batchSize: 40, retryAttempts: 2, timeout: 1_234 }, /^batch_\d{13}_[a-z0-9]{12}$/],
    [
      'documents',
      {
        batchSize: 1,
        concurrency: 5,
        retryAttempts: 2,
        retryDelay: 2_000,
        retryMaxDelay: 86_400_000,
        retryJitter: false,
        timeout: 30_000,
        batchTimeout: 300_000,
      },
      /^job_\d{13}_[a-z0-9]{12}$/,
    ],
    ['annotations', { batchSize: 50, concurrency: 5, retryAttempts: 2 }, /^[0-9a-f-]{36}$/],
    ['uploads', { batchSize: 1, concurrency: 3, retryBackoff: 'fixed', timeout: 1_800_000, retryTimeouts: false }, /^[0-9a-f-]{36}$/],
    ['batch-service', { batchSize: 100, retryAttempts: 3 }, /^[0-9a-f-]{36}$/],
  ])('of dialect %s has its defaults and its kind of id', async (dialect, options, id) => {
    const batch = await engine.create({ items: ['a'] }, { tenant: 'acme', dialect });
    expect(batch.id).toMatch(id);
    expect(batch).toMatchObject({
      dialect,
      options: {
        concurrency: 10,
        retryBackoff: 'exponential',
        retryDelay: 1_000,
        retryMaxDelay: 60_000,
        retryJitter: true,
        batchTimeout: null,
        priority: 'normal',
        ...options,
      },
    });
    await engine.ended(batch);
  });

  test('has what the caller gave over all defaults, and null is as if not given', async () => {
    const given = { batchSize: 7, concurrency: 3, retryAttempts: 0, priority: 'high', timeout: 77, notifyOnComplete: true } as const;
    const batch = await engine.create({ items: ['a'], options: given });
    expect(batch.options).toMatchObject(given);
    const nothing = json('{"batchSize":null,"concurrency":null,"retryAttempts":null,"timeout":null,"priority":null,"batchTimeout":null}');
    const withNulls = await engine.create({ items: keys(3), options: nothing });
    expect(withNulls.options).toMatchObject({
      batchSize: 500,
      concurrency: 10,
      retryAttempts: 3,
      timeout: 30_000,
      priority: 'normal',
      batchTimeout: null,
    });
    const allNull = await engine.create(
      json(
        '{"items":["a"],"totalItems":null,"name":null,"options":null,"start":null,"open":null,"external":null,"filters":null,"parameters":null}',
      ),
    );
    expect((await engine.ended(allNull)).counts.succeeded).toBe(1);
    const checked = await engine.create({ operation: 'checked', items: [{ payload: { size: 1 } }] });
    expect(checked.options.concurrency).toBe(7);
    for (const each of [batch, withNulls, checked]) await engine.ended(each);
  });

  test('takes a hundred thousand items in one request', async () => {
    const batch = await engine.create({ items: keys(100_000), start: false });
    expect(batch.counts.total).toBe(100_000);
  });
});

describe('what is wrong is refused with its field named, and leaves nothing behind', () => {
  const polluted = json('{"__proto__":{"polluted":true}}');
  const cases: [what: string, input: object, field: string, code?: string][] = [
    ['an unknown operation', { operation: 'fly', items: ['a'] }, 'operation'],
    ['an operation that is no text', { operation: 5, items: ['a'] }, 'operation'],
    ['an unknown field', { itms: ['a'] }, 'itms'],
    ['a caller of its own choice', { items: ['a'], caller: { tenant: 'globex' } }, 'caller'],
    ['items that are no list', { items: { a: 1 } }, 'items'],
    ['too many items', { items: new Array(100_001).fill('a') }, 'items'],
    ['an unknown field of an item', { items: ['a', { key: 'b', payload: {}, extra: 1 }] }, 'items.1'],
    ['an item that is null', { items: [null] }, 'items.0'],
    ['an item that is a list', { items: [['a']] }, 'items.0'],
    ['an item that is a boolean', { items: [true] }, 'items.0'],
    ['an empty key', { items: [''] }, 'items.0'],
    ['a key of 513 characters', { items: ['x'.repeat(513)] }, 'items.0'],
    ['a key with a NUL', { items: [{ key: 'a\0' }] }, 'items.0'],
    ['a key with half a surrogate', { items: ['\ud800'] }, 'items.0'],
    ['a prototype key in an item', { items: ['a', { payload: { x: polluted } }] }, 'items.1'],
    ['a constructor key in an item', { items: [json('{"payload":{"constructor":{"prototype":1}}}')] }, 'items.0'],
    ['an item of more than a megabyte', { items: [{ payload: 'x'.repeat(1_048_577) }] }, 'items.0'],
    ['an item nested too deep', { items: [{ payload: deep(500) }] }, 'items.0'],
    ['an item nested absurdly deep', { items: [{ payload: deep(50_000) }] }, 'items.0'],
    ['a BigInt in an item', { items: [{ payload: 1n }] }, 'items.0'],
    ['a prototype key in the filters', { filters: json('{"a":{"__proto__":1}}') }, 'filters.a.__proto__'],
    ['a prototype key in the parameters', { items: ['a'], parameters: polluted }, 'parameters.__proto__'],
    ['a NUL in the parameters', { items: ['a'], parameters: { script: 'a\0' } }, 'parameters'],
    ['half a surrogate in the filters', { filters: { key: '\ud800' } }, 'filters'],
    [
      'half a surrogate in filters that nobody here reads',
      { operation: 'export', external: true, totalItems: 1, filters: { a: ['\udc00'] } },
      'filters.a.0',
    ],
    [
      'a NUL in a name in filters that nobody here reads',
      { operation: 'export', external: true, totalItems: 1, filters: { a: { 'b\0': 1 } } },
      'filters.a.b\0',
    ],
    [
      'a NUL in a model that nobody here knows',
      { operation: 'export', external: true, totalItems: 1, parameters: { model: '\0' } },
      'parameters.model',
    ],
    ['a Map in the parameters', { items: ['a'], parameters: { script: new Map([[1, 2]]) } }, 'parameters.script'],
    ['a BigInt in the filters', { filters: { count: 5n } }, 'filters.count'],
    ['a total that is NaN', { operation: 'export', external: true, totalItems: Number.NaN }, 'totalItems'],
    ['parameters of 65,537 characters', { items: ['a'], parameters: { script: 'x'.repeat(65_536) } }, 'parameters'],
    ['parameters nested absurdly deep', { items: ['a'], parameters: deep(50_000) }, 'parameters'],
    ['parameters that are a list', { items: ['a'], parameters: [] }, 'parameters'],
    ['unknown parameters', { items: ['a'], parameters: { durationMs: 1, speed: 2 } }, 'parameters.speed'],
    ['parameters of the wrong type', { items: ['a'], parameters: { durationMs: 'long' } }, 'parameters.durationMs'],
    ['parameters that the operation does not take', { operation: 'checked', items: [{}], parameters: { a: 1 } }, 'parameters.a'],
    ['unknown filters', { filters: { count: 1, colour: 'red' } }, 'filters.colour'],
    ['filters of the wrong type', { filters: { count: 'many' } }, 'filters.count'],
    ['filters and items', { items: ['a'], filters: { count: 1 } }, 'filters'],
    ['no items of an operation that cannot choose them', { operation: 'checked' }, 'items'],
    ['a total that is not the number of items', { items: ['a'], totalItems: 2 }, 'totalItems'],
    ['a name with a NUL', { items: ['a'], name: 'a\0b' }, 'name'],
    ['a name of 501 characters', { items: ['a'], name: 'x'.repeat(501) }, 'name'],
    ['an unknown option', { items: ['a'], options: { speed: 1 } }, 'options.speed'],
    ['a prototype key in the options', { items: ['a'], options: polluted }, 'options'],
    ['an option of the wrong type', { items: ['a'], options: { concurrency: '5' } }, 'options.concurrency'],
    ['a concurrency of 0', { items: ['a'], options: { concurrency: 0 } }, 'options.concurrency'],
    ['a concurrency of 1,001', { items: ['a'], options: { concurrency: 1_001 } }, 'options.concurrency'],
    ['a chunk size of 1.5', { items: ['a'], options: { batchSize: 1.5 } }, 'options.batchSize'],
    ['-1 retries', { items: ['a'], options: { retryAttempts: -1 } }, 'options.retryAttempts'],
    ['a delay that is not a number', { items: ['a'], options: { retryDelay: Number.NaN } }, 'options.retryDelay'],
    ['an unknown backoff', { items: ['a'], options: { retryBackoff: 'cubic' } }, 'options.retryBackoff'],
    ['an unknown priority', { items: ['a'], options: { priority: 'urgent' } }, 'options.priority'],
    ['options that are a list', { items: ['a'], options: [] }, 'options'],
    ['an external batch that starts', { operation: 'export', external: true, totalItems: 1, start: true }, 'start'],
    ['an external batch that stays open', { operation: 'export', external: true, totalItems: 1, open: true }, 'open'],
    [
      'a rate for items started outside',
      { operation: 'export', external: true, totalItems: 1, options: { rateLimitPerMinute: 5 } },
      'options.rateLimitPerMinute',
    ],
    ['an item handler where there is none', { operation: 'export', items: ['a'], external: false }, 'external'],
  ];

  test.each(cases)('%s', async (_what, input, field) => {
    const before = await engine.rowCounts();
    const refused = engine.call(CreateBatch, { operation: 'noop', ...input }).catch((error: unknown) => error);
    expect(await refused).toMatchObject({
      code: expect.stringMatching(/^(INVALID_INPUT|UNPROCESSABLE)$/),
      details: {
        errors: expect.arrayContaining([{ path: expect.stringContaining(field), message: expect.any(String), code: expect.any(String) }]),
      },
    });
    expect(await engine.rowCounts()).toEqual(before);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });

  test('all wrong items are named with their lines, up to a hundred', async () => {
    const items = keys(1_000).map((key) => (Number(key) % 2 ? key : false));
    await expect(engine.create({ items })).rejects.toMatchObject({
      message: expect.stringMatching(/^nothing was added: line 2: .*line 4: .*line 6: .*and 97 more/),
      details: { errors: Array.from({ length: 100 }, (_, index) => expect.objectContaining({ path: `items.${2 * index + 1}` })) },
    });
  });

  test('a filter whose source breaks in the middle', async () => {
    const before = await engine.rowCounts();
    await expect(engine.run(() => undefined, { filters: { count: 20_000, breaksAfter: 12_000 } })).rejects.toThrow('the source broke');
    await expect(engine.run(() => undefined, { filters: { count: 3, key: 'a\0' } })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect(await engine.rowCounts()).toEqual(before);
  });

  test('over HTTP, with the one error body', async () => {
    const before = await engine.rowCounts();
    const api = new Api(engine.service.url);
    for (const [body, path] of [
      [{ operation: 'noop', items: ['a', ''] }, 'items.1'],
      [{ operation: 'noop', itms: [] }, 'itms'],
      [{ operation: 'fly', items: [] }, 'operation'],
      [{ operation: 'noop', items: ['a'], options: { concurrency: 'x' } }, 'options.concurrency'],
    ] as const) {
      const answer = await api.post<object>('/api/batches', body);
      expect(answer.status).toBe(400);
      expect(answer.body).toMatchObject({
        success: false,
        statusCode: 400,
        message: expect.any(String),
        details: { errors: [expect.objectContaining({ path })] },
      });
    }
    const pollution = await api.sendText<object>(
      '/api/batches',
      '{"operation":"noop","items":["a"],"parameters":{"__proto__":{"polluted":1}}}',
      'application/json',
    );
    expect(pollution.status).toBe(400);
    expect(await engine.rowCounts()).toEqual(before);
    const created = await api.post<{ data: BatchView }>('/api/batches', { operation: 'noop', items: ['a', 'b'] });
    expect(created).toMatchObject({ status: 201, body: { success: true, data: { counts: { total: 2 } } } });
    await eventually(
      () => api.get<{ data: BatchView }>(`/api/batches/${created.body.data.id}`),
      (answer) => answer.body.data.status === 'completed',
    );
  });
});
