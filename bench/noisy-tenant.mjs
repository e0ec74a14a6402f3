// One tenant fills the service with its items, and nine others bring a small batch now and then: how much later does such a batch start
// and end than on a service that has nothing else to do? All items wait, as those do that ask another service.
//   npm run bench:tenants -- [--items 200000] [--rounds 3] [--out result.json] [--quick]
import { setTimeout as delay } from 'node:timers/promises';
import { ask } from './support/client.mjs';
import { assertCount, present, readOptions, short } from './support/command.mjs';
import { percentile } from './support/measure.mjs';
import { withStack } from './support/stack.mjs';

const options = readOptions({ items: { full: 200_000, quick: 2_000 }, rounds: { full: 3, quick: 1 } });
const NOISY = { tenant: 'noisy', batches: options.quick ? 2 : 20, itemMs: 200, options: { concurrency: options.quick ? 10 : 100 } };
const QUIET = Array.from({ length: 9 }, (_, n) => `quiet-${n + 1}`);
/** Batches of each quiet tenant, one at a time, before the noise and during it. */
const QUIET_BATCHES = options.quick ? 1 : 5;
const QUIET_ITEMS = 10;
const QUIET_ITEM_MS = 20;

const keyOf = (tenant) => `key-of-the-tenant-${tenant}`;
const API_KEYS = [NOISY.tenant, ...QUIET].map((tenant) => `${tenant}:${keyOf(tenant)}`).join(',');

const samples = { alone: [], beside: [] };
await withStack({ roles: ['api', 'worker'], env: { API_KEYS, CREATE_LIMIT_PER_MINUTE: '1000000' } }, async ({ url }) => {
  await quietBatches(url);
  for (let round = 1; round <= options.rounds; round += 1) {
    samples.alone.push(...(await quietBatches(url)));
    const noisy = await makeNoise(url);
    samples.beside.push(...(await quietBatches(url)));
    await assertStillLoud(url, noisy);
    for (const { id } of noisy) await askAs(NOISY.tenant, url, 'POST', `/api/batches/${id}/cancel`, {});
    for (const { id } of noisy) await ended(url, NOISY.tenant, id);
    console.log(`round ${round} of ${options.rounds}: done`);
  }
});
report();

/** Small batches of the quiet tenants, one after the other. @returns when each started and ended, in milliseconds since it was sent */
async function quietBatches(url) {
  const times = [];
  for (let n = 0; n < QUIET_BATCHES * QUIET.length; n += 1) {
    const tenant = QUIET[n % QUIET.length];
    const sentAt = Date.now();
    const { id } = await askAs(tenant, url, 'POST', '/api/batches', {
      operation: 'waiting',
      items: Array.from({ length: QUIET_ITEMS }, () => ({ payload: { durationMs: QUIET_ITEM_MS } })),
    });
    const { endedAt } = await ended(url, tenant, id);
    const outcomes = await askAs(tenant, url, 'GET', `/api/batches/${id}/results`);
    assertCount('outcomes of a quiet batch', outcomes.length, QUIET_ITEMS);
    const startedAt = Math.min(...outcomes.map(({ output }) => output));
    times.push({ start: startedAt - sentAt, end: Date.parse(endedAt) - sentAt });
  }
  return times;
}

/** Resolves when all of the noisy tenant's batches have begun. */
async function makeNoise(url) {
  const lines = `${JSON.stringify({ payload: { durationMs: NOISY.itemMs } })}\n`.repeat(Math.ceil(options.items / NOISY.batches));
  const made = [];
  for (let n = 0; n < NOISY.batches; n += 1) {
    const batch = await askAs(NOISY.tenant, url, 'POST', '/api/batches', { operation: 'waiting', options: NOISY.options, open: true });
    await askAs(NOISY.tenant, url, 'POST', `/api/batches/${batch.id}/items?seal=true`, lines);
    made.push(batch);
  }
  for (const { id } of made) await askAs(NOISY.tenant, url, 'POST', `/api/batches/${id}/start`, {});
  for (const { id } of made) await until(url, NOISY.tenant, id, ({ counts }) => counts.succeeded > 0);
  return made;
}

async function assertStillLoud(url, noisy) {
  const batches = await Promise.all(noisy.map(({ id }) => askAs(NOISY.tenant, url, 'GET', `/api/batches/${id}`)));
  const left = batches.filter(({ endedAt }) => endedAt === null).length;
  if (left < noisy.length / 2) throw new Error(`only ${left} of ${noisy.length} noisy batches were still running: give more --items`);
}

function ended(url, tenant, id) {
  return until(url, tenant, id, ({ endedAt }) => endedAt !== null);
}

async function until(url, tenant, id, isSo) {
  for (;;) {
    const batch = await askAs(tenant, url, 'GET', `/api/batches/${id}`);
    if (isSo(batch)) return batch;
    await delay(20);
  }
}

function askAs(tenant, url, method, path, body) {
  return ask(url, method, path, body, { 'x-api-key': keyOf(tenant) });
}

function report() {
  const shares = [0.5, 0.95, 1];
  const rows = ['start', 'end'].map((what) => {
    const [alone, beside] = [samples.alone, samples.beside].map((times) => {
      const milliseconds = times.map((time) => time[what]);
      return shares.map((share) => percentile(milliseconds, share));
    });
    return { what, alone, beside, ratioOfMedians: beside[0] / alone[0], ratioOfP95: beside[1] / alone[1] };
  });
  const batches = `${samples.alone.length} quiet batches, twice, of ${QUIET_ITEMS} items of ${QUIET_ITEM_MS} ms`;
  const spread = (figures) => figures.map(short).join(' / ');
  present(
    {
      title: `${options.items.toLocaleString('en')} noisy items of ${NOISY.itemMs} ms, ${batches}; milliseconds, median / p95 / max; an api and a worker`,
      columns: ['Quiet batch’s', '>Alone', '>Beside the noise', '>Ratio of medians', '>Of p95'],
      rows: rows.map(({ what, alone, beside, ratioOfMedians, ratioOfP95 }) => [
        what,
        spread(alone),
        spread(beside),
        ratioOfMedians.toFixed(2),
        ratioOfP95.toFixed(2),
      ]),
      result: { items: options.items, rounds: options.rounds, rows, samples },
    },
    options,
  );
}
