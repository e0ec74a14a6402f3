import fc from 'fast-check';
import { CancelBatch } from '../../src/batches/commands/cancel-batch.command.js';
import { CleanUpBatches } from '../../src/batches/commands/clean-up-batches.command.js';
import { DeleteBatch } from '../../src/batches/commands/delete-batch.command.js';
import { PauseBatch } from '../../src/batches/commands/pause-batch.command.js';
import { ResumeBatch } from '../../src/batches/commands/resume-batch.command.js';
import { RetryItems } from '../../src/batches/commands/retry-items.command.js';
import { GetBatch } from '../../src/batches/queries/get-batch.query.js';
import { discardAbandonedIntakes } from '../../src/batches/store/insert-chunks.js';
import { lockBatch } from '../../src/batches/store/lock-batch.js';
import { Engine, FAST_RETRY, keys } from '../support/engine.js';
import { eventually } from '../support/eventually.js';
import { assertInvariants } from '../support/invariants.js';

let engine: Engine;

beforeAll(async () => (engine = await Engine.start({ DATABASE_POOL_SIZE: '12' })));
afterEach(() => assertInvariants(engine.database));
afterAll(() => engine.close());

const ONCE = { ...FAST_RETRY, retryAttempts: 0 };
const FAILS = { fail: 'permanent' };
const retry = (batchId: string) => engine.call(RetryItems, { batchId });
const failing = (count: number, options: object = {}) =>
  engine.create({ items: keys(count).map((key) => ({ key, payload: FAILS })), options: { ...ONCE, ...options } });

/** Holds the lock that a retry needs before it begins its run, while `meanwhile` goes on. */
async function whileLocked(batchId: string, meanwhile: () => Promise<void>): Promise<void> {
  const holder = await engine.database.pool.connect();
  try {
    await holder.query('BEGIN');
    await holder.query('SELECT r.id FROM run r JOIN batch b ON b.run_id = r.id WHERE b.id = $1 FOR UPDATE OF r', [batchId]);
    await meanwhile();
  } finally {
    await holder.query('COMMIT');
    holder.release();
  }
}

/** Commands that wait for the batch's lock; on a busy machine the worker, at the end of the batch's run, may wait for it as well. */
const waiting = (count: number) =>
  eventually(
    () =>
      engine.sql<{ pid: number }>(
        `SELECT pid FROM pg_stat_activity
         WHERE wait_event_type = 'Lock' AND datname = current_database() AND query LIKE '% patience, batch b JOIN run r %'`,
      ),
    (rows) => rows.length === count,
  );

test('of two retries at once one begins a run and the other is told so, 20 times, also when both have their items ready', async () => {
  for (let round = 0; round < 20; round += 1) {
    const batch = await failing(10, { batchSize: 3 });
    await engine.ended(batch);
    let both: Promise<PromiseSettledResult<unknown>[]> | undefined;
    const race = () => (both = Promise.allSettled([retry(batch.id), retry(batch.id)]));
    if (round % 2 === 0) void race();
    else
      await whileLocked(batch.id, async () => {
        void race();
        await waiting(2);
      });
    const settled = await both!;
    const refused = settled.filter((each) => each.status === 'rejected');
    expect(await engine.ended(batch)).toMatchObject({ run: 3 - refused.length, counts: { total: 10, failed: 10 } });
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'CONFLICT' });
    if (round % 2 === 1) expect(refused).toHaveLength(1);
  }
  const staged = await engine.sql('SELECT FROM chunk WHERE state = 3');
  expect(staged).toHaveLength(0);
}, 60_000);

