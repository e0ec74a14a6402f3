import { FlowProducer, Queue, Worker } from 'bullmq';
import { DoneCount } from '../support/done-count.mjs';
import { slicesOf, workItem } from '../support/workload.mjs';

const CONCURRENCY = 50;

export default {
  title: 'BullMQ flow, a parent and a child an item',
  stores: 'job and result, in Redis; the parent knows that all are done',
  packages: ['bullmq', 'ioredis'],

  async start({ redis, fail }) {
    const connection = { port: redis.port, host: '127.0.0.1' };
    const [queue, flows] = [new Queue('items', { connection }), new FlowProducer({ connection })];
    const items = new Worker('items', async ({ data }) => workItem(data), { connection, concurrency: CONCURRENCY });
    const batches = new Worker('batches', async () => undefined, { connection });
    const done = new DoneCount();
    batches.on('completed', () => done.add());
    for (const worker of [items, batches]) worker.on('failed', (job, error) => fail(error)).on('error', fail);
    await Promise.all([queue, flows, items, batches].map((part) => part.waitUntilReady()));
    return {
      async work(items) {
        const all = done.more(1);
        const children = [...slicesOf(items)].flat().map((data) => ({ name: 'item', queueName: 'items', data, opts: { attempts: 3 } }));
        await flows.add({ name: 'batch', queueName: 'batches', children });
        await all;
      },
      recorded: () => queue.getCompletedCount(),
    };
  },
};
