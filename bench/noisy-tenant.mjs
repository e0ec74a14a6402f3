// One tenant fills the service with its items, and nine others bring a small batch now and then: how much later does such a batch start
// and end than on a service that has nothing else to do?
//   npm run bench:tenants -- [--items 200000] [--rounds 3] [--out result.json]
import { writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { withStack } from './stack.mjs';

const { values: given } = parseArgs({
  options: {
    items: { type: 'string', default: '200000' },
    rounds: { type: 'string', default: '3' },
    out: { type: 'string' },
  },
});
const ITEMS = Number(given.items);
const ROUNDS = Number(given.rounds);

const NOISY = { tenant: 'noisy', batches: 20, options: { concurrency: 100 } };
const QUIET = Array.from({ length: 9 }, (_, n) => `quiet-${n + 1}`);
const QUIET_ITEMS = 10;
const QUIET_ITEM_MS = 20;
/** The noisy tenant's items, by what they do, with their duration in milliseconds: as long as the quiet batches need to pass by. */
const NOISES = { 'wait 200 ms': 200 };

const keyOf = (tenant) => `key-of-the-tenant-${tenant}`;
const API_KEYS = [NOISY.tenant, ...QUIET].map((tenant) => `${tenant}:${keyOf(tenant)}`).join(',');

const samples = Object.fromEntries(Object.keys(NOISES).map((noise) => [noise, { alone: [], beside: [] }]));
await withStack({ roles: ['api', 'worker'], env: { API_KEYS, CREATE_LIMIT_PER_MINUTE: '1000000' } }, async ({ url }) => {
  await quietBatches(url);
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (const [noise, durationMs] of Object.entries(NOISES)) {
      samples[noise].alone.push(...(await quietBatches(url)));
      const noisy = await makeNoise(url, durationMs);
      samples[noise].beside.push(...(await quietBatches(url)));
      await assertStillLoud(url, noisy);
      for (const { id } of noisy) await ask(url, NOISY.tenant, 'POST', `/api/batches/${id}/cancel`, {});
      for (const { id } of noisy) await ended(url, NOISY.tenant, id);
      console.log(`round ${round} of ${ROUNDS}, items that ${noise}: done`);
    }
  }
});
report();

/** One small batch of each quiet tenant, one after the other. @returns when each started and ended, in milliseconds since it was sent */
async function quietBatches(url) {
  const times = [];
  for (const tenant of QUIET) {
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
async function makeNoise(url, durationMs) {
  const lines = `${JSON.stringify({ payload: { durationMs } })}\n`.repeat(ITEMS / NOISY.batches);
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
  const rows = Object.entries(samples).flatMap(([noise, { alone, beside }]) =>
    ['start', 'end'].map((what) => {
      const [quiet, loud] = [alone, beside].map((times) => times.map((time) => time[what]).sort((a, b) => a - b));
      const ratio = (share) => Number((at(loud, share) / at(quiet, share)).toFixed(2));
      return {
        noise,
        what,
        alone: spread.map((share) => at(quiet, share)),
        beside: spread.map((share) => at(loud, share)),
        ratioOfMedians: ratio(0.5),
        ratioOfP95: ratio(0.95),
      };
    }),
  );
  console.log(
    `\n${ITEMS} noisy items, ${QUIET.length * ROUNDS} quiet batches of ${QUIET_ITEMS} items of ${QUIET_ITEM_MS} ms; milliseconds, median / p95 / max\n`,
  );
  console.log(
    '| Noisy items | Quiet batch’s | Alone | Beside the noise | Ratio of medians | Of p95 |\n| --- | --- | --: | --: | --: | --: |',
  );
  for (const { noise, what, alone, beside, ratioOfMedians, ratioOfP95 } of rows) {
    console.log(`| ${noise} | ${what} | ${alone.join(' / ')} | ${beside.join(' / ')} | ${ratioOfMedians} | ${ratioOfP95} |`);
  }
  console.log(`\nNode ${process.version}, ${availableParallelism()} cores shared by api, worker, PostgreSQL, Redis and this client.`);
  if (given.out) writeFileSync(given.out, JSON.stringify({ items: ITEMS, rounds: ROUNDS, rows, samples }, null, 1));
}