test('a retry and a deletion at once leave a whole batch or none', async () => {
  for (let round = 0; round < 20; round += 1) {
    const batch = await failing(10, { batchSize: 3 });
    await engine.ended(batch);
    let both: Promise<PromiseSettledResult<unknown>[]> | undefined;
    await whileLocked(batch.id, async () => {
      const calls = [() => retry(batch.id), () => engine.call(DeleteBatch, { batchId: batch.id })];
      if (round % 2 === 1) calls.reverse();
      const first = calls[0]!();
      await waiting(1);
      both = Promise.allSettled([first, calls[1]!()]);
      await waiting(2);
    });
    const settled = await both!;
    const [retried, deleted] = round % 2 === 1 ? settled.reverse() : settled;
    if (retried!.status === 'rejected') expect(retried!.reason).toMatchObject({ code: 'NOT_FOUND' });
    if (deleted!.status === 'rejected') {
      expect(retried!.status).toBe('fulfilled');
      expect(deleted!.reason).toMatchObject({ code: 'CONFLICT' });
      expect(await engine.ended(batch)).toMatchObject({ run: 2, counts: { failed: 10 } });
    } else {
      // Both can succeed: the retry's run had ended when the deletion got its turn.
      await expect(engine.get(batch.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
  }
}, 60_000);

test('a retry and a clean-up at once leave a whole batch or none, 30 times', async () => {
  const caller = { tenant: 'janitor' };
  for (let round = 0; round < 30; round += 1) {
    const batch = await engine.create({ items: [{ payload: { ...FAILS, durationMs: 20 } }], options: ONCE }, caller);
    const ended = () =>
      eventually(
        () => engine.call(GetBatch, { batchId: batch.id }, caller),
        ({ endedAt }) => endedAt !== null,
      );
    await ended();
    const [retried, cleaned] = await Promise.allSettled([
      engine.call(RetryItems, { batchId: batch.id }, caller),
      engine.call(CleanUpBatches, { olderThanDays: 0 }, caller),
    ]);
    const isGone = cleaned.status === 'fulfilled' && cleaned.value.deleted === 1;
    if (isGone && retried.status === 'rejected') expect(retried.reason).toMatchObject({ code: 'NOT_FOUND' });
    if (!isGone) expect(await ended()).toMatchObject({ run: 2, counts: { failed: 1 } });
    await engine.call(CleanUpBatches, { olderThanDays: 0 }, caller);
  }
}, 60_000);

test('a command that waited while a retry began its run sees the new run, and holds it', async () => {
  const batch = await engine.create({ items: [{ key: 'a', payload: { ...FAILS, durationMs: 500 } }], options: ONCE });
  await engine.ended(batch);
  let both: Promise<unknown> | undefined;
  await whileLocked(batch.id, async () => {
    const retried = retry(batch.id);
    await waiting(1);
    const command = engine.database.transaction(async (connection) => {
      const locked = await lockBatch(connection, 'acme', batch.id);
      const free = await engine.sql('SELECT no FROM run WHERE batch_id = $1 AND no = 2 FOR UPDATE SKIP LOCKED', [batch.id]);
      return { locked, free };
    });
    both = Promise.all([retried, command]);
    await waiting(2);
  });
  await expect(both).resolves.toMatchObject([{}, { locked: { run_no: 2, status: 'running' }, free: [] }]);
  await engine.ended(batch);
});

test('what a crash leaves of a retry is seen by nobody, and cleared away after a day', async () => {
  const batch = await failing(50, { batchSize: 5 });
  await engine.ended(batch);
  const before = { rows: await engine.rowCounts(), view: await engine.get(batch.id), items: await engine.items(batch) };
  let lost: Promise<unknown> | undefined;
  await whileLocked(batch.id, async () => {
    lost = retry(batch.id).catch((error: unknown) => error);
    const [blocked] = await waiting(1);
    expect((await engine.rowCounts()).chunk).toBe(before.rows.chunk! + 10);
    expect({ view: await engine.get(batch.id), items: await engine.items(batch) }).toEqual({ view: before.view, items: before.items });
    await discardAbandonedIntakes(engine.database.pool);
    expect((await engine.rowCounts()).chunk).toBe(before.rows.chunk! + 10);
    await engine.sql(`UPDATE chunk SET created_at = now() - interval '25 hours' WHERE state = 3`);
    await discardAbandonedIntakes(engine.database.pool);
    // The connection of the process that died.
    await engine.sql('SELECT pg_terminate_backend($1)', [blocked!.pid]);
    await lost;
  });
  expect(await lost).toBeInstanceOf(Error);
  expect(await engine.rowCounts()).toEqual(before.rows);
  expect(await engine.get(batch.id)).toEqual(before.view);
});

test('a retry whose connection breaks at the last moment takes back what it staged', async () => {
  const batch = await failing(50, { batchSize: 5 });
  await engine.ended(batch);
  const before = await engine.rowCounts();
  let lost: Promise<unknown> | undefined;
  await whileLocked(batch.id, async () => {
    lost = retry(batch.id).catch((error: unknown) => error);
    const [blocked] = await waiting(1);
    await engine.sql('SELECT pg_terminate_backend($1)', [blocked!.pid]);
    await lost;
  });
  expect(await engine.rowCounts()).toEqual(before);
  await retry(batch.id);
  expect(await engine.ended(batch)).toMatchObject({ run: 2, counts: { failed: 50 } });
});

type Step = 'retry' | 'retry undone' | 'cancel' | 'pause' | 'resume' | 'end';
const STEPS: Step[] = ['retry', 'retry undone', 'retry undone', 'cancel', 'cancel', 'pause', 'resume', 'end', 'end'];

test('whatever is done to a batch in whatever order, every item is accounted for once', async () => {
  const CONFLICT = (error: unknown) => expect(error).toMatchObject({ code: 'CONFLICT' });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...STEPS), { minLength: 3, maxLength: 12 }),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 120 }),
      async (steps, count, concurrency) => {
        const payload = { failureRate: 0.6, durationMs: 3 };
        const items = keys(count).map((key) => ({ key, payload }));
        const batch = await engine.create({ items, options: { ...FAST_RETRY, retryAttempts: 1, concurrency, batchSize: 3 } });
        const { id: batchId } = batch;
        for (const step of steps) {
          if (step === 'retry') await engine.call(RetryItems, { batchId, continueAttempts: true }).catch(CONFLICT);
          if (step === 'retry undone') await engine.call(RetryItems, { batchId, statuses: ['failed', 'unprocessed'] }).catch(CONFLICT);
          if (step === 'cancel') await engine.call(CancelBatch, { batchId }).catch(CONFLICT);
          if (step === 'pause') await engine.call(PauseBatch, { batchId }).catch(CONFLICT);
          if (step === 'resume') await engine.call(ResumeBatch, { batchId }).catch(CONFLICT);
          if (step === 'end' && (await engine.get(batchId)).status !== 'paused') await engine.ended(batch);
          await assertInvariants(engine.database);
        }
        await engine.call(ResumeBatch, { batchId }).catch(CONFLICT);
        const { counts } = await engine.ended(batch);
        const states = (await engine.items(batch)).map(({ status }) => status);
        const tally = Object.fromEntries(Object.keys(counts).map((status) => [status, states.filter((state) => state === status).length]));
        expect({ ...tally, total: states.length }).toEqual(counts);
        expect(counts).toMatchObject({ total: count, running: 0, pending: 0 });
        expect(await engine.outcomes(batch)).toHaveLength(count - counts.cancelled);
        await engine.call(DeleteBatch, { batchId });
      },
    ),
    { numRuns: 25 },
  );
}, 120_000);
