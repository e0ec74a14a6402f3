import type { BatchOptionsInput } from '../../src/batches/batch.options.js';
import type { BatchView } from '../../src/batches/batch.view.js';
import { CancelBatch } from '../../src/batches/commands/cancel-batch.command.js';
import { DeleteBatch } from '../../src/batches/commands/delete-batch.command.js';
import { PauseBatch } from '../../src/batches/commands/pause-batch.command.js';
import { ResumeBatch } from '../../src/batches/commands/resume-batch.command.js';
import type { ClaimedLane } from '../../src/batches/store/claim-lane.js';
import { findWaitingRuns } from '../../src/batches/store/find-work.js';
import { surrenderLane } from '../../src/batches/store/surrender-lane.js';
import { holdRun, takeTokens } from '../../src/batches/store/take-tokens.js';
import { RetryLaterError } from '../../src/operations/item-handler.js';
import { StartTokens } from '../../src/worker/start-tokens.js';
import { Engine, FAST_RETRY, type ItemScript, keys } from '../support/engine.js';
import { eventually, Gate } from '../support/eventually.js';
import { claimLane } from '../support/lanes.js';
import { assertInvariants } from '../support/invariants.js';

const LONG_MS = 30_000;

let engine: Engine;

beforeAll(async () => (engine = await Engine.start()));
afterEach(() => assertInvariants(engine.database));
afterAll(() => engine.close());

/** When items started, by the clock of this machine, which is also the database's. */
class Starts {
  readonly at: number[] = [];

  constructor(private readonly since: number) {}

  static async count(): Promise<Starts> {
    const [row] = await engine.sql<{ ms: number }>('SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS ms');
    return new Starts(row!.ms);
  }

  note(): void {
    this.at.push(Date.now());
  }

  /** At no moment more than a bucketful and what came into it since the beginning. */
  expectWithin(perMinute: number): void {
    const tooEarly = this.at.filter((at, index) => index + 1 > perMinute + ((at + 1 - this.since) * perMinute) / 60_000);
    expect(tooEarly).toEqual([]);
  }
}

/** Waits until the batch has no tokens, and nobody a lane of it. */
function held({ id }: BatchView): Promise<unknown> {
  const look = `
    SELECT r.held_until > clock_timestamp() AS held, (SELECT bool_and(lease_until = '-infinity') FROM lane WHERE run_id = r.id) AS free
    FROM run r WHERE r.batch_id = $1`;
  return eventually(
    async () => (await engine.sql<{ held: boolean; free: boolean }>(look, [id]))[0]!,
    (run) => run.held && run.free,
    LONG_MS,
  );
}

/** As if it were a minute later for the batch's limits. */
async function letAMinutePass({ id }: BatchView): Promise<void> {
  await engine.sql(`UPDATE rate_bucket SET refilled_at = refilled_at - interval '1 minute'`);
  await engine.sql(`UPDATE run SET held_until = held_until - interval '1 minute' WHERE batch_id = $1`, [id]);
}

const perMinute = (rateLimitPerMinute: number): BatchOptionsInput => ({ rateLimitPerMinute });
const inPool = (name: string, number: number): BatchOptionsInput => ({ rateLimitPool: { name, perMinute: number } });

