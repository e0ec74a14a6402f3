import { setTimeout as delay } from 'node:timers/promises';
import PgBoss from 'pg-boss';
import { slicesOf, workItem } from '../support/workload.mjs';

/** Smaller batches take much longer; more loops, or its own `work()`, take longer too. */
const BATCH = 5_000;
const LOOK_EVERY_MS = 5;
const QUEUE = 'items';

export default {
  title: 'pg-boss, jobs fetched and completed by 5,000',
  stores: 'that the job succeeded; no result of its own',
  packages: ['pg-boss', 'pg'],

  async start({ postgres, fail }) {
    // Nothing runs long enough to need its upkeep.
    const boss = new PgBoss({ connectionString: postgres.url, supervise: false, schedule: false });
    boss.on('error', fail);
    await boss.start();
    await boss.createQueue(QUEUE);
    return {
      work: (items) => Promise.all([submit(boss, items), workAll(boss, items)]),
      recorded: async () => {
        const { rows } = await boss.getDb().executeSql("SELECT count(*)::int FROM pgboss.job WHERE state = 'completed'", []);
        return rows[0].count;
      },
    };
  },
};

async function submit(boss, items) {
  for (const slice of slicesOf(items)) await boss.insert(slice.map((data) => ({ name: QUEUE, data })));
}

async function workAll(boss, items) {
  for (let left = items; left > 0;) {
    const jobs = await boss.fetch(QUEUE, { batchSize: BATCH });
    for (const { data } of jobs) workItem(data);
    const ids = jobs.map(({ id }) => id);
    await (ids.length > 0 ? boss.complete(QUEUE, ids) : delay(LOOK_EVERY_MS));
    left -= ids.length;
  }
}
