import { setTimeout as delay } from 'node:timers/promises';
import { Cluster, LEASE_MS, START_MS } from '../../support/cluster.js';
import { assertInvariants, installAudit } from '../../support/invariants.js';
import type { ServiceProcess } from '../../support/process.js';
import { type Trial, trial, WORKERS } from '../../support/trial.js';
import { Workload } from '../../support/workload.js';

const GRACE_MS = 6_000;
const BLOCK_MS = 2 * LEASE_MS;
const PAUSE_MS = 3 * LEASE_MS;

let cluster: Cluster;

beforeAll(async () => {
  const env = { SHUTDOWN_GRACE_MS: String(GRACE_MS), BLOCK_MS: String(BLOCK_MS), SWEEP_MS: '200' };
  cluster = await Cluster.start({ apis: 1, workers: WORKERS, env });
  await installAudit(cluster);
}, START_MS);
afterAll(() => cluster.close(), 120_000);

/** Many short items in narrow lanes, so that every worker has some in flight at any moment. */
const work = (trial: Trial) =>
  new Workload(cluster, trial, { atOnce: 8, items: 250, durationMs: 40, options: { concurrency: 2, batchSize: 4 } });

trial(
  'F01',
  'kill -9 of a worker in the middle of its chunks',
  { sizes: { short: 4, medium: 50, full: 1_000 }, reExecutes: true },
  async (trial, kills) => {
    const workload = work(trial);
    while (trial.hasMore(kills)) await killOne(trial);
    await workload.finish();
  },
);

trial(
  'F03',
  'kill -9 of one of several sweepers that look for the same work at the same time, without any bell',
  { sizes: { short: 1, medium: 5, full: 50 }, reExecutes: true },
  async (trial, kills) => {
    await cluster.redis.kill();
    const workload = work(trial);
    while (trial.hasMore(kills)) await killOne(trial);
    await workload.finish();
    await cluster.restartRedis();
  },
);

async function killOne(trial: Trial): Promise<void> {
  const victim = await busyWorker(trial);
  await delay(trial.random.between(20, 300));
  const { inFlight } = await cluster.end(victim, 'SIGKILL');
  trial.inject(inFlight > 0, victim.pid);
  await assertInvariants(cluster, { audited: true });
}

trial(
  'F04',
  'the event loop of a worker is blocked for two leases',
  { sizes: { short: 2, medium: 10, full: 100 }, reExecutes: true },
  (trial, blocks) => silence(trial, blocks, (worker) => worker.send('SIGUSR2'), BLOCK_MS),
);

trial(
  'F05',
  'SIGSTOP of a worker for three leases, then SIGCONT',
  { sizes: { short: 2, medium: 10, full: 100 }, reExecutes: true },
  async (trial, pauses) => {
    const stop = (worker: ServiceProcess): void => {
      worker.send('SIGSTOP');
      setTimeout(() => worker.send('SIGCONT'), PAUSE_MS);
    };
    await silence(trial, pauses, stop, PAUSE_MS);
  },
);

/** All workers but one fall silent at the same moment, again and again; when they wake up, their lanes have been taken over. */
async function silence(trial: Trial, times: number, fallSilent: (worker: ServiceProcess) => void, forMs: number): Promise<void> {
  await cluster.isUp({ worker: WORKERS });
  const lost = (): number => cluster.workers.reduce((sum, worker) => sum + worker.output().split('lost a lane').length - 1, 0);
  const before = lost();
  const workload = work(trial);
  while (trial.hasMore(times)) {
    await busyWorker(trial);
    const [, ...silent] = cluster.workers;
    for (const worker of silent.slice(0, times - trial.injected)) {
      const busy = cluster.log.inFlightOn(worker.pid) > 0;
      fallSilent(worker);
      trial.inject(busy, worker.pid);
    }
    await delay(forMs + 500);
    await assertInvariants(cluster, { audited: true });
  }
  await workload.finish();
  trial.notes.push(`${lost() - before} lanes' late writes refused`);
}

trial(
  'F24',
  'SIGTERM to a worker in the middle of its chunks, every fourth time without Redis',
  { sizes: { short: 2, medium: 10, full: 100 }, reExecutes: false },
  async (trial, times) => {
    const workload = work(trial);
    const exits: number[] = [];
    while (trial.hasMore(times)) {
      const victim = await busyWorker(trial);
      const withoutRedis = trial.injected % 4 === 1;
      if (withoutRedis) await cluster.redis.kill();
      const busy = cluster.log.inFlightOn(victim.pid) > 0;
      const toldAt = Date.now();
      const { code } = await cluster.end(victim, 'SIGTERM');
      exits.push(Date.now() - toldAt);
      trial.inject(busy, victim.pid, toldAt);
      expect(code).toBe(0);
      if (withoutRedis) await cluster.restartRedis();
      await assertInvariants(cluster, { audited: true });
    }
    await workload.finish();
    exits.sort((a, b) => a - b);
    expect(exits.at(-1)).toBeLessThan(GRACE_MS);
    // Every lane was given back: nobody had to take one over.
    expect({ crashes: trial.crashes, reExecuted: trial.totals.reExecuted }).toEqual({ crashes: 0, reExecuted: 0 });
    trial.notes.push(`exit p50 ${exits[Math.floor(exits.length / 2)]} ms, max ${exits.at(-1)} ms of ${GRACE_MS} ms; attempts burned 0`);
  },
);

/** One that has items in flight, while enough others serve. */
async function busyWorker(trial: Trial): Promise<ServiceProcess> {
  for (;;) {
    await cluster.isUp({ worker: Math.ceil(WORKERS * 0.6) });
    const busy = cluster.workers.filter(({ pid }) => cluster.log.inFlightOn(pid) > 0);
    if (busy.length > 0) return trial.random.pick(busy);
    await delay(20);
  }
}
