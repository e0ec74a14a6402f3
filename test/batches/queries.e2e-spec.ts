import type { Type } from '@nestjs/common';
import type { BatchView, Page } from '../../src/batches/batch.view.js';
import { CancelBatch } from '../../src/batches/commands/cancel-batch.command.js';
import { GetBatchAnalytics } from '../../src/batches/queries/get-batch-analytics.query.js';
import { GetBatchStats } from '../../src/batches/queries/get-batch-stats.query.js';
import { ListBatches } from '../../src/batches/queries/list-batches.query.js';
import { ListEvents } from '../../src/batches/queries/list-events.query.js';
import { ListItems } from '../../src/batches/queries/list-items.query.js';
import { ListOutcomes } from '../../src/batches/queries/list-outcomes.query.js';
import type { BatchEventRecord } from '../../src/batches/events/batch.events.js';
import type { Caller, Procedure } from '../../src/common/procedure.js';
import { Engine, FAST_RETRY, keys } from '../support/engine.js';
import { eventually } from '../support/eventually.js';
import { assertInvariants } from '../support/invariants.js';

let engine: Engine;
/** 400 items: every fourth fails, every fifth of the rest is skipped. */
let mixed: BatchView;

beforeAll(async () => {
  engine = await Engine.start();
  const batch = await engine.run(
    async ({ key }) => {
      const n = Number(key);
      if (n % 4 === 0) throw new Error(`wrong in ${n % 3} ways`);
      if (n % 5 === 0) return { skipped: 'old' };
      return { output: n, quality: (n % 101) / 100 };
    },
    { items: keys(400), options: { ...FAST_RETRY, retryAttempts: 1, batchSize: 7, concurrency: 55 } },
  );
  mixed = await engine.ended(batch);
});

afterEach(() => assertInvariants(engine.database));
afterAll(() => engine.close());

/** Reads page by page to the end. */
async function all<Row>(read: (offset: number) => Promise<Page<Row>>): Promise<Row[]> {
  const rows: Row[] = [];
  for (;;) {
    const page = await read(rows.length);
    expect(page).toMatchObject({ offset: rows.length });
    expect(page.hasMore).toBe(rows.length + page.rows.length < page.total);
    rows.push(...page.rows);
    if (!page.hasMore) {
      expect(rows).toHaveLength(page.total);
      return rows;
    }
    expect(page.rows).toHaveLength(page.limit);
  }
}

