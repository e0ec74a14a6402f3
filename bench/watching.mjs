// A thousand sockets watch while a hundred batches run: how many messages a second arrive, how late, and whether everybody hears of every end.
//   npm run bench:watching -- [--sockets 1000] [--batches 100] [--items 1000] [--out result.json] [--quick]
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { assertCount, percent, present, readOptions, short } from './support/command.mjs';
import { forkChild } from './support/ends.mjs';
import { allEnded, assertAllSucceeded, createWaiting, sideBySide, startAll, withDatabase } from './support/load.mjs';
import { cpuSeconds } from './support/measure.mjs';
import { withStack } from './support/stack.mjs';

const options = readOptions({
  sockets: { full: 1_000, quick: 10 },
  batches: { full: 100, quick: 4 },
  items: { full: 1_000, quick: 50 },
});
const PROCESSES = 2;
const ITEM_MS = 20;
const CONCURRENCY = 10;
/** What is on its way may take so long after the last batch's end. */
const PATIENCE_MS = 60_000;

const measured = await withStack({ roles: ['api', 'worker'], env: {} }, (stack) =>
  withDatabase(stack.postgres, async (database) => {
    const { url } = stack;
    const batch = { items: options.items, itemMs: ITEM_MS, concurrency: CONCURRENCY };
    const ids = await sideBySide(options.batches, 4, () => createWaiting(url, batch));
    const watchers = await Promise.all(Array.from({ length: PROCESSES }, () => watch(url, Math.ceil(options.sockets / PROCESSES))));
    try {
      const run = await measure(stack, ids, watchers, database);
      await assertAllSucceeded(database, options.batches * options.items);
      return run;
    } finally {
      for (const watcher of watchers) watcher.disconnect();
    }
  }),
);
report();
assertCount('sockets that heard of every end', measured.complete, measured.sockets);

async function watch(url, count) {
  const watcher = forkChild(join(import.meta.dirname, 'support/watchers.mjs'), [url, String(count)]);
  await once(watcher, 'message');
  return watcher;
}

async function measure(stack, ids, watchers, database) {
  const [api, worker] = stack.services;
  const cpu = () => [api, worker, stack.postgres].map(({ pid }) => cpuSeconds(pid));
  const [before, startedAt] = [cpu(), performance.now()];
  const secondsSoFar = () => (performance.now() - startedAt) / 1_000;
  await startAll(stack.url, ids);
  await allEnded(database);
  const seconds = secondsSoFar();
  const heard = await allHeard(watchers);
  const heardSeconds = secondsSoFar();
  return { seconds, heardSeconds, cpu: cpu().map((used, index) => used - before[index]), ...sumOf(heard) };
}

/** @returns what every process of watchers heard, when each of their sockets knows of every end, or after a while */
async function allHeard(watchers) {
  const until = Date.now() + PATIENCE_MS;
  for (;;) {
    const heard = await Promise.all(watchers.map((watcher) => ask(watcher)));
    if (Date.now() > until || heard.every(({ ends }) => ends.every((known) => known === options.batches))) return heard;
    await delay(250);
  }
}

async function ask(watcher) {
  const answer = once(watcher, 'message');
  watcher.send('report');
  return (await answer)[0];
}

function sumOf(heard) {
  const messages = heard.reduce((sum, each) => sum + each.messages, 0);
  const firstAt = Math.min(...heard.map((each) => each.firstAt));
  const lastAt = Math.max(...heard.map((each) => each.lastAt));
  const ends = heard.flatMap((each) => each.ends);
  const delays = (which) => quantiles(heard.flatMap((each) => each.delays[which]));
  return {
    sockets: ends.length,
    complete: ends.filter((known) => known === options.batches).length,
    messages,
    messagesPerSecond: (messages * 1_000) / (lastAt - firstAt),
    delays: { all: delays('all'), completed: delays('completed') },
  };
}

/** @param counted pairs of a delay and how often it was seen */
function quantiles(counted) {
  const sorted = counted.sort(([a], [b]) => a - b);
  const total = sorted.reduce((sum, [, times]) => sum + times, 0);
  const at = (share) => {
    let seen = 0;
    return sorted.find(([, times]) => (seen += times) >= share * total)?.[0] ?? NaN;
  };
  return { count: total, p50: at(0.5), p99: at(0.99), max: at(1) };
}

function report() {
  const { seconds, heardSeconds, cpu, sockets, complete, messages, messagesPerSecond, delays } = measured;
  const milliseconds = ({ p50, p99, max }) => [p50, p99, max].map(short).join(' / ');
  const share = (used) => percent(used / heardSeconds);
  present(
    {
      title: `${sockets} sockets in ${PROCESSES} processes watch ${options.batches} batches of ${options.items} items that wait ${ITEM_MS} ms; an api and a worker`,
      columns: ['What', '>Figure'],
      rows: [
        ['seconds until the last batch had ended', short(seconds)],
        ['seconds until every socket had heard of it', short(heardSeconds)],
        ['messages that arrived', messages.toLocaleString('en')],
        ['messages a second', short(messagesPerSecond)],
        ['ms from the event to its arrival, p50 / p99 / max', milliseconds(delays.all)],
        ['the same of the ends of batches', milliseconds(delays.completed)],
        ['sockets that heard of every end', `${complete} of ${sockets}`],
        ['of one core: api, worker, PostgreSQL', cpu.map(share).join(', ')],
        ['CPU µs of the api, a message', short((cpu[0] * 1e6) / messages)],
      ],
      result: { ...options, ...measured, cpuOf: ['api', 'worker', 'postgres'] },
    },
    options,
  );
}
