import type { BatchView } from '../../src/batches/batch.view.js';
import { CancelBatch } from '../../src/batches/commands/cancel-batch.command.js';
import { DeleteBatch } from '../../src/batches/commands/delete-batch.command.js';
import { PauseBatch } from '../../src/batches/commands/pause-batch.command.js';
import { ResumeBatch } from '../../src/batches/commands/resume-batch.command.js';
import { RetryItems } from '../../src/batches/commands/retry-items.command.js';
import { GetBatchAnalytics } from '../../src/batches/queries/get-batch-analytics.query.js';
import { ListItems } from '../../src/batches/queries/list-items.query.js';
import { ListOutcomes } from '../../src/batches/queries/list-outcomes.query.js';
import type { InputOf } from '../../src/common/procedure.js';
import { Engine, FAST_RETRY, type ItemScript, keys } from '../support/engine.js';
import { eventually, Gate } from '../support/eventually.js';
import { assertInvariants } from '../support/invariants.js';

let engine: Engine;

beforeAll(async () => (engine = await Engine.start()));
afterEach(() => assertInvariants(engine.database));
afterAll(() => engine.close());

const ONCE = { ...FAST_RETRY, retryAttempts: 0 };
const retry = (batchId: string, more: Partial<InputOf<RetryItems>> = {}) => engine.call(RetryItems, { batchId, ...more });
const items = (count: number) => keys(count).map((key) => ({ key, payload: { n: Number(key) } }));
const refusal = (code: string, message: string) => ({ code, message: expect.stringContaining(message) as string });

/** A batch whose items fail as long as their keys are in `failing`, and what was run of it. */
async function failingBatch(count: number, failing: Set<string>, options: object = {}) {
  const ran: { key: string; n: number; attempt: number; idempotencyKey: string }[] = [];
  const batch = await engine.run(
    ({ key, payload, attempt, idempotencyKey }) => {
      ran.push({ key, n: payload.n, attempt, idempotencyKey });
      if (failing.has(key)) throw new Error(`${key} fails`);
      return { output: `done ${key}`, quality: 0.9 };
    },
    { items: items(count), options: { ...ONCE, ...options } },
  );
  return { id: batch.id, ran, first: await engine.ended(batch) };
}

/** Everything of a run but which of its outcomes were repeated. */
async function rowsOf(id: string, runNo: number): Promise<unknown> {
  const [rows] = await engine.sql(
    `SELECT to_json(r) AS run, (SELECT json_agg(l ORDER BY no) FROM lane l WHERE run_id = r.id) AS lanes,
       (SELECT json_agg(c ORDER BY no) FROM chunk c WHERE run_id = r.id) AS chunks,
       (SELECT json_agg(to_jsonb(o) - 'repeated_in' ORDER BY seq) FROM outcome o WHERE run_id = r.id) AS outcomes
     FROM run r WHERE batch_id = $1 AND no = $2`,
    [id, runNo],
  );
  return rows;
}

/** The sums of the items' states, of the outcomes and of the batch say the same. */
async function expectAgreement(id: string): Promise<void> {
  const { counts } = await engine.get(id);
  const states = (await engine.items({ id })).map(({ status }) => status);
  const statuses = (await engine.outcomes({ id })).map(({ status }) => status);
  const count = (list: string[], value: string) => list.filter((each) => each === value).length;
  expect(states).toHaveLength(counts.total);
  for (const status of ['succeeded', 'failed', 'skipped', 'cancelled'] as const) expect(count(states, status)).toBe(counts[status]);
  for (const status of ['succeeded', 'failed', 'skipped'] as const) expect(count(statuses, status)).toBe(counts[status]);
}

