// Runs a Node program, and starts it again when it ends with code 75: it has asked to be replaced. Any other end is this script's end too.
//   node scripts/start.mjs <flags of node> <program>
import { spawn } from 'node:child_process';
import { once } from 'node:events';

const REPLACE = 75;
/** A program that ran for so long is started again at once; one that comes back sooner waits, twice as long each time. */
const LONG_MS = 60_000;
const FIRST_WAIT_MS = 1_000;
const MAX_WAIT_MS = 60_000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

let child;
let isAsked = false;
let endWait;
for (const signal of SIGNALS) {
  process.on(signal, () => {
    isAsked = true;
    child?.kill(signal);
    endWait?.();
  });
}

let waitMs = FIRST_WAIT_MS;
for (;;) {
  const startedAt = Date.now();
  const [code, signal] = await run(process.argv.slice(2));
  if (signal) endAs(signal);
  if (code !== REPLACE || isAsked) process.exit(code);
  waitMs = Date.now() - startedAt >= LONG_MS ? FIRST_WAIT_MS : waitMs;
  const pauseMs = Date.now() - startedAt >= LONG_MS ? 0 : waitMs;
  console.error(`The service has ended to be replaced; it is started again ${pauseMs === 0 ? 'now' : `in ${pauseMs / 1_000} s`}`);
  if (pauseMs > 0) waitMs = Math.min(MAX_WAIT_MS, 2 * waitMs);
  await wait(pauseMs);
  if (isAsked) process.exit(0);
}

/** The channel tells the program when this script is gone, however it went. */
function run(args) {
  child = spawn(process.execPath, [...args, '--supervised'], { stdio: ['inherit', 'inherit', 'inherit', 'ipc'] });
  return once(child, 'exit');
}

function wait(ms) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    endWait = () => {
      clearTimeout(timer);
      resolve();
    };
  });
}

/** Ends by the signal that ended the program. */
function endAs(signal) {
  for (const each of SIGNALS) process.removeAllListeners(each);
  process.kill(process.pid, signal);
}
