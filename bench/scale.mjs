// What an item costs in small and in large batches, in few and in many of them: items that do nothing, brought over HTTP to one process.
//   npm run bench:scale -- [--largest 10000000] [--out result.json] [--quick]
import { cpuOf, median, withMemory } from './support/measure.mjs';
import { present, readOptions, short } from './support/command.mjs';
import {
  allEnded,
  assertAllSucceeded,
  countOutcomes,
  create,
  createAll,
  sideBySide,
  startAll,
  valueOf,
  withDatabase,
} from './support/load.mjs';
import { submit } from './support/client.mjs';
import { withStacks } from './support/stack.mjs';
import { itemOf } from './support/workload.mjs';

const options = readOptions({ largest: { full: 10_000_000, quick: 1_000 } });
const SIZES = [1_000, 10_000, 100_000, 1_000_000, 10_000_000].filter((size) => size <= options.largest);
/** Small batches are over before a single measurement says much. */
const REPETITIONS = options.quick ? {} : { 1_000: 9, 10_000: 5, 100_000: 3 };
/** Items side by side, at most. */
const CONCURRENCY = 100;
const WARM_UP = options.quick ? 100 : 5_000;
const MICROSECONDS = 1_000_000;
const REFERENCE = '1 × 100,000';
/** Requests at a time of a user who brings many batches. */
const REQUESTS = 4;
const MANY = options.quick ? { thousands: 2, tens: 10, atOnce: 2 } : { thousands: 1_000, tens: 10_000, atOnce: 100 };

const CASES = [
  ...SIZES.map((size) => ({ name: `1 × ${count(size)}`, items: size, repetitions: REPETITIONS[size] ?? 1, work: oneBatch(size) })),
  manyBatches(MANY.thousands, 1_000),
  manyBatches(MANY.tens, 10),
  { name: `${count(MANY.atOnce)} × 1,000 at once`, items: MANY.atOnce * 1_000, repetitions: 1, prepare: waitingForStart, work: startThem },
];

const results = [];
await withStacks({ quick: options.quick, roles: ['all'], env: {} }, async (onStack) => {
  for (const each of CASES) {
    const runs = await onStack((stack) => withDatabase(stack.postgres, (database) => runsOf(each, stack, database)));
    results.push({ name: each.name, items: each.items, runs });
    console.log(`${each.name}: ${short(median(runs.map(({ seconds }) => seconds)))} s`);
  }
});
report();

function count(number) {
  return number.toLocaleString('en');
}

function oneBatch(items) {
  return (url) => submit(url, { items, options: { concurrency: CONCURRENCY } });
}

function manyBatches(batches, size) {
  const batch = batchOf(size);
  const work = (url) => sideBySide(batches, REQUESTS, () => create(url, batch));
  return { name: `${count(batches)} × ${count(size)}`, items: batches * size, repetitions: 1, work };
}

function waitingForStart(url) {
  return createAll(url, MANY.atOnce, batchOf(1_000));
}

function startThem(url, ids) {
  return startAll(url, ids);
}

function batchOf(size) {
  const items = Array.from({ length: size }, (_, index) => ({ payload: itemOf(index) }));
  return { operation: 'amount', options: { concurrency: Math.min(CONCURRENCY, size) }, items };
}

/** After a first batch, with which the service's code gets warm. */
async function runsOf({ items, repetitions, prepare, work }, stack, database) {
  const before = await countOutcomes(database);
  await submit(stack.url, { items: WARM_UP, options: { concurrency: CONCURRENCY } });
  await allEnded(database);
  const runs = [];
  for (let n = 1; n <= repetitions; n += 1) {
    const prepared = await prepare?.(stack.url);
    const recordedBefore = await countOutcomes(database);
    const measured = await measure(items, stack, database, () => work(stack.url, prepared));
    await assertAllSucceeded(database, before + WARM_UP + n * items);
    runs.push({ ...measured, recorded: (await countOutcomes(database)) - recordedBefore });
  }
  return runs;
}

async function measure(items, stack, database, work) {
  const bytesBefore = await databaseBytes(database);
  const { given, memory } = await withMemory(stack.services[0].pid, () =>
    cpuOf(stack, async () => {
      await work();
      await allEnded(database);
    }),
  );
  const bytesAfter = await databaseBytes(database);
  const perItem = Object.entries(given.cpu).map(([part, seconds]) => [part, (seconds * MICROSECONDS) / items]);
  return {
    seconds: given.seconds,
    itemsPerSecond: items / given.seconds,
    cpuMicroseconds: Object.fromEntries(perItem),
    ...memory,
    diskBytes: (bytesAfter - bytesBefore) / items,
  };
}

/** Files grow when rows are written, not with the next checkpoint. */
async function databaseBytes(database) {
  return Number(await valueOf(database, 'SELECT pg_database_size(current_database())'));
}

function report() {
  const middle = (runs, value) => median(runs.map(value));
  const total = ({ cpuMicroseconds }) => Object.values(cpuMicroseconds).reduce((sum, part) => sum + part, 0);
  const reference = results.find(({ name }) => name === REFERENCE)?.runs;
  const rows = results.map(({ name, runs }) => [
    name,
    short(middle(runs, ({ seconds }) => seconds)),
    short(middle(runs, ({ itemsPerSecond }) => itemsPerSecond)),
    ['service', 'postgres', 'redis', 'client'].map((part) => short(middle(runs, (run) => run.cpuMicroseconds[part]))).join(' + '),
    short(middle(runs, total)),
    reference ? (middle(runs, total) / middle(reference, total)).toFixed(2) : '–',
    `${short(middle(runs, ({ aboveIdleMb }) => aboveIdleMb))} / ${short(Math.max(...runs.map(({ peakMb }) => peakMb)))}`,
    short(middle(runs, ({ diskBytes }) => diskBytes)),
  ]);
  present(
    {
      title: 'Items that do nothing, from the first request to the last result; medians of several runs where they are short',
      columns: ['Batches', '>s', '>Items/s', '>CPU µs an item: service + PostgreSQL + Redis + client', '>Sum', '>×', '>MB', '>Bytes'],
      rows,
      notes: [
        '×: the sum, compared with one batch of 100,000. MB: what the service’s memory grew by, and its peak. Bytes: on disk, an item. ' +
          'At once: from the start of all, which were there.',
      ],
      result: { results },
    },
    options,
  );
}
