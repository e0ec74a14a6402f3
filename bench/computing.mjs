// Items that compute, in threads: how much longer a batch of them takes than a bare pool of as many threads does with the same list, and how
// busy the cores are. Both take turns.
//   npm run bench:computing -- [--items 1000] [--rounds 3] [--item-ms 20] [--out result.json] [--quick]
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Piscina } from 'piscina';
import { watchEnds } from './support/client.mjs';
import { assertCount, percent, present, readOptions, short } from './support/command.mjs';
import hashes from './support/hashing.mjs';
import { assertAllSucceeded, countOutcomes, create, valueOf, withDatabase } from './support/load.mjs';
import { cpuOf, median } from './support/measure.mjs';
import { withStack } from './support/stack.mjs';

const options = readOptions({
  items: { full: 1_000, quick: 20 },
  rounds: { full: 3, quick: 1 },
  'item-ms': { full: 20, quick: 1 },
});
const CORES = availableParallelism();
const WARM_UP = CORES * 10;
const { items } = options;
const HASHES = hashesWithin(options['item-ms']);

const { runs, recorded } = await withStack({ roles: ['all'], env: { WORKER_THREADS: String(CORES) } }, (stack) =>
  withDatabase(stack.postgres, async (database) => {
    await batchOf(WARM_UP, stack);
    const rounds = [];
    for (let round = 1; round <= options.rounds; round += 1) {
      rounds.push({ pool: await measurePool(), service: await measureService(stack) });
      console.log(`round ${round} of ${options.rounds}: done`);
    }
    return { runs: rounds, recorded: await check(database) };
  }),
);
report();

/** @returns how many hashes take so many milliseconds */
function hashesWithin(milliseconds) {
  const perSample = 20_000;
  const samples = Array.from({ length: 9 }, () => {
    const startedAt = performance.now();
    hashes(perSample);
    return performance.now() - startedAt;
  });
  return Math.round((perSample * milliseconds) / median(samples));
}

/** Who asks the database again and again whether it is over takes time of the cores that are measured. */
async function batchOf(count, { url }) {
  const ends = await watchEnds(url);
  const list = Array.from({ length: count }, () => ({ payload: { rounds: HASHES } }));
  await ends.ended(await create(url, { operation: 'hashing', items: list }));
  ends.close();
}

async function measureService(stack) {
  const { seconds, cpu } = await cpuOf(stack, () => batchOf(items, stack));
  return { seconds, busy: cpu.service / (CORES * seconds) };
}

/** The threads are there before the time is taken, as those of the service are not. */
async function measurePool() {
  const pool = new Piscina({ filename: join(import.meta.dirname, 'support/hashing.mjs'), minThreads: CORES, maxThreads: CORES });
  await Promise.all(Array.from({ length: CORES }, () => pool.run(1)));
  const nobody = { services: [], postgres: {}, redis: {} };
  const { seconds, cpu } = await cpuOf(nobody, () => Promise.all(Array.from({ length: items }, () => pool.run(HASHES))));
  await pool.destroy();
  return { seconds, busy: cpu.client / (CORES * seconds) };
}

/** @returns the number of outcomes of what was measured */
async function check(database) {
  await assertAllSucceeded(database, WARM_UP + options.rounds * items);
  const digests = await valueOf(database, `SELECT array_agg(DISTINCT output #>> '{}') FROM outcome`);
  assertCount('digests', digests.join(), hashes(HASHES));
  return (await countOutcomes(database)) - WARM_UP;
}

function report() {
  const ratio = median(runs.map(({ pool, service }) => service.seconds / pool.seconds));
  const rows = ['pool', 'service'].map((name) => [
    name === 'pool' ? 'bare pool' : 'the service',
    short(median(runs.map((run) => run[name].seconds))),
    percent(median(runs.map((run) => run[name].busy))),
    name === 'pool' ? '1' : ratio.toFixed(3),
  ]);
  present(
    {
      title: `${items} items of about ${options['item-ms']} ms that compute, in ${CORES} threads; medians of ${options.rounds} rounds`,
      columns: ['Who', '>s', '>Cores busy with it', '>Times the pool’s time'],
      rows,
      result: { items, hashes: HASHES, recorded, ratio, runs },
    },
    options,
  );
}