describe('retrying failed items', () => {
  test('works just them again, with the payloads they came with, all tries, and another idempotency key', async () => {
    const failing = new Set(keys(100).filter((key) => Number(key) % 10 === 0));
    const expected = [...failing];
    const { id, ran, first } = await failingBatch(100, failing, { batchSize: 7, retryAttempts: 1 });
    expect(first).toMatchObject({ run: 1, status: 'completed', counts: { succeeded: 90, failed: 10 } });
    const before = new Set(ran.splice(0).map(({ idempotencyKey }) => idempotencyKey));
    failing.clear();

    const started = await retry(id);
    expect(started).toMatchObject({ run: 2, status: 'running', endedAt: null, counts: { total: 100, succeeded: 90, failed: 0 } });
    expect(started.progress).toBeLessThan(100);
    expect(await engine.ended({ id })).toMatchObject({
      run: 2,
      status: 'completed',
      progress: 100,
      counts: { total: 100, succeeded: 100, failed: 0, pending: 0 },
    });
    expect(ran.map(({ key }) => key).sort()).toEqual(expected.sort());
    for (const { key, n, attempt, idempotencyKey } of ran) {
      expect({ n, attempt }).toEqual({ n: Number(key), attempt: 1 });
      expect(before.has(idempotencyKey)).toBe(false);
    }
  });

  test('leaves every row of the finished run as it was, and goes on in the event log with the new run’s number', async () => {
    const failing = new Set(['2', '5']);
    const { id } = await failingBatch(6, failing, { batchSize: 2 });
    const before = await rowsOf(id, 1);
    failing.clear();
    await retry(id);
    await engine.ended({ id });
    expect(await rowsOf(id, 1)).toEqual(before);
    const events = (await engine.events({ id })).filter(({ type }) => type !== 'batch.progress');
    expect(events.map(({ run, type }) => [run, type])).toEqual([
      [1, 'batch.created'],
      [1, 'batch.started'],
      [1, 'batch.completed'],
      [2, 'batch.started'],
      [2, 'batch.completed'],
    ]);
    expect(events.at(-1)!.data).toMatchObject({ status: 'completed', counts: { total: 6, succeeded: 6, failed: 0 } });
  });

  test('shows what counts now, and all of it when history is asked for', async () => {
    const failing = new Set(['2', '4']);
    const { id } = await failingBatch(5, failing);
    failing.delete('2');
    await retry(id);
    await engine.ended({ id });
    const brief = (await engine.outcomes({ id })).map(({ seq, run, key, status }) => [seq, run, key, status]);
    expect(brief).toEqual([
      [0, 1, '1', 'succeeded'],
      [1, 2, '2', 'succeeded'],
      [2, 1, '3', 'succeeded'],
      [3, 2, '4', 'failed'],
      [4, 1, '5', 'succeeded'],
    ]);
    const history = await engine.call(ListOutcomes, { batchId: id, history: true });
    expect(history).toMatchObject({ total: 7, hasMore: false });
    expect(history.rows.map(({ seq, run, status }) => [seq, run, status]).slice(1, 6)).toEqual([
      [1, 1, 'failed'],
      [1, 2, 'succeeded'],
      [2, 1, 'succeeded'],
      [3, 1, 'failed'],
      [3, 2, 'failed'],
    ]);
    expect(await engine.call(ListOutcomes, { batchId: id, history: true, key: '4' })).toMatchObject({
      total: 2,
      rows: [{ run: 1 }, { run: 2 }],
    });
    expect(await engine.call(ListOutcomes, { batchId: id, status: 'failed' })).toMatchObject({ total: 1, rows: [{ key: '4', run: 2 }] });
    expect(await engine.call(ListOutcomes, { batchId: id, history: true, status: 'failed' })).toMatchObject({ total: 3 });
    expect((await engine.items({ id })).map(({ key, status, error }) => [key, status, error?.message])).toEqual([
      ['1', 'succeeded', undefined],
      ['2', 'succeeded', undefined],
      ['3', 'succeeded', undefined],
      ['4', 'failed', '4 fails'],
      ['5', 'succeeded', undefined],
    ]);
  });

  test('takes the old failures out of the analytics', async () => {
    const failing = new Set(['1', '2', '3']);
    const { id, first } = await failingBatch(20, failing);
    expect(first.meanDurationMs).toBeGreaterThan(0);
    failing.delete('1');
    await retry(id, { keys: ['1', '2'] });
    expect(await engine.ended({ id })).toMatchObject({ counts: { succeeded: 18, failed: 2 } });
    const analytics = await engine.call(GetBatchAnalytics, { batchId: id });
    expect(analytics).toMatchObject({
      counts: { total: 20, failed: 2 },
      durations: { count: 20 },
      quality: { count: 18, average: expect.closeTo(0.9) as number },
    });
    expect(analytics.errors.map(({ message, count }) => [message, count]).sort()).toEqual([
      ['2 fails', 1],
      ['3 fails', 1],
    ]);
    expect(analytics.durations.p99).toBeGreaterThan(0);
  });

  test('reads every page of items and outcomes once, whatever its size, over three runs', async () => {
    const failing = new Set(keys(300).filter((key) => Number(key) % 3 === 0));
    const { id } = await failingBatch(300, failing, { batchSize: 9, concurrency: 120 });
    for (const share of [2, 5]) {
      for (const key of failing) if (Number(key) % share === 0) failing.delete(key);
      await retry(id);
      await engine.ended({ id });
    }
    for (const limit of [1, 7, 299, 300, 1_000]) {
      const places = Array.from({ length: Math.ceil(300 / limit) }, (_, page) => page * limit);
      const listed = (await Promise.all(places.map((offset) => engine.call(ListItems, { batchId: id, limit, offset })))).flatMap(
        ({ rows }) => rows,
      );
      const found = (await Promise.all(places.map((offset) => engine.call(ListOutcomes, { batchId: id, limit, offset })))).flatMap(
        ({ rows }) => rows,
      );
      expect(listed.map(({ key }) => key)).toEqual(keys(300));
      expect(found.map(({ key }) => key)).toEqual(keys(300));
      expect(listed.map(({ status }) => status)).toEqual(found.map(({ status }) => status));
      expect(listed.filter(({ status }) => status === 'failed').map(({ key }) => key)).toEqual([...failing]);
    }
  }, 60_000);

  test('shows the repeated items at work while the others stay as they ended', async () => {
    const hold = new Gate();
    let fails = true;
    const { id } = await engine.run(
      async ({ key }) => {
        if (Number(key) > 4) return;
        if (fails) throw new Error('no');
        await hold.opened;
      },
      { items: items(6), options: { ...ONCE, concurrency: 2, batchSize: 3 } },
    );
    await engine.ended({ id });
    fails = false;
    await retry(id);
    await eventually(
      () => engine.get(id),
      ({ counts }) => counts.running === 2,
    );
    expect(await engine.get(id)).toMatchObject({
      status: 'running',
      progress: 33,
      counts: { total: 6, succeeded: 2, running: 2, pending: 2 },
    });
    const states = (await engine.items({ id })).map(({ key, status }) => [key, status]);
    expect(states.filter(([, status]) => status === 'running')).toHaveLength(2);
    expect(states.filter(([, status]) => status === 'pending')).toHaveLength(2);
    expect(states.slice(4)).toEqual([
      ['5', 'succeeded'],
      ['6', 'succeeded'],
    ]);
    expect(await engine.call(ListOutcomes, { batchId: id })).toMatchObject({ total: 2 });
    hold.open();
    expect(await engine.ended({ id })).toMatchObject({ status: 'completed', counts: { succeeded: 6 } });
  });

  test('gives items that go on counting their tries what is left of them, and one when nothing is left', async () => {
    const { id, ran } = await failingBatch(2, new Set(['1', '2']), { retryAttempts: 2 });
    expect(
      ran
        .splice(0)
        .map(({ attempt }) => attempt)
        .sort(),
    ).toEqual([1, 1, 2, 2, 3, 3]);
    await retry(id, { keys: ['1'], continueAttempts: true });
    await engine.ended({ id });
    expect(ran.splice(0)).toMatchObject([{ key: '1', attempt: 4 }]);
    await retry(id, { keys: ['2'] });
    await engine.ended({ id });
    expect(ran.map(({ key, attempt }) => [key, attempt])).toEqual([
      ['2', 1],
      ['2', 2],
      ['2', 3],
    ]);
    expect((await engine.outcomes({ id })).map(({ attempts }) => attempts)).toEqual([4, 3]);
  });

  test('retries items of the same key together, and items without a key by the number they are called by', async () => {
    let fails = true;
    const { id } = await engine.run(
      () => {
        if (fails) throw new Error('no');
      },
      { items: [{ key: 'twin' }, { payload: { n: 2 } }, { key: 'twin' }], options: ONCE },
    );
    await engine.ended({ id });
    fails = false;
    expect(await retry(id, { keys: ['twin', 'twin'] })).toMatchObject({ counts: { failed: 1 } });
    expect(await engine.ended({ id })).toMatchObject({ counts: { succeeded: 2, failed: 1 } });
    await retry(id, { keys: ['2'] });
    expect(await engine.ended({ id })).toMatchObject({ run: 3, counts: { succeeded: 3, failed: 0 } });
  });
});

