import { setTimeout as delay } from 'node:timers/promises';
import { Logger, makeWorkerUtils, run } from 'graphile-worker';
import pg from 'pg';
import { DoneCount } from '../support/done-count.mjs';
import { slicesOf, workItem } from '../support/workload.mjs';

/** Jobs are fetched by so many, and completed in the batches that come together: without these it is many times slower. */
const FAST = { concurrentJobs: 100, pollInterval: 200, localQueue: { size: 5_000 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 };
const LOOK_EVERY_MS = 3;

export default {
  title: 'graphile-worker, jobs fetched by 5,000 and completed in batches',
  stores: 'nothing: a job that succeeded is deleted',
  packages: ['graphile-worker', 'pg'],

  async start({ postgres, fail }) {
    const [client, connection] = [new pg.Client(postgres.url), { connectionString: postgres.url, maxPoolSize: 20 }];
    await client.connect();
    const logger = new Logger(() => (level, message) => void (level === 'error' && fail(new Error(message))));
    const utils = await makeWorkerUtils({ ...connection, logger });
    await utils.migrate();
    const done = new DoneCount();
    const work = async (item) => {
      workItem(item);
      done.add();
    };
    await run({ ...connection, logger, noHandleSignals: true, preset: { worker: FAST }, taskList: { work } });
    const left = async () => (await client.query('SELECT count(*)::int FROM graphile_worker._private_jobs')).rows[0].count;
    const isEmpty = async () => (await client.query('SELECT FROM graphile_worker._private_jobs LIMIT 1')).rowCount === 0;
    return {
      async work(items) {
        const all = done.more(items);
        for (const slice of slicesOf(items)) await utils.addJobs(slice.map((payload) => ({ identifier: 'work', payload })));
        await all;
        while (!(await isEmpty())) await delay(LOOK_EVERY_MS);
      },
      recorded: async () => done.total - (await left()),
    };
  },
};
