// What a benchmark starts ends with it, also when it is interrupted: then without a word, since what breaks breaks because of that.
import { fork } from 'node:child_process';
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];
const children = new Set();

/** A process of the benchmark. */
export function forkChild(path, args = [], options = {}) {
  const child = fork(path, args, options);
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

/**
 * Does the work, and ends what it started; what was started last ends first.
 * @param work gets a function that takes note of how something is ended
 */
export async function withEnds(work) {
  const ends = [];
  let ending;
  const end = () => (ending ??= endAll(ends));
  const leave = (signal) => {
    process.on('uncaughtException', () => undefined);
    for (const child of children) child.kill('SIGKILL');
    void end().finally(() => process.exit(128 + constants.signals[signal]));
  };
  // A terminal signals all processes; whoever ends only this one means all of them too.
  for (const signal of SIGNALS) process.on(signal, leave);
  try {
    return await work((stop) => ends.push(stop));
  } finally {
    await end();
    for (const signal of SIGNALS) process.off(signal, leave);
  }
}

async function endAll(ends) {
  for (let stop = ends.pop(); stop; stop = ends.pop()) await stop();
}
