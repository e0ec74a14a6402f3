import type { ClaimedLane } from '../../src/batches/store/claim-lane.js';
import { CancelBatch } from '../../src/batches/commands/cancel-batch.command.js';
import { markSuspect } from '../../src/batches/store/mark-suspect.js';
import { LaneWorker } from '../../src/worker/lane-worker.js';
import { Engine, keys } from '../support/engine.js';
import { eventually, Gate } from '../support/eventually.js';
import { claimLane, fenceOf, flushLane } from '../support/lanes.js';
import { assertInvariants } from '../support/invariants.js';

const LEASE_MS = 1_000;

/** Without a worker of its own: the test plays workers that die. */
let engine: Engine;

beforeAll(async () => (engine = await Engine.start({ ROLE: 'api' })));
afterEach(() => assertInvariants(engine.database));
afterAll(() => engine.close());

/** A living worker at the same database. */
async function withWorker(work: (worker: Engine) => Promise<void>): Promise<void> {
  const worker = await Engine.start({ DATABASE_URL: engine.service.databaseUrl, LEASE_MS: String(LEASE_MS) });
  try {
    await work(worker);
  } finally {
    await worker.close();
  }
}

async function runIdOf(batchId: string): Promise<string> {
  return (await engine.sql<{ run_id: string }>('SELECT run_id FROM batch WHERE id = $1', [batchId]))[0]!.run_id;
}

/** A worker takes the run's first chunk, begins with the item (alone, when the chunk has seen crashes), and dies. */
async function die(runId: string, suspect?: number): Promise<ClaimedLane> {
  const lane = await claimLane(engine.database.pool, runId, LEASE_MS);
  const { chunks } = await flushLane(engine.database.pool, fenceOf(lane!), { leaseMs: LEASE_MS, claim: 1 });
  if (suspect !== undefined) expect(await markSuspect(engine.database.pool, fenceOf(lane!), chunks[0]!.no, suspect)).toBe(true);
  await engine.sql(`UPDATE lane SET lease_until = clock_timestamp() - interval '1 ms' WHERE run_id = $1`, [runId]);
  return lane!;
}

test('what a dead worker held is done by another one, once', async () => {
  const runs: string[] = [];
  const batch = await engine.run(({ key }) => void runs.push(key), { items: keys(10) });
  const runId = await runIdOf(batch.id);
  const lane = await claimLane(engine.database.pool, runId, LEASE_MS);
  expect(lane).toMatchObject({ fence: 1, reclaimed: 0 });
  await withWorker(async () => {
    // The lease ends by itself, and the sweeper finds the lane.
    expect(await engine.ended(batch)).toMatchObject({ status: 'completed', counts: { succeeded: 10 } });
  });
  expect(runs.sort()).toEqual(keys(10).sort());
});

test.each<[string, (runId: string) => Promise<unknown>]>([
  ['what a dead worker held', (runId) => die(runId)],
  ['a run whose bell was lost before anybody had begun with it', () => Promise.resolve()],
])('%s is taken up though every lane stays busy and others wait', async (_what, happened) => {
  const worker = await Engine.start({
    DATABASE_URL: engine.service.databaseUrl,
    LEASE_MS: String(LEASE_MS),
    WORKER_LANES: '1',
    PRIORITY_AGE_MS: '3600000',
  });
  let goesOn = true;
  const slow = () => (goesOn ? new Promise<void>((resolve) => setTimeout(resolve, 5)) : undefined);
  const endless = { items: keys(20_000), options: { concurrency: 1, batchSize: 100 } };
  const busy = [await worker.run(slow, endless), await worker.run(slow, endless), await worker.run(slow, endless)];
  await eventually(
    async () => (await worker.get(busy[0]!.id)).status,
    (status) => status === 'running',
  );
  // Its bell rang in a process without lanes, as if the worker that heard it had died.
  const orphan = await engine.run(() => undefined, { items: keys(5) });
  await happened(await runIdOf(orphan.id));
  expect(await engine.ended(orphan)).toMatchObject({ status: 'completed', counts: { succeeded: 5 } });
  for (const { id } of busy) expect(await worker.get(id)).toMatchObject({ status: 'running' });
  goesOn = false;
  for (const { id } of busy) await worker.call(CancelBatch, { batchId: id });
  for (const batch of busy) await worker.ended(batch);
  await worker.close();
});

test('an item that was alone each time its worker died is quarantined, and its neighbours are worked', async () => {
  const runs: string[] = [];
  let now = 0;
  let most = 0;
  const batch = await engine.run(
    async ({ key }) => {
      runs.push(key);
      most = Math.max(most, (now += 1));
      await new Promise(setImmediate);
      now -= 1;
    },
    { items: keys(10), options: { retryAttempts: 3 } },
  );
  const runId = await runIdOf(batch.id);
  await die(runId);
  await die(runId);
  await die(runId, 3);
  await die(runId, 3);
  await withWorker(async () => {
    expect(await engine.ended(batch)).toMatchObject({ status: 'completed', counts: { succeeded: 9, failed: 1 } });
  });
  expect((await engine.outcomes(batch))[3]).toMatchObject({
    key: '4',
    status: 'failed',
    error: { kind: 'poison', message: expect.stringMatching(/POISON/) },
  });
  expect(runs).not.toContain('4');
  expect(runs).toHaveLength(9);
  expect(most).toBe(1);
});

