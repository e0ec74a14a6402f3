import { Cluster, START_MS } from '../../support/cluster.js';
import { createTestDatabase } from '../../support/database.js';
import { eventually } from '../../support/eventually.js';
import { assertInvariants, installAudit } from '../../support/invariants.js';
import { ServerWithClock } from '../../support/set-clock.js';
import { trial } from '../../support/trial.js';
import { Workload } from '../../support/workload.js';

const BACK_MS = 60_000;
const HOUR_S = 3_600;
/** Waits that end soon by the right clock. */
const SOON_MS = 10_000;

let server: ServerWithClock;
let cluster: Cluster;

beforeAll(async () => {
  server = await ServerWithClock.start();
  const database = await createTestDatabase(server.url);
  cluster = await Cluster.start({ apis: 1, workers: 2, database });
  await installAudit(cluster);
}, START_MS);
afterAll(async () => {
  await cluster.close();
  await server.stop();
}, 120_000);

trial(
  'F29',
  "PostgreSQL's clock is set back by an hour, right after a worker was killed",
  { sizes: { short: 1, medium: 6, full: 30 }, reExecutes: true },
  async (trial, times) => {
    const options = { concurrency: 4, batchSize: 10, rateLimitPerMinute: 3_000 };
    const workload = new Workload(cluster, trial, { atOnce: 4, items: 100, durationMs: 50, options });
    for (let hours = 1; trial.hasMore(times); hours += 1) {
      const [retried, timed] = await Promise.all([waitsForRetry(), waitsForItsTimeLimit()]);
      const victim = await eventually(
        () => cluster.workers.find(({ pid }) => cluster.log.inFlightOn(pid) > 0),
        (busy) => busy !== undefined,
        BACK_MS,
      );
      const { inFlight } = await cluster.end(victim!, 'SIGKILL');
      const before = await databaseTime();
      await server.set(-hours * HOUR_S);
      trial.inject(inFlight > 0, victim!.pid);
      await eventually(databaseTime, (time) => time < before - (HOUR_S * 1_000) / 2, BACK_MS);
      expect(await cluster.client().waitForEnd(retried, BACK_MS)).toMatchObject({ status: 'completed', counts: { succeeded: 1 } });
      expect(await cluster.client().waitForEnd(timed, BACK_MS)).toMatchObject({ status: 'timed_out' });
      await eventually(() => assertInvariants(cluster, { audited: true }), undefined, BACK_MS);
    }
    await workload.finish();
    expect(workload.submitter.failures).toEqual([]);
  },
);

async function databaseTime(): Promise<number> {
  const { rows } = await cluster.pool.query<{ now: Date }>('SELECT clock_timestamp() AS now');
  return rows[0]!.now.getTime();
}

/** A batch whose item has failed and waits for its next try. */
async function waitsForRetry(): Promise<string> {
  const options = { retryAttempts: 2, retryDelay: SOON_MS, retryJitter: false };
  const id = await create({ operation: 'swift', items: [{ payload: { batch: 0, place: 1, amount: 1, fails: 'once' } }], options });
  const waiting = `SELECT FROM retry t JOIN run r ON r.id = t.run_id WHERE r.batch_id = $1`;
  await eventually(
    async () => (await cluster.pool.query(waiting, [id])).rowCount,
    (count) => count === 1,
    BACK_MS,
  );
  return id;
}

async function waitsForItsTimeLimit(): Promise<string> {
  const options = { batchTimeout: SOON_MS, timeout: 600_000 };
  return create({ operation: 'trial', items: [{ payload: { durationMs: 600_000 } }], options });
}

async function create(batch: object): Promise<string> {
  return (await cluster.client().create(batch)).id;
}
