// One run of one system, in a process of its own: a small batch to warm up, then the measured one. Started by ./throughput.mjs.
import { cpuSeconds, peakMemoryMb } from './support/measure.mjs';

const { system: name, items, warmUp, stack } = JSON.parse(process.argv[2]);
const MICROSECONDS = 1_000_000;
const { default: system } = await import(`./systems/${name}.mjs`);

process.once('disconnect', () => process.exit(1));
const session = await system.start({ ...stack, fail });
await session.prepare?.(warmUp);
await session.work(warmUp);
await check(warmUp);
const measured = await measure(items);
const recorded = (await check(warmUp + items)) - warmUp;
process.send({ ...measured, recorded }, () => process.exit(0));

function fail(error) {
  console.error(error);
  process.exit(1);
}

async function check(expected) {
  const recorded = await session.recorded();
  if (recorded !== expected) fail(new Error(`${name} recorded ${recorded} items, and was given ${expected}`));
  return recorded;
}

async function measure(count) {
  await session.prepare?.(count);
  const before = cpu();
  const startedAt = performance.now();
  await session.work(count);
  const seconds = (performance.now() - startedAt) / 1_000;
  const after = cpu();
  const perItem = Object.keys(after).map((part) => [part, ((after[part] - before[part]) * MICROSECONDS) / count]);
  return { items: count, seconds, itemsPerSecond: count / seconds, cpuMicroseconds: Object.fromEntries(perItem), peakMb: peaks() };
}

/** Seconds so far. */
function cpu() {
  const { user, system: inSystem } = process.cpuUsage();
  return {
    client: (user + inSystem) / MICROSECONDS,
    service: sum(stack.services.map(({ pid }) => cpuSeconds(pid))),
    postgres: cpuSeconds(stack.postgres.pid),
    redis: cpuSeconds(stack.redis.pid),
  };
}

function peaks() {
  return {
    client: peakMemoryMb(process.pid),
    service: sum(stack.services.map(({ pid }) => peakMemoryMb(pid))),
    redis: peakMemoryMb(stack.redis.pid),
  };
}

function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}
