// Items that wait for something else, 50 ms each: how busy the places are in which they wait, and how long after its end a result is there
// to be read.
//   npm run bench:waiting -- [--items 20000] [--each 2000] [--out result.json] [--quick]
import { percent, present, readOptions, short } from './support/command.mjs';
import {
  allEnded,
  assertAllSucceeded,
  countOutcomes,
  createWaiting,
  sideBySide,
  startAll,
  valueOf,
  withDatabase,
} from './support/load.mjs';
import { cpuOf, percentile } from './support/measure.mjs';
import { ResultReader } from './support/result-reader.mjs';
import { withStacks } from './support/stack.mjs';

const options = readOptions({ items: { full: 20_000, quick: 400 }, each: { full: 2_000, quick: 20 } });
const ITEM_MS = 50;
const WARM_UP = options.quick ? 20 : 500;
const POLL_MS = 25;
const TARGET_MS = 300;
/** So that all batches are worked at once: by default a process works 64 lanes. */
const WORKER_LANES = '128';
const CASES = [
  { name: 'one batch', batches: 1, items: options.items, concurrency: 200 },
  { name: 'many at once', batches: options.quick ? 5 : 100, items: options.each, concurrency: 5 },
];

const figures = [];
await withStacks({ quick: options.quick, roles: ['api', 'worker'], env: { WORKER_LANES } }, async (onStack) => {
  for (const each of CASES) {
    figures.push({ ...each, ...(await onStack((stack) => withDatabase(stack.postgres, (database) => measure(each, stack, database)))) });
  }
});
report();

async function measure({ batches, items, concurrency }, stack, database) {
  const before = await countOutcomes(database);
  await startAll(stack.url, [await createWaiting(stack.url, { items: WARM_UP, itemMs: ITEM_MS, concurrency: 50 })]);
  await allEnded(database);
  const ids = await sideBySide(batches, 4, () => createWaiting(stack.url, { items, itemMs: ITEM_MS, concurrency }));
  const runIds = await valueOf(database, 'SELECT array_agg(run_id::text) FROM batch WHERE id = ANY ($1)', [ids]);
  const reader = new ResultReader(database, runIds);
  const { cpu } = await cpuOf(stack, () => Promise.all([startAll(stack.url, ids), reader.readAll(batches * items, POLL_MS)]));
  await allEnded(database);
  await assertAllSucceeded(database, before + WARM_UP + batches * items);
  return { cpu, results: reader.results.length, ...figuresOf(reader.results, batches * concurrency) };
}

/** @param slots items that may be at work at a time */
function figuresOf(results, slots) {
  const startedAt = results.reduce((first, result) => Math.min(first, result.startedAt), Infinity);
  const endedAt = results.reduce((last, result) => Math.max(last, result.startedAt + result.durationMs), 0);
  const workMs = results.reduce((sum, { durationMs }) => sum + durationMs, 0);
  const delays = results.map((result) => result.seenAt - result.startedAt - result.durationMs);
  const [p50, p99, max] = [0.5, 0.99, 1].map((share) => percentile(delays, share));
  return {
    spanMs: endedAt - startedAt,
    meanItemMs: workMs / results.length,
    busy: workMs / (slots * (endedAt - startedAt)),
    p50,
    p99,
    max,
  };
}

function report() {
  const rows = figures.map(({ name, batches, items, concurrency, cpu, ...figure }) => [
    `${name}: ${batches} × ${items.toLocaleString('en')}, ${concurrency} side by side`,
    short(figure.spanMs / 1_000),
    short(figure.meanItemMs),
    percent(figure.busy),
    ...[figure.p50, figure.p99, figure.max].map(short),
    figure.max <= TARGET_MS ? 'yes' : 'no',
    short((cpu.service * 1e6) / (batches * items)),
  ]);
  present(
    {
      title: `Items that wait ${ITEM_MS} ms; an api and a worker`,
      columns: [
        'Batches',
        '>s',
        '>ms an item',
        '>Places busy',
        '>Delay p50',
        '>p99',
        '>max',
        `All within ${TARGET_MS} ms`,
        '>CPU µs an item, service',
      ],
      rows,
      notes: [
        'Places busy: the sum of what the items took, of the places times the time from the first item’s start to the last one’s end. ' +
          `Delay: milliseconds from an item’s end until a reader who looks every ${POLL_MS} ms had its result.`,
      ],
      result: { itemMs: ITEM_MS, pollMs: POLL_MS, figures },
    },
    options,
  );
}
