import { CreateBatch } from '../../src/batches/commands/create-batch.command.js';
import { Procedures } from '../../src/common/procedure.js';
import { Idempotency } from '../../src/idempotency/idempotency.js';
import { forgetKeys } from '../../src/idempotency/store/claim-key.js';
import { Engine, FAST_RETRY } from '../support/engine.js';
import { eventually } from '../support/eventually.js';
import { assertInvariants } from '../support/invariants.js';
import { startTestService } from '../support/service.js';

let engine: Engine;
let keyNo = 0;

beforeAll(async () => (engine = await Engine.start()));
afterEach(() => assertInvariants(engine.database));
afterAll(() => engine.close());

interface Answer {
  status: number;
  replayed: boolean;
  retryAfter: string | null;
  text: string;
  body: { data: { id: string; run: number }; message: string };
}

const newKey = () => `key-${(keyNo += 1)}`;

async function send(path: string, body: unknown, key?: string, { url = engine.service.url, method = 'POST' } = {}): Promise<Answer> {
  const headers: Record<string, string> = key === undefined ? {} : { 'idempotency-key': key };
  if (!(body instanceof FormData) && body !== undefined) headers['content-type'] = 'application/json';
  const payload = body instanceof FormData ? body : JSON.stringify(body);
  const response = await fetch(url + path, { method, headers, body: payload });
  const text = await response.text();
  return {
    status: response.status,
    replayed: response.headers.get('idempotency-replayed') === 'true',
    retryAfter: response.headers.get('retry-after'),
    text,
    body: JSON.parse(text) as Answer['body'],
  };
}

