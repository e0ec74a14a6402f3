import { setTimeout as delay } from 'node:timers/promises';
import PgBoss from 'pg-boss';
import { slicesOf, workItem } from '../support/workload.mjs';

/**
 * Smaller batches take much longer, larger ones gain nothing; more loops, or its own `work()`, take longer too. No job has a priority or
 * waits for a time, so that fetches need not look at either.
 */
const FETCH = { batchSize: 5_000, priority: false, ignoreStartAfter: true };
const LOOK_EVERY_MS = 5;
const QUEUE = 'items';

export default {
  title: 'pg-boss, jobs fetched and deleted by 5,000',
  stores: 'nothing: a job that succeeded is deleted',
  packages: ['pg-boss', 'pg'],

  async start({ postgres, fail }) {
    // Nothing runs long enough to need its upkeep.
    const boss = new PgBoss({ connectionString: postgres.url, supervise: false, schedule: false });
    boss.on('error', fail);
    await boss.start();
    await boss.createQueue(QUEUE);
    let deleted = 0;
    return {
      work: (items) => Promise.all([submit(boss, items), workAll(boss, items, (count) => (deleted += count))]),
      recorded: async () => deleted - (await boss.getQueueSize(QUEUE, { before: 'completed' })),
    };
  },
};

async function submit(boss, items) {
  for (const slice of slicesOf(items)) await boss.insert(slice.map((data) => ({ name: QUEUE, data })));
}

/**
 * A job that is completed stays in the table until the upkeep archives it, and slows down every fetch: 100,000 items after as many others
 * went at 15,000 a second instead of 33,000. One that is deleted instead is as safe: until then it is active, and comes back when it
 * expires.
 */
async function workAll(boss, items, onDeleted) {
  for (let left = items; left > 0;) {
    const jobs = await boss.fetch(QUEUE, FETCH);
    if (jobs.length === 0) {
      await delay(LOOK_EVERY_MS);
      continue;
    }
    for (const { data } of jobs) workItem(data);
    const { affected } = await boss.deleteJob(
      QUEUE,
      jobs.map(({ id }) => id),
    );
    onDeleted(affected);
    left -= jobs.length;
  }
}
