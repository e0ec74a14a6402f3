import { Queue, Worker } from 'bullmq';
import { DoneCount } from '../support/done-count.mjs';
import { slicesOf, workItem } from '../support/workload.mjs';

/** A few hundredths faster than 50; Bull is not. Without the jobs that are done neither is faster. */
const CONCURRENCY = 200;

export default {
  title: 'BullMQ, a job an item',
  stores: 'job and result, in Redis',
  packages: ['bullmq', 'ioredis'],

  async start({ redis, fail }) {
    const connection = { port: redis.port, host: '127.0.0.1' };
    const queue = new Queue('items', { connection });
    const worker = new Worker('items', async ({ data }) => workItem(data), { connection, concurrency: CONCURRENCY });
    const done = new DoneCount();
    worker.on('completed', () => done.add());
    worker.on('failed', (job, error) => fail(error));
    worker.on('error', fail);
    await Promise.all([queue.waitUntilReady(), worker.waitUntilReady()]);
    return {
      async work(items) {
        const all = done.more(items);
        for (const slice of slicesOf(items)) await queue.addBulk(slice.map((data) => ({ name: 'item', data, opts: { attempts: 3 } })));
        await all;
      },
      recorded: () => queue.getCompletedCount(),
    };
  },
};
