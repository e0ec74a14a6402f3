// Items per second from the call of submit to the last durable result, of Batchwise and of its peers, each with settings that make it fast.
// Every run has a PostgreSQL and a Redis of its own, and a fresh client process; the order of a round's runs is random.
//   npm run bench -- [--items 100000] [--rounds 5] [--only batchwise,bull] [--out result.json] [--quick]
// --quick shows in a minute that every system runs; its figures mean nothing.
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { namesOf, wholeNumber } from './support/arguments.mjs';
import { forkChild } from './support/ends.mjs';
import { surroundings } from './support/surroundings.mjs';
import { reportOf } from './support/report.mjs';
import { withStackOfEach } from './support/stack.mjs';

const SYSTEMS = [
  'batchwise',
  'batchwise-workers',
  'batchwise-small-chunks',
  'bull',
  'bullmq',
  'bullmq-flow',
  'bee-queue',
  'pg-boss',
  'graphile-worker',
  'usual-nestjs',
  'prototype',
  'copy',
  'insert-select',
];
const QUICK = { items: '500', rounds: '1' };
const FULL = { items: '100000', rounds: '5' };
const RUN_SYSTEM = join(import.meta.dirname, 'run-system.mjs');
const LONGEST_RUN_MS = 30 * 60_000;

const { values: given } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    items: { type: 'string' },
    rounds: { type: 'string' },
    only: { type: 'string' },
    out: { type: 'string' },
  },
});
const defaults = given.quick ? QUICK : FULL;
const items = wholeNumber('items', given.items ?? defaults.items, 100);
const rounds = wholeNumber('rounds', given.rounds ?? defaults.rounds, 1);
/** As many as are measured then: a service that has just started is a sixth slower. */
const warmUp = Math.min(100_000, items);
const names = namesOf('only', given.only, SYSTEMS);
const systems = await Promise.all(names.map(async (name) => ({ name, ...(await import(`./systems/${name}.mjs`)).default })));

const runs = [];
let conditions;
await withStackOfEach(given, async (withStack) => {
  for (let round = 1; round <= rounds; round += 1) {
    for (const system of shuffled(systems)) {
      const run = await runOf(system, withStack);
      runs.push({ round, system: system.name, ...run });
      console.log(`round ${round} of ${rounds}: ${system.name}, ${Math.round(run.itemsPerSecond).toLocaleString('en')} items/s`);
    }
  }
});
const result = { items, rounds, ...conditions, systems: systems.map(({ name, title, stores }) => ({ name, title, stores })), runs };
console.log(`\n${reportOf(result)}`);
if (given.out) writeFileSync(given.out, `${JSON.stringify(result)}\n`);

/** A share of the items goes to systems that take very long. */
function runOf({ name, roles = [], share = 1 }, withStack) {
  return withStack({ roles, env: {} }, async ({ url, services, postgres, redis }) => {
    conditions ??= await surroundings({ postgres, redis, packages: [...new Set(systems.flatMap(({ packages }) => packages))] });
    const stack = { url, postgres, redis, services: services.map(({ pid }) => ({ pid })) };
    const task = { system: name, items: Math.round(items * share), warmUp: Math.round(warmUp * share), stack };
    const child = forkChild(RUN_SYSTEM, [JSON.stringify(task)], { timeout: LONGEST_RUN_MS, killSignal: 'SIGKILL' });
    const exited = once(child, 'exit');
    const [measured] = await Promise.race([once(child, 'message'), exited]);
    if (typeof measured !== 'object' || measured === null) throw new Error(`${name} failed; what it said is above`);
    await exited;
    return measured;
  });
}

function shuffled(list) {
  return list
    .map((value) => ({ value, place: Math.random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ value }) => value);
}
