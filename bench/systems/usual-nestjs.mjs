// What most NestJS services do: a Bull job an item, whose processor updates the item's row and counts it in the batch's row.
import Queue from 'bull';
import { DataSource, EntitySchema } from 'typeorm';
import { DoneCount } from '../support/done-count.mjs';
import { slicesOf, workItem } from '../support/workload.mjs';

const CONCURRENCY = 50;

const Batch = new EntitySchema({
  name: 'batch',
  columns: {
    id: { type: 'bigint', primary: true, generated: true },
    total: { type: 'int' },
    done: { type: 'int', default: 0 },
  },
});
const Item = new EntitySchema({
  name: 'item',
  columns: {
    id: { type: 'bigint', primary: true, generated: true },
    batchId: { type: 'bigint' },
    payload: { type: 'jsonb' },
    status: { type: 'text', default: 'pending' },
    attempts: { type: 'int', default: 0 },
    output: { type: 'jsonb', nullable: true },
    quality: { type: 'real', nullable: true },
  },
  indices: [{ columns: ['batchId', 'status'] }],
});

export default {
  title: 'Usual NestJS design, a Bull job and two UPDATEs an item (a fifth of the items)',
  stores: 'a row an item; a count',
  packages: ['bull', 'ioredis', 'typeorm', 'pg'],
  /** It takes so long. */
  share: 0.2,

  async start({ postgres, redis, fail }) {
    const source = new DataSource({ type: 'postgres', url: postgres.url, entities: [Batch, Item], synchronize: true });
    await source.initialize();
    const [batches, rows] = [source.getRepository(Batch), source.getRepository(Item)];
    const queue = new Queue('items', redis.url, { defaultJobOptions: { attempts: 3, removeOnComplete: true } });
    const done = new DoneCount();
    queue.on('completed', () => done.add());
    queue.on('failed', (job, error) => fail(error));
    await queue.isReady();
    void queue.process(CONCURRENCY, async ({ data }) => {
      const { output, quality } = workItem(data.payload);
      await rows.update({ id: data.itemId }, { status: 'completed', attempts: 1, output, quality });
      await batches.increment({ id: data.batchId }, 'done', 1);
    });
    return {
      async work(items) {
        const all = done.more(items);
        const batch = await batches.save({ total: items });
        for (const slice of slicesOf(items)) {
          const saved = await rows.save(
            slice.map((payload) => ({ batchId: batch.id, payload })),
            { chunk: 1_000 },
          );
          await queue.addBulk(saved.map(({ id, payload }) => ({ data: { itemId: id, batchId: batch.id, payload } })));
        }
        await all;
      },
      recorded: async () => {
        const counted = await batches.sum('done');
        const completed = await rows.countBy({ status: 'completed' });
        return counted === completed ? completed : fail(new Error(`${counted} counted, ${completed} completed`));
      },
    };
  },
};