describe('a rate limit', () => {
  test('lets a bucketful start at once and then as many as it refills', async () => {
    const starts = await Starts.count();
    const batch = await engine.run(() => starts.note(), { items: keys(640), options: { ...perMinute(600), batchSize: 37 } });
    expect(await engine.ended(batch, LONG_MS)).toMatchObject({ status: 'completed', counts: { succeeded: 640 } });
    expect(starts.at).toHaveLength(640);
    starts.expectWithin(600);
  });

  test('lets a batch go on by itself when a token is due, without a sweep', async () => {
    const own = await Engine.start({ SWEEP_MS: '60000' });
    try {
      let started = 0;
      const batch = await own.run(() => void (started += 1), { items: keys(31), options: perMinute(30) });
      expect((await own.ended(batch, LONG_MS)).counts.succeeded).toBe(31);
      expect(started).toBe(31);
      await assertInvariants(own.database);
    } finally {
      await own.close();
    }
  });

  test('holds over all lanes of a batch and all processes at the same database', async () => {
    const own = await Engine.start({ WORKER_LANES: '1' });
    const other = await Engine.start({ DATABASE_URL: own.service.databaseUrl, WORKER_LANES: '1' });
    try {
      const [starts, bothWork] = [await Starts.count(), new Gate()];
      let running = 0;
      const batch = await own.run(
        async () => {
          starts.note();
          running += 1;
          // One process has one lane, which is 50 wide.
          if (running === 100) bothWork.open();
          await bothWork.opened;
        },
        { items: keys(640), options: { ...perMinute(600), concurrency: 100, batchSize: 20 } },
      );
      expect((await own.ended(batch, LONG_MS)).counts.succeeded).toBe(640);
      starts.expectWithin(600);
      await assertInvariants(own.database);
    } finally {
      await other.close();
      await own.close();
    }
  });

  test('counts a retry as a start, and waiting for it as no attempt', async () => {
    const starts = await Starts.count();
    const batch = await engine.run(
      ({ attempt }) => {
        starts.note();
        if (attempt === 1) throw new Error('once more');
      },
      { items: keys(64), options: { ...FAST_RETRY, ...perMinute(120), retryAttempts: 1 } },
    );
    expect((await engine.ended(batch, LONG_MS)).counts.succeeded).toBe(64);
    expect(starts.at).toHaveLength(128);
    starts.expectWithin(120);
    expect(new Set((await engine.outcomes(batch)).map(({ attempts }) => attempts))).toEqual(new Set([2]));
  });

  test('counts a try that ended with "not now" as a start', async () => {
    const [starts, refused] = [await Starts.count(), new Set<string>()];
    const script: ItemScript = ({ key }) => {
      starts.note();
      if (refused.has(key)) return;
      refused.add(key);
      throw new RetryLaterError('not now', 0);
    };
    const batch = await engine.run(script, { items: keys(64), options: { ...perMinute(120), retryAttempts: 0 } });
    expect((await engine.ended(batch, LONG_MS)).counts.succeeded).toBe(64);
    expect(starts.at).toHaveLength(128);
    starts.expectWithin(120);
    expect(new Set((await engine.outcomes(batch)).map(({ attempts }) => attempts))).toEqual(new Set([1]));
  });

  test('gives a handler that takes chunks only as many items as there are tokens', async () => {
    const calls: number[] = [];
    const batch = await engine.runChunks(
      async (items) => {
        calls.push(items.length);
        return items.map(() => ({}));
      },
      { items: keys(8), options: perMinute(5) },
    );
    await held(batch);
    expect(calls).toEqual([5]);
    await letAMinutePass(batch);
    expect((await engine.ended(batch, LONG_MS)).counts.succeeded).toBe(8);
    expect(calls.reduce((sum, size) => sum + size)).toBe(8);
  });
});

describe('a pool', () => {
  test('is shared by all batches that name it', async () => {
    const starts = await Starts.count();
    const options = inPool('provider', 600);
    const [one, two] = await Promise.all([
      engine.run(() => starts.note(), { items: keys(320), options }),
      engine.run(() => starts.note(), { items: keys(320), options: { ...options, concurrency: 60 } }),
    ]);
    expect((await engine.ended(one, LONG_MS)).counts.succeeded).toBe(320);
    expect((await engine.ended(two, LONG_MS)).counts.succeeded).toBe(320);
    expect(starts.at).toHaveLength(640);
    starts.expectWithin(600);
  });

  test('is one for each tenant', async () => {
    const own = await Engine.start();
    try {
      const tenants = ['acme', 'globex'];
      // A token comes every minute: one tenant could not do what both do.
      const batches = await Promise.all(tenants.map((tenant) => own.create({ items: keys(1), options: inPool('p', 1) }, { tenant })));
      const completed = () => own.sql<{ n: number }>(`SELECT count(*)::int AS n FROM run WHERE status = 'completed'`);
      await eventually(completed, ([row]) => row!.n === batches.length, LONG_MS);
      expect(await own.sql('SELECT tenant, tokens < 1 AS used FROM rate_bucket ORDER BY tenant')).toEqual([
        { tenant: 'acme', used: true },
        { tenant: 'globex', used: true },
      ]);
      await assertInvariants(own.database);
    } finally {
      await own.close();
    }
  });

  test.each([
    ['the batch', { ...perMinute(2), ...inPool('wide', 100) }],
    ['the pool', { ...perMinute(100), ...inPool('narrow', 2) }],
  ])('and a limit of the batch go together: the smaller one is that of %s', async (_whose, options) => {
    const started: string[] = [];
    const batch = await engine.run(({ key }) => void started.push(key), { items: keys(5), options });
    await held(batch);
    expect(started).toHaveLength(2);
    // What the narrow one did not allow was not taken from the wide one.
    const [wide] = await engine.sql<{ tokens: number }>(
      `SELECT max(tokens) AS tokens FROM rate_bucket WHERE name IN ($1, 'wide', 'narrow')`,
      [batch.id],
    );
    expect(wide!.tokens).toBeGreaterThanOrEqual(98);
    await engine.call(CancelBatch, { batchId: batch.id });
  });
});

