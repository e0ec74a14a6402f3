import { CancelBatch } from '../../src/batches/commands/cancel-batch.command.js';
import { DeleteBatch } from '../../src/batches/commands/delete-batch.command.js';
import { EditItem } from '../../src/batches/commands/edit-item.command.js';
import { RetryItems } from '../../src/batches/commands/retry-items.command.js';
import { GetItemHistory } from '../../src/batches/queries/get-item-history.query.js';
import { ListAudit } from '../../src/batches/queries/list-audit.query.js';
import { PreviewBatches } from '../../src/batches/queries/preview-batches.query.js';
import type { InputOf } from '../../src/common/procedure.js';
import { Engine, FAST_RETRY } from '../support/engine.js';
import { eventually, Gate } from '../support/eventually.js';
import { assertInvariants } from '../support/invariants.js';

let engine: Engine;

beforeAll(async () => (engine = await Engine.start()));
afterEach(() => assertInvariants(engine.database));
afterAll(() => engine.close());

const ONCE = { ...FAST_RETRY, retryAttempts: 0 };
const edit = (input: InputOf<EditItem>, tenant = 'acme') => engine.call(EditItem, input, { tenant, subject: 'ann' });
const history = (batchId: string, seq: number) => engine.call(GetItemHistory, { batchId, seq });
const retry = (batchId: string, more: Partial<InputOf<RetryItems>> = {}) => engine.call(RetryItems, { batchId, ...more });
const refusal = (code: string, message: string) => ({ code, message: expect.stringContaining(message) as string });

/** Items fail as long as their `n` is odd. */
async function oddOnesFail(items: object[]) {
  const ran: number[] = [];
  const batch = await engine.run(
    ({ payload }) => {
      ran.push(payload.n);
      if (payload.n % 2 === 1) throw new Error(`${payload.n} is odd`);
    },
    { items, options: { ...ONCE, batchSize: 2 } },
  );
  await engine.ended(batch);
  return { id: batch.id, ran };
}

const item = (key: string, n: number) => ({ key, payload: { n } });

test('an item is repeated with what it was given last, lists show that, and its history tells all of it', async () => {
  const { id, ran } = await oddOnesFail([item('a', 1), item('b', 2), item('c', 3)]);
  expect(await edit({ batchId: id, key: 'c', payload: { n: 5 } })).toMatchObject({ seq: 2, key: 'c', payloads: [{ no: 0 }, { no: 1 }] });
  expect((await engine.items({ id })).map(({ payload }) => payload)).toEqual([{ n: 1 }, { n: 2 }, { n: 5 }]);
  ran.splice(0);
  await retry(id);
  await engine.ended({ id });
  expect(ran.splice(0).sort()).toEqual([1, 5]);
  await edit({ batchId: id, seq: 2, payload: { n: 6 } });
  await retry(id, { seqs: [2] });
  await engine.ended({ id });
  expect(ran).toEqual([6]);
  expect(await history(id, 2)).toEqual({
    seq: 2,
    key: 'c',
    payloads: [
      { no: 0, payload: { n: 3 }, editedBy: null, editedAt: expect.any(String) as string },
      { no: 1, payload: { n: 5 }, editedBy: 'ann', editedAt: expect.any(String) as string },
      { no: 2, payload: { n: 6 }, editedBy: 'ann', editedAt: expect.any(String) as string },
    ],
    outcomes: [
      expect.objectContaining({ run: 1, status: 'failed', error: { kind: expect.any(String) as string, message: '3 is odd' } }),
      expect.objectContaining({ run: 2, status: 'failed', error: { kind: expect.any(String) as string, message: '5 is odd' } }),
      expect.objectContaining({ run: 3, status: 'succeeded' }),
    ],
  });
  expect(await history(id, 0)).toMatchObject({ payloads: [{ payload: { n: 1 } }], outcomes: [{ run: 1 }, { run: 2 }] });
});

