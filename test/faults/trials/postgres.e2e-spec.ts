import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../../src/database/embedded-postgres.js';
import { Cluster, START_MS } from '../../support/cluster.js';
import { createTestDatabase } from '../../support/database.js';
import { eventually } from '../../support/eventually.js';
import { assertInvariants, installAudit } from '../../support/invariants.js';
import { type Trial, trial } from '../../support/trial.js';
import { Workload } from '../../support/workload.js';

const GRACE_MS = 6_000;
const BACK_MS = 60_000;
/** Requests whose answer decides, and which share of the answers is lost: a transaction's end, and the statement that records outcomes. */
const DECISIVE = { COMMIT: 0.1, 'record-outcomes': 0.02 };

let dataDir: string;
let server: EmbeddedPostgres;
let cluster: Cluster;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'batchwise-faults-'));
  // As durable as the service's own: what it acknowledges must be there after an immediate shutdown.
  server = await startEmbeddedPostgres(dataDir);
  const database = await createTestDatabase(server.url);
  cluster = await Cluster.start({ apis: 1, workers: 2, database, throughProxy: true, env: { SHUTDOWN_GRACE_MS: String(GRACE_MS) } });
  await installAudit(cluster);
}, START_MS);
afterAll(async () => {
  await cluster.close();
  await server.stop();
  await rm(dataDir, { recursive: true, force: true });
}, 120_000);

const work = (trial: Trial) =>
  new Workload(cluster, trial, { atOnce: 6, items: 150, durationMs: 20, options: { concurrency: 4, batchSize: 10 } });

/** PostgreSQL shuts down and is started again, which the embedded server sees to; or only connections end. */
const BREAKS = {
  'fast shutdown': () => signalServer('SIGINT'),
  'immediate shutdown': () => signalServer('SIGQUIT'),
  pg_terminate_backend: async () => {
    await cluster.pool.query(`
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name = 'batchwise' AND pid <> pg_backend_pid() AND random() < 0.7`);
  },
};

trial(
  'F12',
  'PostgreSQL restarts, fast and immediate, and connections are terminated',
  { sizes: { short: 3, medium: 9, full: 150 }, reExecutes: true },
  async (trial, times) => {
    const workload = work(trial);
    while (trial.hasMore(times)) {
      await delay(trial.random.between(300, 1_500));
      const name = (Object.keys(BREAKS) as (keyof typeof BREAKS)[])[trial.injected % 3]!;
      await eventually(
        () => cluster.log.inFlight,
        (inFlight) => inFlight > 0,
        BACK_MS,
      );
      await BREAKS[name]();
      trial.inject(cluster.log.inFlight > 0);
      await eventually(() => assertInvariants(cluster, { audited: true }), undefined, BACK_MS);
    }
    await workload.finish();
    const { refusals, unknown, acknowledged, failures } = workload.submitter;
    trial.didAgain(acknowledged.map(({ at }) => at));
    expect(failures).toEqual([]);
    expect([...refusals.keys()].filter((status) => status !== 503)).toEqual([]);
    expect(unknown).toBe(0);
    trial.notes.push(`${acknowledged.length} creates acknowledged, ${refusals.get(503) ?? 0} answered 503, none any other error`);
  },
);

trial(
  'F15',
  'the commit is done and its answer is lost',
  { sizes: { short: 10, medium: 40, full: 300 }, reExecutes: false },
  async (trial, times) => {
    const workload = work(trial);
    const { link } = cluster;
    const before = link!.lostReplies;
    let lost = 0;
    link!.loseRepliesTo((request) => {
      const share = Object.entries(DECISIVE).find(([mark]) => request.includes(mark))?.[1] ?? 0;
      return trial.random.between(0, 1) < share;
    });
    while (trial.hasMore(times)) {
      await eventually(
        () => link!.lostReplies - before,
        (n) => n > lost,
        BACK_MS,
      );
      for (const now = link!.lostReplies - before; lost < now; lost += 1) trial.inject(true);
      await eventually(() => assertInvariants(cluster, { audited: true }), undefined, BACK_MS);
    }
    link!.loseRepliesTo(undefined);
    await workload.finish();
    const { refusals, unknown, failures } = workload.submitter;
    expect(failures).toEqual([]);
    expect([...refusals.keys()].filter((status) => status !== 503)).toEqual([]);
    trial.notes.push(`${(refusals.get(503) ?? 0) + unknown} creates whose client was left in the dark: each there whole, or not at all`);
  },
);

trial(
  'F24',
  'SIGTERM to a worker in the middle of its chunks while PostgreSQL is out of reach',
  { sizes: { short: 1, medium: 4, full: 20 }, reExecutes: true },
  async (trial, times) => {
    const workload = work(trial);
    while (trial.hasMore(times)) {
      await cluster.isUp({ worker: 2 });
      const worker = await eventually(
        () => cluster.workers.find(({ pid }) => cluster.log.inFlightOn(pid) > 0),
        (busy) => busy !== undefined,
        BACK_MS,
      );
      cluster.link!.cut();
      // What was in flight may have ended by now, and then there is nothing to strike.
      if (cluster.log.inFlightOn(worker!.pid) > 0) {
        trial.inject(true, worker!.pid, Date.now());
        await cluster.terminate(worker!);
      }
      cluster.link!.mend();
      await assertInvariants(cluster, { audited: true });
    }
    await workload.finish();
  },
);

async function signalServer(signal: NodeJS.Signals): Promise<void> {
  const pidFile = await readFile(join(dataDir, 'postgres-18/postmaster.pid'), 'utf8');
  process.kill(Number(pidFile.split('\n')[0]), signal);
}
