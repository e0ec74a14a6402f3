// What processes cost: processor time and memory, from Linux's /proc; zero where there is none.
import { readFileSync, writeFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100;
const SAMPLE_MS = 50;

/** Seconds of processor time that a process, its children and those that have ended have used. */
export function cpuSeconds(pid) {
  const own = ticksOf(pid);
  if (!own) return 0;
  const children = childrenOf(pid).reduce((sum, child) => sum + cpuSeconds(child), 0);
  return (own.used + own.reaped) / TICKS_PER_SECOND + children;
}

/** MB that the process had at most. */
export function peakMemoryMb(pid) {
  const peak = /VmHWM:\s+(\d+)/.exec(read(`/proc/${pid}/status`));
  return peak ? Number(peak[1]) / 1024 : 0;
}

/** MB that the process has now. */
export function memoryMb(pid) {
  const now = /VmRSS:\s+(\d+)/.exec(read(`/proc/${pid}/status`));
  return now ? Number(now[1]) / 1024 : 0;
}

function ticksOf(pid) {
  const stat = read(`/proc/${pid}/stat`);
  if (stat === '') return undefined;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const sum = (from) => Number(fields[from]) + Number(fields[from + 1]);
  return { used: sum(11), reaped: sum(13) };
}

function childrenOf(pid) {
  const list = read(`/proc/${pid}/task/${pid}/children`).trim();
  return list === '' ? [] : list.split(' ').map(Number);
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

export function median(values) {
  return percentile(values, 0.5);
}

/** Of the values in any order; the middle of the two nearest ones at a half. */
export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const below = Math.floor(place);
  return sorted[below] + (sorted[Math.ceil(place)] - sorted[below]) * (place - below);
}

/** From here on the peak is that of what comes. */
export function forgetPeakMemory(pid) {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
  } catch {
    // Without the right to, or on another system, the peak is that of the process's whole life.
  }
}

/** Samples a process's memory while the work is done. @returns what it gave, and the memory in MB */
export async function withMemory(pid, work) {
  const idleMb = memoryMb(pid);
  forgetPeakMemory(pid);
  let sampledMb = idleMb;
  const sampler = setInterval(() => (sampledMb = Math.max(sampledMb, memoryMb(pid))), SAMPLE_MS);
  try {
    const given = await work();
    return { given, memory: { idleMb, aboveIdleMb: sampledMb - idleMb, peakMb: peakMemoryMb(pid) } };
  } finally {
    clearInterval(sampler);
  }
}

function ownCpuSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Measures the processor time that the parts of a stack and this client use while the work is done. @returns seconds of each */
export async function cpuOf({ services, postgres, redis }, work) {
  const read = () => ({
    service: services.reduce((sum, { pid }) => sum + cpuSeconds(pid), 0),
    postgres: cpuSeconds(postgres.pid),
    redis: cpuSeconds(redis.pid),
    client: ownCpuSeconds(),
  });
  const before = read();
  const startedAt = performance.now();
  await work();
  const seconds = (performance.now() - startedAt) / 1_000;
  const after = read();
  return { seconds, cpu: Object.fromEntries(Object.keys(after).map((part) => [part, after[part] - before[part]])) };
}