test('a repeat of one item may bring its new payload, in one step', async () => {
  const { id, ran } = await oddOnesFail([item('a', 1), item('b', 3)]);
  ran.splice(0);
  expect(await retry(id, { keys: ['b'], payload: { n: 4 } })).toMatchObject({ run: 2 });
  await engine.ended({ id });
  expect(ran).toEqual([4]);
  expect((await history(id, 1)).payloads.map(({ payload }) => payload)).toEqual([{ n: 3 }, { n: 4 }]);
  const audit = await engine.call(ListAudit, { batchId: id });
  expect(audit.rows.map(({ action, details }) => [action, details])).toEqual([
    ['retry', { run: 2, failed: 1, skipped: 0, unprocessed: 0 }],
    ['edit item', { seq: 1 }],
  ]);
  await expect(retry(id, { keys: ['b'], payload: { n: 6 } })).rejects.toMatchObject(refusal('CONFLICT', 'b did not fail'));
  await expect(retry(id, { payload: { n: 6 } })).rejects.toMatchObject({
    code: 'INVALID_INPUT',
    details: { errors: [{ path: 'payload' }] },
  });
  expect((await history(id, 1)).payloads).toHaveLength(2);
});

test('what the operation would refuse is refused at once, with its field, and nothing is kept', async () => {
  const batch = await engine.create({ operation: 'checked', items: [{ payload: { size: 0 } }], options: ONCE });
  await engine.ended(batch);
  for (const payload of [{ size: 0 }, { size: 'x' }, { size: 1, other: 2 }]) {
    const wrong = { code: 'INVALID_INPUT', details: { errors: [{ path: expect.stringMatching(/^payload\./) as string }] } };
    await expect(edit({ batchId: batch.id, seq: 0, payload })).rejects.toMatchObject(wrong);
    await expect(retry(batch.id, { seqs: [0], payload })).rejects.toMatchObject(wrong);
  }
  const large = edit({ batchId: batch.id, seq: 0, payload: { size: 1, text: 'x'.repeat(1_048_577) } });
  await expect(large).rejects.toMatchObject({ code: 'INVALID_INPUT', details: { errors: [{ path: 'payload', code: 'too_big' }] } });
  await expect(edit({ batchId: batch.id, seq: 0, payload: undefined })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  expect((await history(batch.id, 0)).payloads).toHaveLength(1);
  await edit({ batchId: batch.id, seq: 0, payload: { size: 9 } });
  await retry(batch.id);
  expect(await engine.ended(batch)).toMatchObject({ counts: { succeeded: 1 } });
});

test('only items that can be repeated are edited, of a batch that has ended and is the caller’s', async () => {
  const hold = new Gate();
  // The worker has heard of the cancel before its first item ends, and begins no other.
  const untilCancelled = (_: unknown, { signal }: { signal: AbortSignal }) => {
    signal.addEventListener('abort', hold.open);
    return hold.opened;
  };
  const running = await engine.run(untilCancelled, { items: [item('a', 1), item('b', 2)], options: { ...ONCE, concurrency: 1 } });
  await expect(edit({ batchId: running.id, key: 'b', payload: { n: 4 } })).rejects.toMatchObject(
    refusal('CONFLICT', 'you can edit items of only a batch that is completed'),
  );
  await eventually(
    () => engine.get(running.id),
    ({ counts }) => counts.running === 1,
  );
  await engine.call(CancelBatch, { batchId: running.id });
  await engine.ended(running);
  await expect(edit({ batchId: running.id, key: 'a', payload: { n: 4 } })).rejects.toMatchObject(refusal('CONFLICT', 'has succeeded'));
  await expect(edit({ batchId: running.id, key: 'x', payload: { n: 4 } })).rejects.toMatchObject(refusal('NOT_FOUND', 'the key x'));
  await expect(edit({ batchId: running.id, seq: 2, payload: { n: 4 } })).rejects.toMatchObject(refusal('NOT_FOUND', 'the seq 2'));
  await expect(edit({ batchId: running.id, payload: { n: 4 } })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  await expect(edit({ batchId: running.id, key: 'b', payload: { n: 4 } }, 'globex')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await edit({ batchId: running.id, key: 'b', payload: { n: 4 } });
  expect((await history(running.id, 1)).payloads).toHaveLength(2);
});

test('keys are found however they are written, and of two items with one key neither is guessed', async () => {
  const { id } = await oddOnesFail([item('twin', 1), { payload: { n: 3 } }, item('twin', 5), item('a"b\\c\né', 7), item('99', 9)]);
  await expect(edit({ batchId: id, key: 'twin', payload: { n: 2 } })).rejects.toMatchObject(refusal('CONFLICT', 'those at 0, 2'));
  for (const [key, seq] of [
    ['2', 1],
    ['a"b\\c\né', 3],
    ['99', 4],
  ] as const) {
    expect(await edit({ batchId: id, key, payload: { n: 2 } })).toMatchObject({ seq, key });
  }
});

test('an edit that comes while a repeat is prepared is not lost: the repeat is refused, or has it', async () => {
  for (let round = 0; round < 10; round += 1) {
    const { id, ran } = await oddOnesFail([item('a', 1), item('b', 3)]);
    ran.splice(0);
    const [edited, retried] = await Promise.allSettled([edit({ batchId: id, key: 'b', payload: { n: 8 } }), retry(id)]);
    if (retried.status === 'rejected') expect(retried.reason).toMatchObject({ code: 'CONFLICT' });
    const batch = await engine.ended({ id });
    if (batch.run === 2 && edited.status === 'fulfilled') {
      // When the repeat was first, its run had ended before the edit.
      const { outcomes, payloads } = await history(id, 1);
      const ranWith = ran.includes(8) ? 8 : 3;
      const before = Date.parse(payloads[1]!.editedAt) < Date.parse(outcomes[1]!.recordedAt);
      expect(ranWith).toBe(before ? 8 : 3);
    }
    await assertInvariants(engine.database);
  }
});

test('edits are bounded, and go with their batch', async () => {
  const { id } = await oddOnesFail([item('a', 1)]);
  await engine.sql(`INSERT INTO item_edit (batch_id, seq, no, payload) SELECT $1, 0, n, '{"n":1}' FROM generate_series(1, 10000) n`, [id]);
  await expect(edit({ batchId: id, seq: 0, payload: { n: 2 } })).rejects.toMatchObject(refusal('CONFLICT', 'make a new batch'));
  expect((await history(id, 0)).payloads).toHaveLength(101);
  await engine.call(DeleteBatch, { batchId: id });
  expect(await engine.sql('SELECT FROM item_edit WHERE batch_id = $1', [id])).toHaveLength(0);
});

test('items are edited, repeated and looked at over HTTP, by key or by position', async () => {
  const batch = await engine.create({ items: [{ key: 'a/b', payload: { fail: 'permanent' } }], options: ONCE }, { tenant: 'default' });
  const ask = async (method: string, path: string, body?: object) => {
    const headers = body ? { 'content-type': 'application/json' } : undefined;
    const init = { method, headers, body: body && JSON.stringify(body) };
    const response = await fetch(`${engine.service.url}/api/batches/${batch.id}${path}`, init);
    return { status: response.status, data: ((await response.json()) as { data: { status: string; run: number } }).data };
  };
  const ended = (run: number) =>
    eventually(
      () => ask('GET', ''),
      ({ data }) => data.run === run && data.status === 'completed',
    );
  await eventually(async () => expect((await ask('GET', '')).data.status).toBe('failed'));
  expect(await ask('PATCH', '/items/a%2Fb', { payload: { output: 1 } })).toMatchObject({ status: 200, data: { key: 'a/b' } });
  expect(await ask('POST', '/items/0/retry?by=seq', {})).toMatchObject({ status: 200, data: { run: 2 } });
  await ended(2);
  expect(await ask('GET', '/items/a%2Fb/history')).toMatchObject({ status: 200, data: { outcomes: [{ run: 1 }, { output: 1, run: 2 }] } });
  expect(await ask('POST', '/items/a%2Fb/retry', {})).toMatchObject({ status: 409 });
  expect(await ask('PATCH', '/items/x?by=seq', { payload: {} })).toMatchObject({ status: 400 });
  expect(await ask('PATCH', '/items/0?by=seq', { load: {} })).toMatchObject({ status: 400 });
  expect(await ask('GET', '/items/nobody/history')).toMatchObject({ status: 404 });
});

test('a preview of a batch shows what its items were given last, and ends after some megabytes of that', async () => {
  const { id } = await oddOnesFail(Array.from({ length: 12 }, (_, n) => item(`key-${n}`, 1)));
  const preview = async (items: number) => {
    const previews = await engine.call(PreviewBatches, { batchIds: [id], items, failures: 0, outputs: 0, stacks: false });
    return previews.get(id)!.payloads;
  };
  await edit({ batchId: id, seq: 1, payload: { n: 3 } });
  await edit({ batchId: id, seq: 1, payload: { n: 5 } });
  expect(await preview(3)).toEqual([{ n: 1 }, { n: 5 }, { n: 1 }]);
  for (let seq = 2; seq < 11; seq += 1) await edit({ batchId: id, seq, payload: { n: 7, text: 'x'.repeat(1_000_000) } });
  const shown = await preview(12);
  expect(shown).toHaveLength(10);
  expect(shown.slice(2)).toEqual(Array(8).fill(expect.objectContaining({ n: 7 })));
});