describe('the end of a repeat', () => {
  test('is judged by the whole batch: it completes when anything ever succeeded, though every repeated item fails again', async () => {
    const { id } = await failingBatch(3, new Set(['2', '3']));
    const { status, reason, counts, progress } = await retry(id).then(() => engine.ended({ id }));
    expect({ status, reason, counts, progress }).toMatchObject({
      status: 'completed',
      reason: null,
      progress: 100,
      counts: { succeeded: 1, failed: 2 },
    });
  });

  test('is a failure as long as nothing succeeded, and a success as soon as something does, run after run', async () => {
    const failing = new Set(keys(4));
    const { id, first } = await failingBatch(4, failing);
    expect(first).toMatchObject({ status: 'failed', reason: 'every item failed' });
    await retry(id);
    expect(await engine.ended({ id })).toMatchObject({ run: 2, status: 'failed', reason: 'every item failed' });
    failing.delete('3');
    await retry(id, { seqs: [2] });
    expect(await engine.ended({ id })).toMatchObject({ run: 3, status: 'completed', reason: null, counts: { succeeded: 1, failed: 3 } });
    failing.clear();
    await retry(id);
    expect(await engine.ended({ id })).toMatchObject({ run: 4, status: 'completed', progress: 100, counts: { succeeded: 4, failed: 0 } });
    await expectAgreement(id);
  });

  test('has a deadline of its own', async () => {
    let fails = true;
    const { id } = await engine.run(
      async ({ key }, { signal }) => {
        if (key === '2') return;
        if (fails) throw new Error('no');
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        throw new Error('stopped');
      },
      { items: items(2), options: { ...ONCE, batchTimeout: 2_000 } },
    );
    expect(await engine.ended({ id })).toMatchObject({ status: 'completed' });
    fails = false;
    const { startedAt } = await retry(id);
    const [row] = await engine.sql<{ deadline_at: Date }>('SELECT deadline_at FROM run WHERE batch_id = $1 AND no = 2', [id]);
    expect(row!.deadline_at.getTime() - Date.parse(startedAt!)).toBe(2_000);
    expect(await engine.ended({ id })).toMatchObject({ run: 2, status: 'timed_out', counts: { total: 2, succeeded: 1, cancelled: 1 } });
    await expectAgreement(id);
  });

  test('by cancelling leaves earlier successes, counts what never started as cancelled, and lets the rest be retried', async () => {
    const hold = new Gate();
    let fails = true;
    const { id } = await engine.run(
      async ({ key }) => {
        if (key === '5') return;
        if (fails || key === '1') throw new Error('no');
        await hold.opened;
      },
      { items: items(5), options: { ...ONCE, concurrency: 1, batchSize: 2 } },
    );
    await engine.ended({ id });
    fails = false;
    await retry(id);
    await eventually(
      () => engine.get(id),
      ({ counts }) => counts.running === 1 && counts.failed === 1,
    );
    const reads = await engine.call(CancelBatch, { batchId: id });
    expect(reads).toMatchObject({ status: 'cancelled', stopping: true, counts: { succeeded: 1, failed: 1, running: 1 } });
    hold.open();
    const cancelled = await engine.ended({ id });
    expect(cancelled).toMatchObject({
      run: 2,
      status: 'cancelled',
      counts: { total: 5, succeeded: 2, failed: 1, cancelled: 2 },
      progress: 60,
    });
    const states = (await engine.items({ id })).map(({ status }) => status);
    expect(states).toEqual(['failed', 'succeeded', 'cancelled', 'cancelled', 'succeeded']);
    await expect(retry(id, { keys: ['3'] })).rejects.toMatchObject(refusal('CONFLICT', '3 did not fail'));
    await retry(id);
    expect(await engine.ended({ id })).toMatchObject({
      run: 3,
      status: 'completed',
      progress: 60,
      counts: { succeeded: 2, failed: 1, cancelled: 2 },
    });
    await expectAgreement(id);
  });

  test('comes after a pause and a resume as well', async () => {
    const [first, others] = [new Gate(), new Gate()];
    let fails = true;
    const { id } = await engine.run(
      async ({ key }) => {
        if (fails) throw new Error('no');
        await (key === keys(1)[0] ? first : others).opened;
      },
      { items: items(4), options: { ...ONCE, concurrency: 1 } },
    );
    await engine.ended({ id });
    fails = false;
    await retry(id);
    expect(await engine.call(PauseBatch, { batchId: id })).toMatchObject({ status: 'paused', run: 2 });
    first.open();
    expect(await engine.call(ResumeBatch, { batchId: id })).toMatchObject({ status: 'running' });
    others.open();
    expect(await engine.ended({ id })).toMatchObject({ status: 'completed', counts: { succeeded: 4 } });
  });
});

