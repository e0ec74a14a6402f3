import BeeQueue from 'bee-queue';
import { DoneCount } from '../support/done-count.mjs';
import { slicesOf, workItem } from '../support/workload.mjs';

const CONCURRENCY = 50;

export default {
  title: 'bee-queue, a job an item',
  stores: 'nothing: a job that succeeded is deleted',
  packages: ['bee-queue'],

  async start({ redis, fail }) {
    // Nobody listens elsewhere to what becomes of a job, and nobody looks for the job itself. It keeps no result: without the job it is a
    // tenth faster.
    const settings = { getEvents: false, sendEvents: false, storeJobs: false, removeOnSuccess: true };
    const queue = new BeeQueue('items', { redis: redis.url, ...settings });
    const done = new DoneCount();
    queue.on('succeeded', () => done.add());
    queue.on('failed', (job, error) => fail(error));
    queue.on('error', fail);
    await queue.ready();
    queue.process(CONCURRENCY, async ({ data }) => workItem(data));
    return {
      async work(items) {
        const all = done.more(items);
        for (const slice of slicesOf(items)) {
          const errors = await queue.saveAll(slice.map((data) => queue.createJob(data).retries(2)));
          for (const error of errors.values()) fail(error);
        }
        await all;
      },
      recorded: async () => {
        const { waiting, active, delayed } = await queue.checkHealth();
        return done.total - waiting - active - delayed;
      },
    };
  },
};
