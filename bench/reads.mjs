// What asking costs when there is much to be asked for: a hundred thousand finished batches, one of a million items, and one that runs.
//   npm run bench:reads -- [--batches 100000] [--items 1000000] [--ms 5000] [--out result.json] [--quick]
import { API_KEY, ended } from './support/client.mjs';
import { present, readOptions, short } from './support/command.mjs';
import { facts, fill } from './support/much-to-read.mjs';
import { cancelAll, createWaiting, startAll, withDatabase } from './support/load.mjs';
import { percentile } from './support/measure.mjs';
import { readRoutes } from './support/read-routes.mjs';
import { withStack } from './support/stack.mjs';

const options = readOptions({
  batches: { full: 100_000, quick: 300 },
  items: { full: 1_000_000, quick: 2_000 },
  ms: { full: 5_000, quick: 1 },
});
const CONNECTIONS = options.quick ? 2 : 8;
/** Of requests that come alone. */
const ALONE_MS = options.ms / 5;
const SLOW_MS = 100;
const BESIDE = { items: options.quick ? 10_000 : 600_000, itemMs: 200, concurrency: 100 };
/** Nothing is too old to be kept. */
const env = { BATCH_RETENTION_DAYS: '36500', DOCUMENT_RETENTION_HOURS: '876000' };

const figures = await withStack({ roles: options.quick ? ['all'] : ['api', 'worker'], env }, ({ url, postgres }) =>
  withDatabase(postgres, async (database) => {
    const startedAt = performance.now();
    const large = await fill(url, database, options);
    console.log(`filled in ${short((performance.now() - startedAt) / 1_000)} s`);
    const running = await createWaiting(url, BESIDE);
    await startAll(url, [running]);
    const routes = readRoutes({ large, running, ...(await facts(database, large)) });
    const measured = [];
    for (const route of routes) measured.push(await measure(url, route));
    await cancelAll(url, [running]);
    await ended(url, running);
    return measured;
  }),
);
report();

async function measure(url, { name, path }) {
  const alone = await askFor(ALONE_MS, 1, url, path);
  const together = await askFor(options.ms, CONNECTIONS, url, path);
  const [p50, p99] = [0.5, 0.99].map((share) => percentile(together.times, share));
  const figure = {
    name,
    path: path(),
    aloneMs: percentile(alone.times, 0.5),
    perSecond: together.perSecond,
    p50,
    p99,
    bytes: together.bytes,
  };
  console.log(`${name}: ${short(figure.aloneMs)} ms alone, ${short(figure.p99)} ms p99`);
  return figure;
}

/** Asks again and again over so many connections, at least once over each. @returns milliseconds of each request */
async function askFor(ms, connections, url, path) {
  const times = [];
  let bytes = 0;
  const startedAt = performance.now();
  const connection = async () => {
    do {
      const sentAt = performance.now();
      bytes = await read(url, path());
      times.push(performance.now() - sentAt);
    } while (performance.now() < startedAt + ms);
  };
  await Promise.all(Array.from({ length: connections }, connection));
  return { times, bytes, perSecond: (times.length * 1_000) / (performance.now() - startedAt) };
}

async function read(url, path) {
  const response = await fetch(`${url}${path}`, { headers: { 'x-api-key': API_KEY } });
  const body = await response.arrayBuffer();
  if (!response.ok) throw new Error(`${path}: ${response.status} ${Buffer.from(body).toString()}`);
  return body.byteLength;
}

function report() {
  const rows = figures.map(({ name, aloneMs, perSecond, p50, p99, bytes }) => [
    name,
    short(aloneMs),
    short(perSecond),
    short(p50),
    short(p99),
    p99 > SLOW_MS ? 'slow' : '',
    short(bytes / 1_000),
  ]);
  const { batches, items: inLarge } = options;
  present(
    {
      title: `Requests beside a batch of items that wait, ${batches.toLocaleString('en')} finished batches and one of ${inLarge.toLocaleString('en')} items`,
      columns: ['Asked for', '>ms alone', `>Requests/s`, '>p50', '>p99', `Over ${SLOW_MS} ms`, '>kB'],
      rows,
      notes: [`ms alone: one request after the other, the median. The others: over ${CONNECTIONS} connections at once.`],
      result: { ...options, beside: BESIDE, figures },
    },
    options,
  );
}