describe('a retry is refused', () => {
  test('while the batch has not ended, with nothing done', async () => {
    const hold = new Gate();
    const pending = await engine.create({ items: ['a'], start: false });
    const running = await engine.run(() => hold.opened, { items: items(2), options: { concurrency: 1 } });
    await eventually(
      () => engine.get(running.id),
      ({ counts }) => counts.running === 1,
    );
    const before = await engine.rowCounts();
    await expect(retry(pending.id)).rejects.toMatchObject(
      refusal('CONFLICT', `batch ${pending.id} is pending; you can retry items of only a batch`),
    );
    await expect(retry(running.id)).rejects.toMatchObject(refusal('CONFLICT', 'is running'));
    await engine.call(PauseBatch, { batchId: running.id });
    await expect(retry(running.id)).rejects.toMatchObject(refusal('CONFLICT', 'is paused'));
    await engine.call(CancelBatch, { batchId: running.id });
    await expect(retry(running.id)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect({ ...(await engine.rowCounts()), batch_event: 0 }).toEqual({ ...before, batch_event: 0 });
    hold.open();
    await engine.ended(running);
  });

  test('when nothing failed, or something named did not fail, with nothing done', async () => {
    const { id } = await failingBatch(4, new Set(['2']));
    const good = await engine.ended(await engine.create({ items: ['a'] }));
    const before = await engine.rowCounts();
    await expect(retry(good.id)).rejects.toMatchObject(refusal('CONFLICT', 'nothing to retry'));
    await expect(retry(id, { keys: ['2', '3', 'x'] })).rejects.toMatchObject(refusal('CONFLICT', '3, x did not fail'));
    await expect(retry(id, { seqs: [1, 99] })).rejects.toMatchObject(refusal('CONFLICT', '99 did not fail'));
    expect(await engine.rowCounts()).toEqual(before);
    expect(await engine.get(id)).toMatchObject({ run: 1, status: 'completed' });
  });

  test.each<[string, object]>([
    ['keys', { keys: [] }],
    ['keys', { keys: 'a' }],
    ['keys', { keys: [1] }],
    ['keys', { keys: keys(10_001) }],
    ['keys', { keys: ['a'], seqs: [0] }],
    ['seqs', { seqs: [-1] }],
    ['seqs', { seqs: [0.5] }],
    ['seqs', { seqs: ['0'] }],
    ['continueAttempts', { continueAttempts: 'yes' }],
    ['failed', { failed: true }],
  ])('for a wrong %s %#', async (path, wrong) => {
    const { id } = await failingBatch(1, new Set(['1']));
    const answer: unknown = await retry(id, wrong).catch((error: unknown) => error);
    expect(answer).toMatchObject({ code: 'INVALID_INPUT', details: { errors: [{ path }] } });
  });

  test('to another tenant, as if there were no such batch', async () => {
    const { id } = await failingBatch(1, new Set(['1']));
    const other = engine.call(RetryItems, { batchId: id }, { tenant: 'globex' });
    await expect(other).rejects.toMatchObject({ code: 'NOT_FOUND', message: `there is no batch ${id}` });
  });
});

test('a repeated batch is deleted with all of its runs', async () => {
  const before = await engine.rowCounts();
  const { id } = await failingBatch(30, new Set(keys(10)), { batchSize: 4, retryAttempts: 1 });
  for (const run of [2, 3]) expect(await retry(id).then(() => engine.ended({ id }))).toMatchObject({ run });
  await engine.call(DeleteBatch, { batchId: id });
  expect(await engine.rowCounts()).toEqual(before);
});

test('the failed items of a batch are retried over HTTP, and the ERP results show their new outcomes', async () => {
  const failing = new Set(['2', '3']);
  const script: ItemScript = ({ key }) => {
    if (failing.has(key)) throw new Error('no');
  };
  const { id } = await engine.run(script, { items: items(3), options: ONCE }, { tenant: 'default' });
  const read = async (path: string) => (await (await fetch(`${engine.service.url}${path}`)).json()) as { data: BatchView };
  const endOf = (run: number) =>
    eventually(
      () => read(`/api/batches/${id}`),
      ({ data }) => data.run === run && data.status === 'completed',
    );
  const post = (body: object) =>
    fetch(`${engine.service.url}/api/batches/${id}/retry`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  await endOf(1);
  failing.clear();
  const answer = await post({ keys: ['2'] });
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({ success: true, data: { id, run: 2, status: 'running' } });
  await endOf(2);
  expect((await post({ seqs: [1] })).status).toBe(409);
  expect((await post({ sequences: [1] })).status).toBe(400);
  expect((await post({})).status).toBe(200);
  await endOf(3);
  expect(await read(`/api/batch/${id}/results`)).toMatchObject({
    batch: {
      results: ['1', '2', '3'].map((nodeId) => ({ nodeId, success: true })),
      summary: { total: 3, successful: 3, failed: 0 },
    },
  });
  expect(await read(`/api/batches/${id}/results?history=true&key=3`)).toMatchObject({
    data: [
      { run: 1, status: 'failed' },
      { run: 3, status: 'succeeded' },
    ],
  });
});
