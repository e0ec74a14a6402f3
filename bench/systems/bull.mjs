import Queue from 'bull';
import { DoneCount } from '../support/done-count.mjs';
import { slicesOf, workItem } from '../support/workload.mjs';

const CONCURRENCY = 50;

export default {
  title: 'Bull 4, a job an item',
  stores: 'job and result, in Redis',
  packages: ['bull', 'ioredis'],

  async start({ redis, fail }) {
    const queue = new Queue('items', redis.url);
    const done = new DoneCount();
    queue.on('completed', () => done.add());
    queue.on('failed', (job, error) => fail(error));
    await queue.isReady();
    void queue.process(CONCURRENCY, async ({ data }) => workItem(data));
    return {
      async work(items) {
        const all = done.more(items);
        for (const slice of slicesOf(items)) await queue.addBulk(slice.map((data) => ({ data, opts: { attempts: 3 } })));
        await all;
      },
      recorded: () => queue.getCompletedCount(),
    };
  },
};