describe('a batch without tokens', () => {
  test('is cancelled at once', async () => {
    const batch = await engine.run(() => undefined, { items: keys(3), options: perMinute(1) });
    await held(batch);
    await engine.call(CancelBatch, { batchId: batch.id });
    expect(await engine.get(batch.id)).toMatchObject({
      status: 'cancelled',
      stopping: false,
      counts: { succeeded: 1, cancelled: 2, running: 0 },
    });
  });

  test('can be paused and resumed, and still waits for them', async () => {
    const started: string[] = [];
    const batch = await engine.run(({ key }) => void started.push(key), { items: keys(2), options: perMinute(1) });
    await held(batch);
    expect(await engine.call(PauseBatch, { batchId: batch.id })).toMatchObject({ status: 'paused' });
    expect(await engine.call(ResumeBatch, { batchId: batch.id })).toMatchObject({
      status: 'running',
      counts: { succeeded: 1, pending: 1 },
    });
    await held(batch);
    expect(started).toEqual(['1']);
    await letAMinutePass(batch);
    expect((await engine.ended(batch, LONG_MS)).counts.succeeded).toBe(2);
    expect((await engine.outcomes(batch)).map(({ attempts }) => attempts)).toEqual([1, 1]);
  });

  test('keeps no lane from another one', async () => {
    const own = await Engine.start({ WORKER_LANES: '1' });
    try {
      const limited = await own.run(() => undefined, { items: keys(3), options: { ...perMinute(1), priority: 'critical' } });
      await eventually(
        () => own.get(limited.id),
        ({ counts }) => counts.succeeded === 1 && counts.running === 0,
        LONG_MS,
      );
      const other = await own.run(() => undefined, { items: keys(500), options: { batchSize: 10, priority: 'low' } });
      expect((await own.ended(other, LONG_MS)).counts.succeeded).toBe(500);
      expect((await own.get(limited.id)).counts).toMatchObject({ succeeded: 1, pending: 2, running: 0 });
      await assertInvariants(own.database);
    } finally {
      await own.close();
    }
  });

  test('ends at its time limit', async () => {
    const batch = await engine.run(() => undefined, { items: keys(3), options: { ...perMinute(1), batchTimeout: 500 } });
    expect(await engine.ended(batch, LONG_MS)).toMatchObject({ status: 'timed_out', counts: { succeeded: 1, cancelled: 2 } });
  });
});

