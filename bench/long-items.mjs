// Tenants with items that take ten minutes fill the service, and others bring a hundred small batches at once: how many of these end, and when?
// Nobody is interrupted, so that all depends on what the long ones have left free.
//   npm run bench:long-items -- [--items 10000] [--seconds 600] [--batches 100] [--patience 120] [--out result.json] [--quick]
import { setTimeout as delay } from 'node:timers/promises';
import { ask } from './support/client.mjs';
import { present, readOptions, short } from './support/command.mjs';
import { percentile } from './support/measure.mjs';
import { withStack } from './support/stack.mjs';

const options = readOptions({
  items: { full: 10_000, quick: 400 },
  seconds: { full: 600, quick: 4 },
  batches: { full: 100, quick: 10 },
  patience: { full: 120, quick: 60 },
});
/** Each batch of a tenant with long items, and each small one. */
const LONG = { items: 200, options: { concurrency: 50, batchSize: 50, timeout: 3_600_000 } };
const SMALL = { items: 10, itemMs: 20 };

/** Who has the long items, and who brings the small batches. */
const CASES = [
  { name: 'one long, ten others', long: ['long-1'], small: Array.from({ length: 10 }, (_, n) => `small-${n + 1}`) },
  { name: 'one long, one other', long: ['long-1'], small: ['small-1'] },
  { name: 'one tenant alone', long: ['long-1'], small: ['long-1'] },
  { name: 'three long, ten others', long: ['long-1', 'long-2', 'long-3'], small: Array.from({ length: 10 }, (_, n) => `small-${n + 1}`) },
];
const keyOf = (tenant) => `key-of-the-tenant-${tenant}`;
const API_KEYS = [...new Set(CASES.flatMap(({ long, small }) => [...long, ...small]))]
  .map((tenant) => `${tenant}:${keyOf(tenant)}`)
  .join(',');

const rows = [];
for (const each of options.quick ? CASES.slice(0, 1) : CASES) {
  const env = { API_KEYS, CREATE_LIMIT_PER_MINUTE: '1000000', SHUTDOWN_GRACE_MS: '1000' };
  rows.push(await withStack({ roles: ['api', 'worker'], env }, ({ url }) => measure(each, url)));
  console.log(`${each.name}: done`);
}
report();

/** @returns when each small batch ended, in milliseconds since it was sent */
async function measure({ name, long, small }, url) {
  for (const tenant of long) await fill(url, tenant);
  const deadline = Date.now() + 1_000 * options.patience;
  const sent = await Promise.all(
    Array.from({ length: options.batches }, async (_, n) => {
      const tenant = small[n % small.length];
      const sentAt = Date.now();
      const items = Array.from({ length: SMALL.items }, () => ({ payload: { durationMs: SMALL.itemMs } }));
      const { id } = await askAs(tenant, url, 'POST', '/api/batches', { operation: 'waiting', items });
      return { tenant, id, sentAt };
    }),
  );
  const ends = await Promise.all(sent.map((batch) => endOf(url, batch, deadline)));
  const times = ends.filter((time) => time !== undefined);
  return { name, batches: ends.length, ended: times.length, times };
}

/** Resolves when a tenant's long items run in as many lanes as it gets. */
async function fill(url, tenant) {
  const lines = `${JSON.stringify({ payload: { durationMs: 1_000 * options.seconds } })}\n`.repeat(LONG.items);
  const ids = [];
  for (let left = options.items; left > 0; left -= LONG.items) {
    const { id } = await askAs(tenant, url, 'POST', '/api/batches', { operation: 'waiting', options: LONG.options, open: true });
    await askAs(tenant, url, 'POST', `/api/batches/${id}/items?seal=true`, lines);
    ids.push(id);
  }
  for (const id of ids) await askAs(tenant, url, 'POST', `/api/batches/${id}/start`, {});
  let running = -1;
  for (let before = -2; running <= 0 || running !== before; await delay(1_500)) {
    before = running;
    const batches = await Promise.all(ids.map((id) => askAs(tenant, url, 'GET', `/api/batches/${id}`)));
    running = batches.reduce((sum, { counts }) => sum + counts.running, 0);
  }
}

async function endOf(url, { tenant, id, sentAt }, deadline) {
  while (Date.now() < deadline) {
    const { endedAt } = await askAs(tenant, url, 'GET', `/api/batches/${id}`);
    if (endedAt !== null) return Date.parse(endedAt) - sentAt;
    await delay(200);
  }
  return undefined;
}

function askAs(tenant, url, method, path, body) {
  return ask(url, method, path, body, { 'x-api-key': keyOf(tenant) });
}

function report() {
  const spread = (times) => (times.length === 0 ? '' : [0.5, 0.95, 1].map((share) => short(percentile(times, share))).join(' / '));
  present(
    {
      title: `${options.items.toLocaleString('en')} items of ${options.seconds} s of each tenant with long items; ${options.batches} batches of ${SMALL.items} items of ${SMALL.itemMs} ms, sent at once; an api and a worker`,
      columns: ['Tenants', `>Ended within ${options.patience} s`, '>Median / p95 / max, ms'],
      rows: rows.map(({ name, batches, ended, times }) => [name, `${ended} of ${batches}`, spread(times)]),
      result: { items: options.items, seconds: options.seconds, rows },
    },
    options,
  );
}
