import { setTimeout as delay } from 'node:timers/promises';
import { Cluster, START_MS } from '../../support/cluster.js';
import { assertInvariants, installAudit } from '../../support/invariants.js';
import type { ServiceProcess } from '../../support/process.js';
import { type Trial, trial, WORKERS } from '../../support/trial.js';
import { Workload } from '../../support/workload.js';

const GRACE_MS = 6_000;

let cluster: Cluster;

beforeAll(async () => {
  // So long a lease that no lane is taken over: what goes on elsewhere was given back.
  const env = { SHUTDOWN_GRACE_MS: String(GRACE_MS), LEASE_MS: '60000', WORKER_LANES: '2' };
  cluster = await Cluster.start({ apis: 1, workers: WORKERS - 1, env });
  await installAudit(cluster);
}, START_MS);
afterAll(() => cluster.close(), 120_000);

trial(
  'F24',
  'SIGTERM to a worker in the middle of its chunks, every fourth time without Redis',
  { sizes: { short: 2, medium: 10, full: 100 }, reExecutes: false },
  async (trial, times) => {
    const workload = new Workload(cluster, trial, {
      atOnce: 2 * WORKERS,
      items: 150,
      durationMs: 200,
      options: { concurrency: 2, batchSize: 4 },
    });
    const exits: number[] = [];
    while (trial.hasMore(times)) {
      const victim = await busyWorker(trial);
      const withoutRedis = trial.injected % 4 === 1;
      if (withoutRedis) await cluster.redis.kill();
      const busy = cluster.log.inFlightOn(victim.pid) > 0;
      const toldAt = Date.now();
      await cluster.terminate(victim);
      exits.push(Date.now() - toldAt);
      trial.inject(busy, victim.pid, toldAt);
      if (withoutRedis) await cluster.restartRedis();
      await assertInvariants(cluster, { audited: true });
    }
    await workload.finish();
    exits.sort((a, b) => a - b);
    // Every lane was given back: nobody had to take one over.
    expect({ crashes: trial.crashes, reExecuted: trial.totals.reExecuted }).toEqual({ crashes: 0, reExecuted: 0 });
    trial.notes.push(`exit p50 ${exits[Math.floor(exits.length / 2)]} ms, max ${exits.at(-1)} ms of ${GRACE_MS} ms; attempts burned 0`);
  },
);

/** One that has items in flight, while another serves too. */
async function busyWorker(trial: Trial): Promise<ServiceProcess> {
  for (;;) {
    await cluster.isUp({ worker: Math.ceil(WORKERS / 2) });
    const busy = cluster.workers.filter(({ pid }) => cluster.log.inFlightOn(pid) > 0);
    if (busy.length > 0) return trial.random.pick(busy);
    await delay(20);
  }
}