describe('tokens', () => {
  test('that a turn took ahead and did not use come back', async () => {
    const reached = new Gate();
    let started = 0;
    const batch = await engine.run(
      async (_item, { signal }) => {
        started += 1;
        if (started < 20) return;
        reached.open();
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      },
      { items: keys(500), options: { ...perMinute(1_000), concurrency: 1 } },
    );
    await reached.opened;
    await engine.call(CancelBatch, { batchId: batch.id });
    await engine.ended(batch, LONG_MS);
    expect(started).toBe(20);
    const look = () => engine.sql<{ tokens: number }>('SELECT tokens FROM rate_bucket WHERE name = $1', [batch.id]);
    const [bucket] = await eventually(look, ([row]) => row!.tokens >= 980, LONG_MS);
    expect(bucket!.tokens).toBeLessThanOrEqual(1_000);
  });

  test('that come back let a held run be taken up again at once; until then nobody takes it', async () => {
    const api = await Engine.start({ ROLE: 'api' });
    try {
      const batch = await api.create({ items: keys(3), options: perMinute(5) });
      const [row] = await api.sql<{ run_id: string }>('SELECT run_id FROM batch WHERE id = $1', [batch.id]);
      const lane = (await claimLane(api.database.pool, row!.run_id, 10_000))!;
      const fence = { runId: lane.run_id, no: lane.no, fence: lane.fence };
      const search = { operations: ['noop'], limit: 10, ageMs: 15_000, except: [] };
      const tokens = new StartTokens(api.database.pool, lane, undefined);
      await tokens.take(5);
      await holdRun(api.database.pool, lane.run_id, 60_000);
      await surrenderLane(api.database, fence);
      expect(await findWaitingRuns(api.database.pool, search)).toEqual([]);
      expect(await claimLane(api.database.pool, row!.run_id, 10_000)).toBeUndefined();
      await tokens.putBack();
      expect(await findWaitingRuns(api.database.pool, search)).toMatchObject([{ run_id: row!.run_id }]);
      expect(await claimLane(api.database.pool, row!.run_id, 10_000)).toMatchObject({ fence: 2 });
    } finally {
      await api.close();
    }
  });

  test('that a turn holds for more than a second are no longer good for a start', async () => {
    const options = { rateLimitPerMinute: null, rateLimitPool: { name: 'old', perMinute: 60 } };
    const tokens = new StartTokens(
      engine.database.pool,
      { tenant: 'acme', batch_id: 'b', run_id: '0', options } as unknown as ClaimedLane,
      undefined,
    );
    await tokens.take(40);
    expect(tokens.left).toBe(40);
    tokens.expire(performance.now() + 2_000);
    expect(tokens.left).toBe(0);
    // Put back with the next take, into a bucket that holds 60 at most.
    await engine.sql(`UPDATE rate_bucket SET tokens = 60 WHERE name = 'old'`);
    await tokens.take(50);
    expect(tokens.left).toBe(50);
    expect(await engine.sql(`SELECT tokens::int AS tokens FROM rate_bucket WHERE name = 'old'`)).toEqual([{ tokens: 10 }]);
    await tokens.putBack();
    expect(await engine.sql(`SELECT tokens::int AS tokens FROM rate_bucket WHERE name = 'old'`)).toEqual([{ tokens: 60 }]);
  });

  test('are never granted twice to those that ask at the same moment', async () => {
    const { id: name } = await engine.create({ items: keys(1), start: false }, { tenant: 'crowd' });
    const buckets = [
      { scope: 'batch' as const, name, perMinute: 40 },
      { scope: 'pool' as const, name: 'crowd', perMinute: 30 },
    ];
    const [before] = await engine.sql<{ ms: number }>('SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS ms');
    const ask = (index: number) =>
      takeTokens(engine.database.pool, { tenant: 'crowd', buckets: index % 2 ? buckets : [buckets[1]!, buckets[0]!], want: 3, unused: 0 });
    const grants = await Promise.all(Array.from({ length: 30 }, (_, index) => ask(index)));
    const [after] = await engine.sql<{ ms: number }>('SELECT extract(epoch FROM clock_timestamp())::float8 * 1000 AS ms');
    const total = grants.reduce((sum, { granted }) => sum + granted, 0);
    expect(total).toBeGreaterThanOrEqual(30);
    expect(total).toBeLessThanOrEqual(30 + (30 * (after!.ms - before!.ms)) / 60_000);
    expect(grants.filter(({ granted }) => granted === 0).every(({ nextMs }) => nextMs > 0 && nextMs <= 2_000)).toBe(true);
    await engine.sql(`DELETE FROM rate_bucket WHERE tenant = 'crowd'`);
  });

  test('are never granted twice to those that waited for the same bucket', async () => {
    const buckets = [{ scope: 'pool' as const, name: 'narrow', perMinute: 10 }];
    const ask = () => takeTokens(engine.database.pool, { tenant: 'queue', buckets, want: 6, unused: 0 });
    expect((await ask()).granted).toBe(6);
    const holder = await engine.database.pool.connect();
    await holder.query('BEGIN');
    await holder.query(`SELECT FROM rate_bucket WHERE tenant = 'queue' FOR UPDATE`);
    const asked = Promise.all([ask(), ask()]);
    await eventually(
      () =>
        engine.sql<{ n: number }>(
          `SELECT count(*)::int AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%rate_bucket%'`,
        ),
      ([waiting]) => waiting!.n >= 2,
    );
    await holder.query('COMMIT');
    holder.release();

    // Four were left; one may have come while they waited.
    expect((await asked).reduce((sum, { granted }) => sum + granted, 0)).toBeLessThanOrEqual(5);
    await engine.sql(`DELETE FROM rate_bucket WHERE tenant = 'queue'`);
  });

  test('of a batch go with it', async () => {
    const batch = await engine.run(() => undefined, { items: keys(3), options: perMinute(100) });
    await engine.ended(batch);
    const rows = () => engine.sql('SELECT name FROM rate_bucket WHERE name = $1', [batch.id]);
    expect(await rows()).toHaveLength(1);
    await engine.call(DeleteBatch, { batchId: batch.id });
    expect(await rows()).toEqual([]);
    // A turn that has not heard of its end gets none, and makes none anew.
    const buckets = [{ scope: 'batch' as const, name: batch.id, perMinute: 100 }];
    expect(await takeTokens(engine.database.pool, { tenant: 'acme', buckets, want: 3, unused: 0 })).toMatchObject({ granted: 0 });
    expect(await rows()).toEqual([]);
  });

  test('of a pool that nobody used for an hour are forgotten by the clean-up', async () => {
    const api = await Engine.start({ ROLE: 'api' });
    try {
      const insert = `INSERT INTO rate_bucket (tenant, scope, name, tokens, refilled_at) VALUES ('acme', 'pool', $1, 1, clock_timestamp() - $2::interval)`;
      await api.sql(insert, ['idle', '61 minutes']);
      await api.sql(insert, ['used', '59 minutes']);
      const worker = await Engine.start({ DATABASE_URL: api.service.databaseUrl });
      await eventually(
        () => api.sql('SELECT name FROM rate_bucket'),
        (rows) => rows.length < 2,
        LONG_MS,
      ).finally(() => worker.close());
      expect(await api.sql('SELECT name FROM rate_bucket')).toEqual([{ name: 'used' }]);
    } finally {
      await api.close();
    }
  });
});