describe('pages', () => {
  test.each([1, 7, 100, 399, 400, 1_000])(
    'of %d show every item and every outcome once, in order',
    async (limit) => {
      const items = await all((offset) => engine.call(ListItems, { batchId: mixed.id, limit, offset }));
      expect(items.map(({ key }) => key)).toEqual(keys(400));
      expect(items.map(({ seq }) => seq)).toEqual(keys(400).map((key) => Number(key) - 1));
      const outcomes = await all((offset) => engine.call(ListOutcomes, { batchId: mixed.id, limit, offset }));
      expect(outcomes.map(({ key }) => key)).toEqual(keys(400));
      items.forEach(({ status, attempts, error }, index) => {
        const outcome = outcomes[index]!;
        expect({ status, attempts, error }).toEqual({ status: outcome.status, attempts: outcome.attempts, error: outcome.error });
      });
    },
    60_000,
  );

  test('show the outcomes of one status or one key', async () => {
    for (const status of ['succeeded', 'failed', 'skipped'] as const) {
      const found = await all((offset) => engine.call(ListOutcomes, { batchId: mixed.id, status, limit: 17, offset }));
      expect(found).toHaveLength(mixed.counts[status]);
      expect(new Set(found.map((each) => each.status))).toEqual(new Set([status]));
    }
    expect(await engine.call(ListOutcomes, { batchId: mixed.id, key: '8' })).toMatchObject({
      total: 1,
      hasMore: false,
      rows: [{ key: '8', status: 'failed' }],
    });
    expect(await engine.call(ListOutcomes, { batchId: mixed.id, key: '8', status: 'succeeded' })).toMatchObject({ total: 0, rows: [] });
  });

  test('beyond the end are empty', async () => {
    expect(await engine.call(ListItems, { batchId: mixed.id, offset: 400 })).toMatchObject({ rows: [], total: 400, hasMore: false });
    expect(await engine.call(ListOutcomes, { batchId: mixed.id, offset: 2_000_000_000 })).toMatchObject({
      rows: [],
      total: 400,
      hasMore: false,
    });
    expect(await engine.call(ListItems, { batchId: mixed.id, offset: 2_000_000_000, limit: 1_000 })).toMatchObject({
      rows: [],
      hasMore: false,
    });
  });

  test.each<[string, Type<Procedure>, object]>([
    ['ListItems', ListItems, { limit: 0 }],
    ['ListItems', ListItems, { limit: 1_001 }],
    ['ListItems', ListItems, { offset: -1 }],
    ['ListItems', ListItems, { offset: 2_000_000_001 }],
    ['ListOutcomes', ListOutcomes, { limit: 10_001 }],
    ['ListOutcomes', ListOutcomes, { limit: 'many' }],
    ['ListOutcomes', ListOutcomes, { status: 'pending' }],
    ['ListOutcomes', ListOutcomes, { key: { $ne: 1 } }],
    ['ListEvents', ListEvents, { afterSeq: -1 }],
    ['ListEvents', ListEvents, { limit: 1_001 }],
    ['ListEvents', ListEvents, { afterSeq: 1.5 }],
  ])('of %s are not given for a wrong %p %p', async (_name, type, more) => {
    await expect(engine.call(type, { batchId: mixed.id, ...more } as never)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });

  test('of events follow a sequence number without a miss or a repeat', async () => {
    const whole = await engine.events(mixed);
    const read: BatchEventRecord[] = [];
    for (;;) {
      const next = await engine.call(ListEvents, { batchId: mixed.id, afterSeq: read.length, limit: 2 });
      if (next.length === 0) break;
      read.push(...next);
    }
    expect(read).toEqual(whole);
    expect(whole.map(({ seq }) => seq)).toEqual(whole.map((_, index) => index + 1));
    expect(whole.at(-1)!.seq).toBe(mixed.lastEventSeq);
    expect(whole[0]).toMatchObject({
      tenant: 'acme',
      batchId: mixed.id,
      run: 1,
      type: 'batch.created',
      data: { status: 'pending', progress: 0, operation: 'scripted' },
    });
  });
});

describe('the list of batches', () => {
  const caller: Caller = { tenant: 'lister' };
  const made: BatchView[] = [];

  beforeAll(async () => {
    for (let n = 0; n < 25; n += 1) {
      const input = {
        operation: n % 2 ? 'export' : 'noop',
        name: n % 5 ? `Batch % ${n}` : undefined,
        items: ['a'],
        ...(n % 2 ? { external: true } : { start: false }),
      };
      made.unshift(await engine.create(input, { ...caller, dialect: n % 3 ? 'native' : 'erp' }));
    }
    for (const { id } of made.slice(0, 4)) await engine.call(CancelBatch, { batchId: id }, caller);
  });

  const ids = (filter: object, limit = 4) =>
    all((offset) => engine.call(ListBatches, { ...filter, limit, offset }, caller)).then((rows) => rows.map(({ id }) => id));
  const expected = (holds: (batch: BatchView, n: number) => boolean) => made.filter(holds).map(({ id }) => id);

  test('is paged newest first', async () => {
    for (const limit of [1, 4, 25, 100]) expect(await ids({}, limit)).toEqual(made.map(({ id }) => id));
    expect(await engine.call(ListBatches, {}, caller)).toMatchObject({ limit: 50, offset: 0, total: 25 });
    expect(await engine.call(ListBatches, { limit: 5_000 }, caller)).toMatchObject({ limit: 100 });
  });

  test('can be narrowed by each of its filters, and by several', async () => {
    expect(await ids({ dialect: 'erp' })).toEqual(expected(({ dialect }) => dialect === 'erp'));
    expect(await ids({ operation: 'export' })).toEqual(expected(({ operation }) => operation === 'export'));
    expect(await ids({ status: ['cancelled'] })).toEqual(expected((_, n) => n < 4));
    expect(await ids({ status: ['cancelled', 'pending'] })).toEqual(expected(() => true));
    expect(await ids({ status: [] })).toEqual([]);
    expect(await ids({ name: 'BATCH % 1' })).toEqual(expected(({ name }) => name?.toLowerCase().includes('batch % 1') ?? false));
    expect(await ids({ name: '%' })).toEqual(expected(({ name }) => name !== null));
    expect(await ids({ name: `'; DROP TABLE batch; --` })).toEqual([]);
    expect(await ids({ operation: 'noop', dialect: 'erp', status: ['pending'] })).toEqual(
      expected(({ operation, dialect }, n) => operation === 'noop' && dialect === 'erp' && n >= 4),
    );
    const { createdAt } = made[10]!;
    expect(await ids({ createdBefore: createdAt })).toEqual(expected((batch) => batch.createdAt < createdAt));
    expect((await ids({ createdAfter: createdAt })).filter((id) => id !== made[10]!.id)).toEqual(expected((_, n) => n < 10));
  });

  test.each<[object]>([
    [{ status: ['stopping'] }],
    [{ status: 'pending' }],
    [{ createdAfter: 'yesterday' }],
    [{ limit: 0 }],
    [{ dialect: 'x' }],
    [{ name: 'a\0' }],
  ])('refuses %p', async (filter) => {
    await expect(engine.call(ListBatches, filter as never, caller)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });

  test('is counted by status and operation in the statistics', async () => {
    expect(await engine.call(GetBatchStats, {}, caller)).toEqual({
      total: 25,
      byStatus: { pending: 21, running: 0, paused: 0, completed: 0, failed: 0, cancelled: 4, timed_out: 0 },
      byOperation: { noop: 13, export: 12 },
    });
    expect(await engine.call(GetBatchStats, { dialect: 'erp' }, caller)).toMatchObject({ total: 9 });
  });
});

describe('analytics', () => {
  const percentile = (sorted: number[], fraction: number): number => {
    const at = fraction * (sorted.length - 1);
    const low = Math.floor(at);
    return sorted[low]! + (sorted[Math.min(low + 1, sorted.length - 1)]! - sorted[low]!) * (at - low);
  };

  test('are what the outcomes say', async () => {
    const outcomes = await engine.outcomes(mixed);
    const analytics = await engine.call(GetBatchAnalytics, { batchId: mixed.id });
    const durations = outcomes.map(({ durationMs }) => durationMs!).sort((a, b) => a - b);
    const qualities = outcomes.flatMap(({ quality }) => (quality === null ? [] : [quality]));
    const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
    expect(analytics).toMatchObject({ batchId: mixed.id, status: 'completed', counts: mixed.counts });
    expect(analytics.durations.count).toBe(400);
    expect(analytics.durations.sum).toBeCloseTo(sum(durations), 1);
    expect(analytics.durations.average).toBeCloseTo(sum(durations) / 400, 3);
    for (const [name, fraction] of [
      ['p50', 0.5],
      ['p95', 0.95],
      ['p99', 0.99],
    ] as const) {
      expect(analytics.durations[name]).toBeCloseTo(percentile(durations, fraction), 3);
    }
    expect(analytics.quality.count).toBe(qualities.length);
    expect(analytics.quality.average).toBeCloseTo(sum(qualities) / qualities.length, 5);
    const histogram = new Array<number>(20).fill(0);
    for (const quality of qualities) histogram[Math.min(19, Math.floor(quality * 20 + 1e-6))]! += 1;
    expect(analytics.quality.histogram).toEqual(histogram);
    const errors = new Map<string, number>();
    for (const { status, error } of outcomes) if (status === 'failed') errors.set(error!.message, (errors.get(error!.message) ?? 0) + 1);
    expect(Object.fromEntries(analytics.errors.map(({ message, count }) => [message, count]))).toEqual(Object.fromEntries(errors));
    expect(analytics.errors.map(({ count }) => count)).toEqual(analytics.errors.map(({ count }) => count).sort((a, b) => b - a));
    expect(analytics.errors.every(({ kind }) => kind === 'retryable')).toBe(true);
    const { timeline } = analytics;
    expect(timeline.at(-1)).toMatchObject({ processed: 400, failed: 100, progress: 100 });
    expect(timeline.map(({ processed }) => processed)).toEqual(timeline.map(({ processed }) => processed).sort((a, b) => a - b));
  });

  test('of many outcomes are within one percent of them', async () => {
    const batch = await engine.create({ operation: 'noop', filters: { count: 12_000 }, options: { concurrency: 100 } });
    await engine.ended(batch);
    const { durations } = await engine.call(GetBatchAnalytics, { batchId: batch.id });
    const rows = await engine.sql<{ ms: number }>(
      'SELECT duration_ms AS ms FROM outcome JOIN batch b USING (run_id) WHERE b.id = $1 ORDER BY 1',
      [batch.id],
    );
    const sorted = rows.map(({ ms }) => ms);
    expect(durations.count).toBe(12_000);
    for (const [name, fraction] of [
      ['p50', 0.5],
      ['p95', 0.95],
      ['p99', 0.99],
    ] as const) {
      const exact = sorted[Math.ceil(fraction * sorted.length) - 1]!;
      expect(Math.abs(durations[name] - exact)).toBeLessThanOrEqual(Math.max(0.001, exact * 0.0101));
    }
  });

  test('of a batch without a result are empty, not broken', async () => {
    const { id } = await engine.create({ items: ['a'], start: false });
    expect(await engine.call(GetBatchAnalytics, { batchId: id })).toMatchObject({
      status: 'pending',
      durations: { count: 0, sum: 0, average: 0, p50: 0, p95: 0, p99: 0 },
      quality: { count: 0, average: null, histogram: new Array(20).fill(0) },
      errors: [],
    });
  });
});

test('an output comes back with its fields in the order in which the handler gave them', async () => {
  const batch = await engine.run(() => ({ output: { title: 'z', id: 7, nested: { last: 1.5, by: null } } }), { items: ['a'] });
  await engine.ended(batch);

  const [outcome] = await engine.outcomes(batch);

  expect(JSON.stringify(outcome!.output)).toBe('{"title":"z","id":7,"nested":{"last":1.5,"by":null}}');
});

test('every snapshot of a running batch adds up, and its progress only rises', async () => {
  const batch = await engine.run(
    async ({ attempt, key }) => {
      await new Promise(setImmediate);
      if (Number(key) % 7 === 0 && attempt < 3) throw new Error('again');
    },
    { items: keys(3_000), options: { ...FAST_RETRY, retryAttempts: 3, concurrency: 120, batchSize: 50 } },
  );
  let last = { progress: 0, processed: 0 };
  await eventually(
    async () => {
      const view = await engine.get(batch.id);
      const { total, succeeded, failed, skipped, cancelled, running, pending } = view.counts;
      if (succeeded + failed + skipped + cancelled + running + pending !== total)
        throw new Error(`does not add up: ${JSON.stringify(view.counts)}`);
      const processed = succeeded + failed + skipped;
      expect(view.progress).toBeGreaterThanOrEqual(last.progress);
      expect(processed).toBeGreaterThanOrEqual(last.processed);
      expect(view.progress === 100).toBe(view.status === 'completed');
      last = { progress: view.progress, processed };
      await assertInvariants(engine.database);
      return view;
    },
    ({ status }) => status === 'completed',
  );
});
