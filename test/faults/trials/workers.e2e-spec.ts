import { setTimeout as delay } from 'node:timers/promises';
import { Cluster, LEASE_MS, START_MS } from '../../support/cluster.js';
import { eventually } from '../../support/eventually.js';
import { assertInvariants, installAudit } from '../../support/invariants.js';
import type { ServiceProcess } from '../../support/process.js';
import { type Trial, trial, WORKERS } from '../../support/trial.js';
import { Workload } from '../../support/workload.js';

const BLOCK_MS = 2 * LEASE_MS;
const PAUSE_MS = 3 * LEASE_MS;

let cluster: Cluster;

beforeAll(async () => {
  const env = { BLOCK_MS: String(BLOCK_MS), WORKER_LANES: '2' };
  cluster = await Cluster.start({ apis: 1, workers: WORKERS, env });
  await installAudit(cluster);
}, START_MS);
afterAll(() => cluster.close(), 120_000);

/**
 * Narrow lanes, as many as all workers together may hold: each has items in flight at any moment. Of items that take longer fewer need
 * recording, which leaves the processors to the processes that start.
 */
const work = (trial: Trial) =>
  new Workload(cluster, trial, { atOnce: 2 * WORKERS, items: 150, durationMs: 200, options: { concurrency: 2, batchSize: 4 } });

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
    const [, ...silent] = cluster.workers;
    await eventually(() => silent.some(isBusy), Boolean);
    for (const worker of silent.slice(0, times - trial.injected)) {
      const busy = isBusy(worker);
      fallSilent(worker);
      trial.inject(busy, worker.pid);
    }
    await delay(forMs + 500);
    await assertInvariants(cluster, { audited: true });
  }
  await workload.finish();
  trial.notes.push(`${lost() - before} lanes' late writes refused`);
}

const isBusy = ({ pid }: ServiceProcess): boolean => cluster.log.inFlightOn(pid) > 0;

/** One that has items in flight, while enough others serve. */
async function busyWorker(trial: Trial): Promise<ServiceProcess> {
  for (;;) {
    await cluster.isUp({ worker: Math.ceil(WORKERS * 0.6) });
    const busy = cluster.workers.filter(isBusy);
    if (busy.length > 0) return trial.random.pick(busy);
    await delay(20);
  }
}
