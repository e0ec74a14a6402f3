// How long a batch of one item takes, from its request to the event that tells of its end; in turns with a job of Bull that writes one row.
// Then both once more, while a hundred batches run beside.
//   npm run bench:latency -- [--batches 500] [--out result.json] [--quick]
import { once } from 'node:events';
import { join } from 'node:path';
import Queue from 'bull';
import { ask, connect } from './support/client.mjs';
import { assertCount, present, readOptions, short } from './support/command.mjs';
import { forkChild } from './support/ends.mjs';
import { allEnded, cancelAll, create, createWaiting, sideBySide, startAll, valueOf, withDatabase } from './support/load.mjs';
import { percentile } from './support/measure.mjs';
import { withStack } from './support/stack.mjs';
import { itemOf } from './support/workload.mjs';

const options = readOptions({ batches: { full: 500, quick: 10 } });
const WARM_UP = options.quick ? 2 : 50;
const BESIDE = { batches: options.quick ? 4 : 100, items: options.quick ? 200 : 2_000, itemMs: 200, concurrency: 5 };
const WHAT = { answer: 'batch, to the answer', event: 'batch, to the event of its end', bull: 'job of Bull' };

const samples = {};
let recorded;
await withStack({ roles: ['all'], env: {} }, ({ url, postgres, redis }) =>
  withDatabase(postgres, async (database) => {
    const bull = await startBull(redis, postgres);
    const batch = await batchOfOne(url);
    try {
      await inTurns(WARM_UP, batch, bull);
      samples.alone = await inTurns(options.batches, batch, bull);
      const beside = await makeLoad(url);
      samples.beside = await inTurns(options.batches, batch, bull);
      await endLoad(url, beside);
      await allEnded(database);
      recorded = await check(database);
    } finally {
      batch.close();
      await bull.close();
    }
  }),
);
report();

/** @returns milliseconds of each */
async function inTurns(count, batch, bull) {
  const times = { answer: [], event: [], bull: [] };
  for (let n = 0; n < count; n += 1) {
    const { answer, event } = await batch.once(n);
    times.answer.push(answer);
    times.event.push(event);
    times.bull.push(await bull.once(n));
  }
  return times;
}

async function batchOfOne(url) {
  const socket = await connect(url);
  const completedAt = new Map();
  let look;
  socket.on('batch.completed', ({ batchId }) => {
    completedAt.set(batchId, performance.now());
    look?.();
  });
  const completed = (id) => new Promise((resolve) => (look = () => completedAt.has(id) && resolve(completedAt.get(id)))());
  return {
    /** The event may come before the answer. */
    async once(n) {
      const sentAt = performance.now();
      const id = await create(url, { operation: 'amount', items: [{ payload: itemOf(n) }] });
      const answer = performance.now() - sentAt;
      return { answer, event: (await completed(id)) - sentAt };
    },
    close: () => socket.close(),
  };
}

/** The worker tells of its own "completed" event: nothing tells sooner that a job is done. */
async function startBull(redis, postgres) {
  const queue = new Queue('one-row', redis.url);
  await queue.isReady();
  const worker = forkChild(join(import.meta.dirname, 'support/bull-worker.mjs'), [redis.url, postgres.url]);
  await once(worker, 'message');
  let jobs = 0;
  return {
    async once(n) {
      const jobId = String((jobs += 1));
      const completed = once(worker, 'message');
      const sentAt = performance.now();
      void queue.add(itemOf(n), { jobId });
      const [told] = await completed;
      const time = performance.now() - sentAt;
      assertCount('the job that was told of', told, jobId);
      return time;
    },
    async close() {
      await queue.close();
      worker.disconnect();
    },
  };
}

/** @returns the batches' IDs, when all of them have begun */
async function makeLoad(url) {
  const ids = await sideBySide(BESIDE.batches, 4, () => createWaiting(url, BESIDE));
  await startAll(url, ids);
  return ids;
}

async function endLoad(url, ids) {
  const open = await Promise.all(ids.map((id) => ask(url, 'GET', `/api/batches/${id}`)));
  const running = open.filter(({ endedAt }) => endedAt === null);
  if (running.length < ids.length / 2) throw new Error(`only ${running.length} of ${ids.length} batches were still running beside`);
  await cancelAll(
    url,
    running.map(({ id }) => id),
  );
}

/** @returns how much of each is there */
async function check(database) {
  const expected = WARM_UP + 2 * options.batches;
  const succeeded = `SELECT count(*)::int FROM outcome o JOIN batch b ON b.run_id = o.run_id WHERE b.operation = 'amount' AND o.status = 1`;
  const [outcomes, jobs] = [await valueOf(database, succeeded), await valueOf(database, 'SELECT count(*)::int FROM bull_row')];
  assertCount('outcomes', outcomes, expected);
  assertCount('rows of jobs', jobs, expected);
  return { outcomes: outcomes - WARM_UP, jobs: jobs - WARM_UP };
}

function report() {
  const figures = Object.entries(samples).flatMap(([when, times]) =>
    Object.keys(WHAT).map((what) => {
      const [median, p95, p99] = [0.5, 0.95, 0.99].map((share) => percentile(times[what], share));
      return { when, what, median, p95, p99, ratio: median / percentile(times.bull, 0.5) };
    }),
  );
  const rows = figures.map(({ when, what, median, p95, p99, ratio }) => [
    when === 'alone' ? 'alone' : `${BESIDE.batches} batches beside`,
    WHAT[what],
    ...[median, p95, p99].map(short),
    ratio.toFixed(2),
  ]);
  present(
    {
      title: `A batch of one item, ${options.batches} times, one after the other, in turns with a job of Bull that writes one row; milliseconds`,
      columns: ['When', 'What', '>Median', '>p95', '>p99', '>Times Bull’s median'],
      rows,
      notes: [`Beside: ${BESIDE.batches} batches, of each ${BESIDE.concurrency} items side by side that wait ${BESIDE.itemMs} ms.`],
      result: { batches: options.batches, beside: BESIDE, recorded, figures, samples },
    },
    options,
  );
}
