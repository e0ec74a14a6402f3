import { Redis } from 'ioredis';
import { setTimeout as delay } from 'node:timers/promises';
import { Cluster, START_MS } from '../../support/cluster.js';
import { eventually } from '../../support/eventually.js';
import { assertInvariants, installAudit } from '../../support/invariants.js';
import { type Trial, trial } from '../../support/trial.js';
import { examine, Workload } from '../../support/workload.js';

const PROBES = 5;

let cluster: Cluster;
let redis: Redis;

beforeAll(async () => {
  // Few lanes and rare sweeps, so that bells are in Redis when it is wiped.
  cluster = await Cluster.start({ apis: 1, workers: 2, env: { WORKER_LANES: '3', SWEEP_MS: '2000' } });
  await installAudit(cluster);
  redis = new Redis(cluster.redis.url);
  redis.on('error', () => undefined);
}, START_MS);
afterAll(async () => {
  redis.disconnect();
  await cluster.close();
}, 120_000);

const work = (trial: Trial) =>
  new Workload(cluster, trial, { atOnce: 8, items: 100, durationMs: 20, options: { concurrency: 2, batchSize: 10 } });

const WIPES = {
  FLUSHALL: () => redis.flushall(),
  'SCRIPT FLUSH': () => redis.script('FLUSH'),
  'every other key deleted': async (trial: Trial) => {
    const keys = await redis.keys('*');
    const doomed = keys.filter(() => trial.random.between(0, 1) < 0.5);
    if (doomed.length > 0) await redis.del(doomed);
  },
};

trial(
  'F06',
  'Redis is wiped: FLUSHALL, every other key, SCRIPT FLUSH',
  { sizes: { short: 6, medium: 20, full: 200 }, reExecutes: false },
  async (trial, wipes) => {
    const paused = await pausedBatch();
    const workload = work(trial);
    let withBells = 0;
    const usual = await Promise.all(Array.from({ length: PROBES }, () => probe(trial, async () => undefined)));

    while (trial.hasMore(wipes)) {
      await delay(trial.random.between(100, 600));
      const name = (Object.keys(WIPES) as (keyof typeof WIPES)[])[trial.injected % 3]!;
      const recoveryMs = await probe(trial, async () => {
        withBells += Number((await bellsWaiting()) > 0);
        await WIPES[name](trial);
        trial.inject(cluster.log.inFlight > 0);
      });
      trial.recovered(recoveryMs);
      await paused.isStill();
      await assertInvariants(cluster, { audited: true });
    }

    await workload.finish();
    await paused.completes(trial);
    trial.notes.push(`${withBells} took bells along; recovery is that of a one-item batch created right before, to its end`);
    trial.notes.push(`${Math.round(Math.max(...usual))} ms at most without a wipe`);
  },
);

trial(
  'F07',
  'Redis is killed and comes back empty after 0.3 to 3 s',
  { sizes: { short: 2, medium: 8, full: 50 }, reExecutes: false },
  async (trial, kills) => {
    const workload = work(trial);
    let withBells = 0;
    while (trial.hasMore(kills)) {
      await delay(trial.random.between(100, 600));
      let back = Promise.resolve();
      const recoveryMs = await probe(trial, async () => {
        withBells += Number((await bellsWaiting()) > 0);
        await cluster.redis.kill();
        trial.inject(cluster.log.inFlight > 0);
        back = delay(trial.random.between(300, 3_000)).then(() => cluster.restartRedis());
      });
      trial.recovered(recoveryMs);
      await assertInvariants(cluster, { audited: true });
      await back;
      await eventually(
        () => redis.ping(),
        (answer) => answer === 'PONG',
        20_000,
      );
    }
    await workload.finish();
    trial.notes.push(`${withBells} took bells along; recovery is that of a one-item batch created right before, to its end`);
  },
);

trial(
  'F10',
  'Redis is off for a whole run',
  { sizes: { short: 1_000, medium: 5_000, full: 20_000 }, reExecutes: false },
  async (trial, items) => {
    const withRedis = await itemsPerSecond(trial, items);
    await cluster.redis.kill();
    trial.inject(true);
    const without = await itemsPerSecond(trial, items);
    await assertInvariants(cluster, { audited: true });
    await cluster.restartRedis();
    trial.notes.push(`${Math.round(withRedis)} items/s with Redis, ${Math.round(without)} without`);
  },
);

async function itemsPerSecond(trial: Trial, items: number): Promise<number> {
  const from = Date.now();
  const body = {
    operation: 'trial',
    items: Array.from({ length: items }, () => ({ payload: { durationMs: 5 } })),
    options: { concurrency: 20 },
  };
  const { id } = await cluster.client().create(body);
  await examine(cluster, trial, { id, items });
  return (1_000 * items) / (Date.now() - from);
}

/** Lists of Bull that have something in them: bells that wait or are being heard. */
async function bellsWaiting(): Promise<number> {
  const keys = await redis.keys('*');
  return keys.filter((key) => /:(?:wait|active)$/.test(key)).length;
}

/** A batch of one item, created just before the fault. @returns milliseconds from the fault to its end */
async function probe(trial: Trial, fault: () => Promise<void>): Promise<number> {
  const { id } = await cluster.client().create({ operation: 'trial', items: [{}] });
  const from = Date.now();
  await fault();
  await examine(cluster, trial, { id, items: 1 });
  return Date.now() - from;
}

/** A batch that is paused in the middle: no wipe may set it going. */
async function pausedBatch() {
  const items = 1_000;
  const client = cluster.client();
  const { id } = await client.create({ operation: 'trial', items: Array.from({ length: items }, () => ({ payload: { durationMs: 50 } })) });
  await client.waitFor(id, (batch) => batch.counts.succeeded > 0);
  await client.pause(id);
  await client.waitFor(id, (batch) => batch.counts.running === 0);
  const executed = cluster.log.of(id).size;
  expect(executed).toBeLessThan(items);
  return {
    isStill: async () => {
      expect(await client.get(id)).toMatchObject({ status: 'paused' });
      expect(cluster.log.of(id).size).toBe(executed);
    },
    completes: async (trial: Trial) => {
      await client.resume(id);
      await examine(cluster, trial, { id, items });
    },
  };
}