const count = async (table: string): Promise<number> => (await engine.sql<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`))[0]!.n;
const NOOP = { operation: 'noop', items: ['a', 'b'] };

/** A batch that has ended with one failed item. */
async function failedBatch(): Promise<string> {
  const input = { items: [{ key: 'a', payload: { fail: 'permanent' } }, 'b'], options: { ...FAST_RETRY, retryAttempts: 1 } };
  const batch = await engine.create(input, { tenant: 'default' });
  await eventually(async () =>
    expect((await engine.sql('SELECT FROM run WHERE batch_id = $1 AND ended_at IS NOT NULL', [batch.id])).length).toBe(1),
  );
  return batch.id;
}

test('a second request with the same key gets the status and body of the first, and makes nothing', async () => {
  const key = newKey();
  const before = await count('batch');
  const first = await send('/api/batches', NOOP, key);
  expect(first).toMatchObject({ status: 201, replayed: false });
  for (const again of [await send('/api/batches', NOOP, key), await send('/api/batches', NOOP, key)]) {
    expect(again).toEqual({ ...first, replayed: true });
  }
  expect(await count('batch')).toBe(before + 1);
  expect((await send('/api/batches', NOOP)).body.data.id).not.toBe(first.body.data.id);
});

const upload = () => {
  const form = new FormData();
  form.append('file', new Blob(['a,b\n1,2\n']), 'rows.csv');
  return form;
};
const open = async () => (await send('/api/batches', { operation: 'noop', open: true })).body.data.id;
const saved = async () => {
  const config = { backupStrategy: 'auto', parameters: { collection: 'kept' } };
  const made = await send('/api/batches', { name: 'Saved', type: 'import', data: [{ id: 'x' }], config });
  const { id } = made.body.data;
  await send(`/api/batches/${id}`, { status: 'running' }, undefined, { method: 'PATCH' });
  await eventually(async () =>
    expect((await engine.sql('SELECT FROM run WHERE batch_id = $1 AND ended_at IS NOT NULL', [id])).length).toBe(1),
  );
  return id;
};

test.each<[string, () => Promise<string> | string, () => unknown, Record<string, number>]>([
  ['a batch', () => '/api/batches', () => NOOP, { batch: 1 }],
  ['a batch of data', () => '/api/batches', () => ({ name: 'Data', type: 'noop', data: [1, 2] }), { batch: 1 }],
  ['items of a batch', async () => `/api/batches/${await open()}/items`, () => ({ items: ['a', 'b'] }), { chunk: 1 }],
  [
    'an ERP batch',
    () => '/api/batch/create',
    () => ({ operation: 'report', total_items: 3, options: { externalResults: true } }),
    { batch: 1 },
  ],
  ['an annotation job', () => '/api/batch/annotations/start', () => ({ imageIds: ['a', 'b'] }), { batch: 1 }],
  ['an upload', () => '/api/batch/upload', upload, { batch: 1, upload: 1, file: 1 }],
  ['a document job', () => '/api/v1/documents/batch-process', () => ({ documentIds: ['a'], type: 'FULL_ANALYSIS' }), { batch: 1 }],
  ['an import', () => '/api/records/people/import', () => [{ id: 1 }], { batch: 1 }],
  ['a retry', async () => `/api/batches/${await failedBatch()}/retry`, () => ({}), { run: 1 }],
  ['a retry of one item', async () => `/api/batches/${await failedBatch()}/items/a/retry`, () => ({ payload: { output: 1 } }), { run: 1 }],
  ['a retry of a job', async () => `/api/batches/jobs/${await failedBatch()}:1/retry`, () => ({}), { run: 1 }],
  ['a restore', async () => `/api/batches/${await saved()}/restore`, () => ({}), {}],
])('%s is made once', async (what, pathOf, body, made) => {
  const path = await pathOf();
  const key = newKey();
  const counts = () => Promise.all(Object.keys(made).map(count));
  const before = await counts();
  const first = await send(path, body(), key);
  expect([what, first.status, first.replayed, first.status < 300 || first.text]).toEqual([what, first.status, false, true]);
  expect(await send(path, body(), key)).toEqual({ ...first, replayed: true });
  expect(await counts()).toEqual(Object.values(made).map((more, index) => before[index]! + more));
});

test('a key of another request is refused with 422, whichever part differs', async () => {
  const key = newKey();
  await send('/api/batches', NOOP, key);
  const before = await count('batch');
  for (const [path, body] of [
    ['/api/batches', { ...NOOP, name: 'other' }],
    ['/api/batches?x=1', NOOP],
    ['/api/batch/create', NOOP],
  ] as const) {
    expect(await send(path, body, key)).toMatchObject({
      status: 422,
      body: { message: expect.stringContaining('Idempotency-Key') as string, details: { errors: [{ path: 'Idempotency-Key' }] } },
    });
  }
  expect(await count('batch')).toBe(before);
});

test.each(['', 'a b', 'x'.repeat(256), 'é'])('%j is no key', async (key) => {
  const before = await count('batch');
  expect(await send('/api/batches', NOOP, key)).toMatchObject({
    status: 400,
    body: { details: { errors: [{ path: 'Idempotency-Key' }] } },
  });
  expect(await count('batch')).toBe(before);
});

test('a request that failed leaves its key unused', async () => {
  const key = newKey();
  expect(await send('/api/batches', { operation: 'unheard-of', items: [] }, key)).toMatchObject({ status: 400 });
  expect(await send('/api/batches', NOOP, key)).toMatchObject({ status: 201, replayed: false });
  const failing = newKey();
  await engine.sql(`CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'broken'; END $$`);
  await engine.sql('CREATE TRIGGER broken BEFORE INSERT ON batch FOR EACH ROW EXECUTE FUNCTION refuse()');
  expect(await send('/api/batches', NOOP, failing)).toMatchObject({ status: 500 });
  await engine.sql('DROP TRIGGER broken ON batch');
  expect(await send('/api/batches', NOOP, failing)).toMatchObject({ status: 201, replayed: false });
});

test('a request that is still carried out answers 409 with Retry-After to the next one, which gets its answer in the end', async () => {
  const id = await open();
  const key = newKey();
  let finish!: () => void;
  const body = () =>
    new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('{"key":"a"}\n'));
        finish = () => {
          controller.enqueue(new TextEncoder().encode('{"key":"b"}\n'));
          controller.close();
        };
      },
    });
  const add = async (stream: ReadableStream, query = '') => {
    const headers = { 'content-type': 'application/x-ndjson', 'idempotency-key': key };
    const init = { method: 'POST', headers, body: stream, duplex: 'half' as const };
    const response = await fetch(`${engine.service.url}/api/batches/${id}/items${query}`, init);
    return { status: response.status, retryAfter: response.headers.get('retry-after'), text: await response.text() };
  };
  const first = add(body());
  const finishFirst = finish;
  await eventually(async () => expect(await engine.sql('SELECT FROM idempotency_key WHERE key = $1', [key])).toHaveLength(1));
  const second = add(body());
  finish();
  expect(await second).toMatchObject({ status: 409, retryAfter: '1' });
  finishFirst();
  const answer = await first;
  expect(answer).toMatchObject({ status: 200 });
  const third = add(body());
  finish();
  expect(await third).toEqual(answer);
  expect(JSON.parse(answer.text)).toMatchObject({ data: { added: 2, total: 2 } });
  expect(await engine.sql('SELECT total FROM run WHERE batch_id = $1', [id])).toEqual([{ total: 2 }]);
  const skipping = add(body(), '?onInvalid=skip');
  finish();
  expect(await skipping).toMatchObject({ status: 422 });
});

test('items that skip wrong lines cannot be added once, and say so', async () => {
  const answer = await send(`/api/batches/${await open()}/items?onInvalid=skip`, { items: ['a'] }, newKey());
  expect(answer).toMatchObject({ status: 422, body: { message: expect.stringContaining('send onInvalid=refuse') as string } });
});

const NEVER_ANSWERED = `
  CREATE FUNCTION lose_answer() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.answer IS NOT NULL THEN RAISE EXCEPTION 'the process died'; END IF; RETURN NEW;
  END $$;
  CREATE TRIGGER lost BEFORE UPDATE ON idempotency_key FOR EACH ROW EXECUTE FUNCTION lose_answer()`;
const claimRunsOut = (key: string) => engine.sql(`UPDATE idempotency_key SET claimed_until = '-infinity' WHERE key = $1`, [key]);

test.each<[string, () => Promise<string> | string, () => unknown, string]>([
  ['a batch', () => '/api/batches', () => NOOP, 'batch'],
  ['items', async () => `/api/batches/${await open()}/items`, () => ({ items: ['a', 'b'] }), 'chunk'],
  ['an upload', () => '/api/batch/upload', upload, 'file'],
  ['a retry of a job', async () => `/api/batches/jobs/${await failedBatch()}:1/retry`, () => ({}), 'run'],
])('%s of a process that died before it could answer is not made again, and the answer is given', async (_, pathOf, body, table) => {
  const path = await pathOf();
  const key = newKey();
  const before = await count(table);
  await engine.sql(NEVER_ANSWERED);
  const lost = await send(path, body(), key);
  await engine.sql('DROP FUNCTION lose_answer CASCADE');
  expect(lost.status).toBeLessThan(300);
  expect(await send(path, body(), key)).toMatchObject({ status: 409, retryAfter: '1' });
  await claimRunsOut(key);
  const again = await send(path, body(), key);
  expect(again).toMatchObject({ status: lost.status, replayed: true });
  const stable = (text: string) => (table === 'run' ? (JSON.parse(text) as Answer['body']).data.id : text);
  expect(stable(again.text)).toEqual(stable(lost.text));
  expect(await count(table)).toBe(before + 1);
});

test('whoever lost the key to another request makes nothing', async () => {
  const idempotency = engine.service.app.get(Idempotency);
  const procedures = engine.service.app.get(Procedures);
  const key = newKey();
  const before = await count('batch');
  const request = { caller: { tenant: 'default' }, key, fingerprint: NOOP };
  const slow = idempotency.once(request, async (caller) => {
    await claimRunsOut(key);
    const fast = await idempotency.once(request, (other) => procedures.call(CreateBatch, NOOP, other));
    expect(fast.replayed).toBe(false);
    return procedures.call(CreateBatch, NOOP, caller);
  });
  await expect(slow).rejects.toMatchObject({ code: 'CONFLICT' });
  expect(await count('batch')).toBe(before + 1);
  expect((await idempotency.once(request, (caller) => procedures.call(CreateBatch, NOOP, caller))).replayed).toBe(true);
});

test('tenants have keys of their own', async () => {
  const idempotency = engine.service.app.get(Idempotency);
  const key = newKey();
  const create = (tenant: string) =>
    idempotency.once({ caller: { tenant }, key, fingerprint: NOOP }, (caller) => engine.call(CreateBatch, NOOP, caller));
  const [acme, globex] = [await create('acme'), await create('globex')];
  expect([acme.replayed, globex.replayed]).toEqual([false, false]);
  expect((await create('acme')).answer).toEqual(acme.answer);
});

test('a key is forgotten after a day', async () => {
  const [old, young] = [newKey(), newKey()];
  const first = await send('/api/batches', NOOP, old);
  await send('/api/batches', NOOP, young);
  await engine.sql(`UPDATE idempotency_key SET created_at = now() - interval '25 hours', claimed_until = '-infinity' WHERE key = $1`, [
    old,
  ]);
  const second = await send('/api/batches', NOOP, old);
  expect(second).toMatchObject({ status: 201, replayed: false });
  expect(second.body.data.id).not.toBe(first.body.data.id);
  await engine.sql(`UPDATE idempotency_key SET created_at = now() - interval '25 hours', claimed_until = '-infinity' WHERE key = $1`, [
    old,
  ]);
  expect(await forgetKeys(engine.database.pool)).toBe(1);
  expect(await engine.sql('SELECT key FROM idempotency_key WHERE key = ANY ($1)', [[old, young]])).toEqual([{ key: young }]);
});

test('a replay is not counted as a creation, and a refusal by the limit leaves the key unused', async () => {
  const service = await startTestService({ CREATE_LIMIT_PER_MINUTE: '2' });
  const create = (key: string) => send('/api/batches', NOOP, key, { url: service.url });
  const first = await create('one');
  for (let round = 0; round < 4; round += 1) expect(await create('one')).toEqual({ ...first, replayed: true });
  expect(await create('two')).toMatchObject({ status: 201 });
  expect(await create('three')).toMatchObject({ status: 429 });
  expect(await create('two')).toMatchObject({ status: 201, replayed: true });
  const { rows } = await service.database.pool.query<{ key: string }>('SELECT key FROM idempotency_key ORDER BY key');
  expect(rows).toEqual([{ key: 'one' }, { key: 'two' }]);
  await service.close();
});

test('tRPC takes the header too, for one call', async () => {
  const key = newKey();
  const before = await count('batch');
  const first = await send('/trpc/batch.create', NOOP, key);
  expect(first).toMatchObject({ status: 200, replayed: false });
  expect(await send('/trpc/batch.create', NOOP, key)).toEqual({ ...first, replayed: true });
  expect(await send('/trpc/batch.create', { ...NOOP, name: 'x' }, key)).toMatchObject({ status: 422 });
  const both = await send('/trpc/batch.create,batch.create?batch=1', { 0: NOOP, 1: NOOP }, newKey());
  expect(both.status).toBe(400);
  expect(both.text).toContain('a key is for one call');
  expect(await count('batch')).toBe(before + 1);
});