test('a chunk whose worker died twice is worked beside the others, whose items take for ever', async () => {
  const hold = new Gate();
  const begun: string[] = [];
  const batch = await engine.run(
    async ({ key }) => {
      begun.push(key);
      if (Number(key) > 2) await hold.opened;
    },
    { items: keys(20), options: { concurrency: 3, batchSize: 2 } },
  );
  const runId = await runIdOf(batch.id);
  await die(runId);
  await die(runId);
  await withWorker(async () => {
    // Both of its items, one by one, and as many others as there are slots.
    await eventually(
      () => begun.length,
      (count) => count === 5,
    );
    expect(await engine.get(batch.id)).toMatchObject({ counts: { succeeded: 2 } });
    expect(begun).toEqual(expect.arrayContaining(['1', '2']));
    hold.open();
    expect(await engine.ended(batch)).toMatchObject({ status: 'completed', counts: { succeeded: 20 } });
  });
});

test('an item that was alone at one crash only gets another chance', async () => {
  const batch = await engine.run(() => undefined, { items: keys(5) });
  const runId = await runIdOf(batch.id);
  await die(runId);
  await die(runId);
  await die(runId, 1);
  await die(runId, 2);
  await withWorker(async () => {
    expect(await engine.ended(batch)).toMatchObject({ status: 'completed', counts: { succeeded: 5 } });
  });
});

test('a mark of an item is refused when the lane was taken over', async () => {
  const batch = await engine.run(() => undefined, { items: keys(5) });
  const runId = await runIdOf(batch.id);
  const dead = await die(runId);
  await die(runId);
  expect(await markSuspect(engine.database.pool, fenceOf(dead), '0', 1)).toBe(false);
  await withWorker(async () => void (await engine.ended(batch)));
});

test('a worker whose lane was taken over aborts what runs there and records nothing of it', async () => {
  const aborted = new Gate();
  const finish = new Gate();
  let tries = 0;
  await withWorker(async (worker) => {
    const batch = await worker.run(
      async (_item, { signal }) => {
        tries += 1;
        if (tries > 1) return { output: 'second worker' };
        signal.addEventListener('abort', aborted.open, { once: true });
        await finish.opened;
        return { output: 'first worker' };
      },
      { items: ['a'] },
    );
    await eventually(
      () => worker.get(batch.id),
      ({ counts }) => counts.running === 1,
    );
    // Another worker holds the lane now; when it dies in its turn, the first one may have it again.
    await worker.sql(`UPDATE lane SET fence = fence + 1, lease_until = clock_timestamp() + interval '1 minute'`);
    await eventually(
      () => Promise.race([aborted.opened.then(() => true), new Promise((resolve) => setTimeout(resolve, 10, false))]),
      Boolean,
    );
    finish.open();
    await worker.sql(`UPDATE lane SET lease_until = clock_timestamp() - interval '1 ms'`);
    await worker.ended(batch);
    expect(await worker.outcomes(batch)).toMatchObject([{ output: 'second worker' }]);
  });
});

test('a worker lets go of its lane each time it is taken over', async () => {
  await withWorker(async (worker) => {
    const hold = new Gate();
    const batch = await worker.run(() => hold.opened, { items: keys(3), options: { concurrency: 1 } });
    const runId = await runIdOf(batch.id);
    await eventually(
      () => worker.get(batch.id),
      ({ counts }) => counts.running === 1,
    );
    for (let round = 0; round < 3; round += 1) {
      await worker.sql(`UPDATE lane SET fence = fence + 1, lease_until = clock_timestamp() + interval '1 minute' WHERE run_id = $1`, [
        runId,
      ]);
      const lost = await latestFence(runId);
      await worker.sql(`UPDATE lane SET lease_until = clock_timestamp() - interval '1 ms' WHERE run_id = $1`, [runId]);
      await eventually(
        () => latestFence(runId),
        (fence) => fence > lost,
      );
    }
    hold.open();
    expect((await worker.ended(batch)).counts.succeeded).toBe(3);
  });
});

async function latestFence(runId: string): Promise<number> {
  return (await engine.sql<{ fence: number }>('SELECT fence FROM lane WHERE run_id = $1', [runId]))[0]!.fence;
}

test('a worker that shuts down finishes what runs, gives the rest back, and burns no attempt', async () => {
  const started: string[] = [];
  const hold = new Gate();
  const first = await Engine.start({ DATABASE_URL: engine.service.databaseUrl, SHUTDOWN_GRACE_MS: '4000' });
  const batch = await first.run(
    async ({ key, attempt }, { signal }) => {
      started.push(`${key}:${attempt}`);
      if (started.length > 3) return;
      if (key === '1') return void (await hold.opened);
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted')), { once: true }));
    },
    { items: keys(6), options: { concurrency: 3, retryAttempts: 0 } },
  );
  await eventually(
    () => started.length,
    (length) => length === 3,
  );
  const closed = first.close();
  const worker = first.service.app.get(LaneWorker, { strict: false });
  await eventually(
    () => worker.freeLanes,
    (lanes) => lanes === 0,
  );
  hold.open();
  await closed;
  expect(started).toHaveLength(3);
  expect(await engine.get(batch.id)).toMatchObject({ status: 'running', counts: { succeeded: 1, failed: 0, running: 0, pending: 5 } });
  await withWorker(async () => {
    expect(await engine.ended(batch)).toMatchObject({ status: 'completed', counts: { succeeded: 6 } });
  });
  expect((await engine.outcomes(batch)).every(({ attempts }) => attempts === 1)).toBe(true);
});
