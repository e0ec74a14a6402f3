// One tenant fills the service with its items, and nine others bring a small batch now and then: how much later does such a batch start
// and end than on a service that has nothing else to do? All items wait, as those do that ask another service.
//   npm run bench:tenants -- [--items 200000] [--rounds 3] [--out result.json]
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { withStack } from './support/stack.mjs';

const { values: given } = parseArgs({
  options: {
    items: { type: 'string', default: '200000' },
    rounds: { type: 'string', default: '3' },
    out: { type: 'string' },
  },
});
const NOISY = { tenant: 'noisy', batches: 20, itemMs: 200, options: { concurrency: 100 } };
const QUIET = Array.from({ length: 9 }, (_, n) => `quiet-${n + 1}`);
/** Batches of each quiet tenant, one at a time, before the noise and during it. */
const QUIET_BATCHES = 5;
const QUIET_ITEMS = 10;
const QUIET_ITEM_MS = 20;
const ITEMS = wholeNumber('items', NOISY.batches);
const ROUNDS = wholeNumber('rounds', 1);

const keyOf = (tenant) => `key-of-the-tenant-${tenant}`;
const API_KEYS = [NOISY.tenant, ...QUIET].map((tenant) => `${tenant}:${keyOf(tenant)}`).join(',');

const samples = { alone: [], beside: [] };
await withStack({ roles: ['api', 'worker'], env: { API_KEYS, CREATE_LIMIT_PER_MINUTE: '1000000' } }, async ({ url }) => {
  await quietBatches(url);
  for (let round = 1; round <= ROUNDS; round += 1) {
    samples.alone.push(...(await quietBatches(url)));
    const noisy = await makeNoise(url);
    samples.beside.push(...(await quietBatches(url)));
    await assertStillLoud(url, noisy);
    for (const { id } of noisy) await ask(url, NOISY.tenant, 'POST', `/api/batches/${id}/cancel`, {});
    for (const { id } of noisy) await ended(url, NOISY.tenant, id);
    console.log(`round ${round} of ${ROUNDS}: done`);
  }
});
report();

function wholeNumber(name, least) {
  const number = Number(given[name]);
  if (Number.isInteger(number) && number >= least) return number;
  console.error(`--${name} must be a whole number of at least ${least}, and is ${given[name]}`);
  return process.exit(1);
}

/** Small batches of the quiet tenants, one after the other. @returns when each started and ended, in milliseconds since it was sent */
async function quietBatches(url) {
  const times = [];
  for (let n = 0; n < QUIET_BATCHES * QUIET.length; n += 1) {
    const tenant = QUIET[n % QUIET.length];
    const sentAt = Date.now();
    const { id } = await ask(url, tenant, 'POST', '/api/batches', {
      operation: 'waiting',
      items: Array.from({ length: QUIET_ITEMS }, () => ({ payload: { durationMs: QUIET_ITEM_MS } })),
    });
    const { endedAt } = await ended(url, tenant, id);
    const outcomes = await ask(url, tenant, 'GET', `/api/batches/${id}/results`);
    const startedAt = Math.min(...outcomes.map(({ output }) => output));
    times.push({ start: startedAt - sentAt, end: Date.parse(endedAt) - sentAt });
  }
  return times;
}

/** Resolves when all of the noisy tenant's batches have begun. */
async function makeNoise(url) {
  const lines = `${JSON.stringify({ payload: { durationMs: NOISY.itemMs } })}\n`.repeat(Math.floor(ITEMS / NOISY.batches));
  const made = [];
  for (let n = 0; n < NOISY.batches; n += 1) {
    const batch = await ask(url, NOISY.tenant, 'POST', '/api/batches', { operation: 'waiting', options: NOISY.options, open: true });
    await ask(url, NOISY.tenant, 'POST', `/api/batches/${batch.id}/items?seal=true`, lines);
    made.push(batch);
  }
  for (const { id } of made) await ask(url, NOISY.tenant, 'POST', `/api/batches/${id}/start`, {});
  for (const { id } of made) await until(url, NOISY.tenant, id, ({ counts }) => counts.succeeded > 0);
  return made;
}

async function assertStillLoud(url, noisy) {
  const batches = await Promise.all(noisy.map(({ id }) => ask(url, NOISY.tenant, 'GET', `/api/batches/${id}`)));
  const left = batches.filter(({ endedAt }) => endedAt === null).length;
  if (left < noisy.length / 2) throw new Error(`only ${left} of ${noisy.length} noisy batches were still running: give more --items`);
}

function ended(url, tenant, id) {
  return until(url, tenant, id, ({ endedAt }) => endedAt !== null);
}

async function until(url, tenant, id, isSo) {
  for (;;) {
    const batch = await ask(url, tenant, 'GET', `/api/batches/${id}`);
    if (isSo(batch)) return batch;
    await delay(20);
  }
}

async function ask(url, tenant, method, path, body) {
  const isText = typeof body === 'string';
  const headers = { 'x-api-key': keyOf(tenant), ...(body && { 'content-type': isText ? 'application/x-ndjson' : 'application/json' }) };
  const response = await fetch(`${url}${path}`, { method, headers, body: isText ? body : body && JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${JSON.stringify(answer)}`);
  return answer.data;
}

function at(sorted, share) {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

function report() {
  const spread = [0.5, 0.95, 1];
  const rows = ['start', 'end'].map((what) => {
    const [alone, beside] = [samples.alone, samples.beside].map((times) => times.map((time) => time[what]).sort((a, b) => a - b));
    const ratio = (share) => Number((at(beside, share) / at(alone, share)).toFixed(2));
    const of = (sorted) => spread.map((share) => at(sorted, share));
    return { what, alone: of(alone), beside: of(beside), ratioOfMedians: ratio(0.5), ratioOfP95: ratio(0.95) };
  });
  const batches = `${samples.alone.length} quiet batches, twice, of ${QUIET_ITEMS} items of ${QUIET_ITEM_MS} ms`;
  console.log(`\n${ITEMS} noisy items of ${NOISY.itemMs} ms, ${batches}; milliseconds, median / p95 / max\n`);
  console.log('| Quiet batch’s | Alone | Beside the noise | Ratio of medians | Of p95 |\n| --- | --: | --: | --: | --: |');
  for (const { what, alone, beside, ratioOfMedians, ratioOfP95 } of rows) {
    console.log(`| ${what} | ${alone.join(' / ')} | ${beside.join(' / ')} | ${ratioOfMedians} | ${ratioOfP95} |`);
  }
  console.log(`\nNode ${process.version}, ${availableParallelism()} cores shared by api, worker, PostgreSQL, Redis and this client.`);
  if (given.out) writeFileSync(given.out, JSON.stringify({ items: ITEMS, rounds: ROUNDS, rows, samples }) + '\n');
}
