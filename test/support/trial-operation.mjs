// Preloaded into the built service (node --import). It adds the operation `trial`, whose items write down that they run before they do
// what their payload says: an execution that nobody records is known all the same. Those of the operation `swift` do next to nothing and
// write nothing down: their process keeps the number of all that it executed. It can also end or block the process:
//   EXECUTION_LOG  folder of the log; one file a process
//   KILL_AT        "statement:before|after:n": the process kills itself at the nth such statement of a create
//   SIGUSR2        blocks the event loop for BLOCK_MS
import 'reflect-metadata';
import { openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { ItemHandler, PermanentError } from '../../dist/operations/item-handler.js';
import { ITEM_HANDLERS } from '../../dist/operations/item-handlers.js';

const log = openSync(join(process.env.EXECUTION_LOG, `${process.pid}.log`), 'a');
// One write, which the kernel has when it returns: kill -9 takes nothing of it back.
const note = (...words) => writeSync(log, `${words.join(' ')} ${Date.now()}\n`);

/** Ways to end a process from within. */
const ENDS = {
  exit: () => process.exit(7),
  abort: () => process.abort(),
  kill: () => process.kill(process.pid, 'SIGKILL'),
  memory: () => {
    const full = [];
    for (;;) full.push(new Array(1_000_000).fill(full.length));
  },
};

function circular() {
  const it = {};
  it.it = it;
  return it;
}

const THROWS = {
  text: () => 'a sentence',
  null: () => null,
  undefined: () => undefined,
  number: () => NaN,
  symbol: () => Symbol('strange'),
  frozen: () => Object.freeze(new Error('frozen')),
  circular,
  getter: () =>
    Object.defineProperty(new Error('never read'), 'message', {
      get() {
        throw new Error('the getter throws');
      },
    }),
  proxy: () =>
    new Proxy(
      {},
      {
        get() {
          throw new Error('the trap throws');
        },
      },
    ),
  nul: () => new Error('a \0 and half a pair \ud800'),
  long: () => new Error('x'.repeat(1_000_000)),
  permanent: () => new PermanentError('no'),
};

const RETURNS = {
  bigint: () => ({ output: 1n }),
  circular: () => ({ output: circular() }),
  large: () => ({ output: 'x'.repeat(300_000) }),
  deep: () => {
    let output = 1;
    for (let depth = 0; depth < 10_000; depth += 1) output = [output];
    return { output };
  },
  throwing: () => ({
    output: {
      toJSON() {
        throw new Error('toJSON throws');
      },
    },
  }),
  text: () => 'no result',
  number: () => 42,
  quality: () => ({ output: 1, quality: 7 }),
};

class TrialItemHandler {
  async run(item, context) {
    note('+', item.idempotencyKey, item.attempt);
    try {
      return await act(item.payload ?? {}, context);
    } finally {
      note('-', item.idempotencyKey, item.attempt);
    }
  }
}

async function act(plan, context) {
  const signal = plan.deaf ? undefined : context.signal;
  if (plan.never) await new Promise(() => undefined);
  if (plan.durationMs) await delay(plan.durationMs, undefined, { signal, ref: !plan.deaf });
  if (plan.ends) ENDS[plan.ends]();
  if (plan.strays) void Promise.reject(new Error('nobody waits for this'));
  if (plan.twice) return new Promise((resolve, reject) => (resolve({ output: 'first' }), reject(new Error('second')), resolve({})));
  if (plan.throws) throw THROWS[plan.throws]();
  if (plan.returns) return RETURNS[plan.returns]();
  return { output: plan.output };
}

ItemHandler('trial')(TrialItemHandler);
ITEM_HANDLERS.push(TrialItemHandler);

/** What comes of an item follows from its payload and the number of the try: a result that is lost, swapped or stale shows. */
class SwiftItemHandler {
  async run({ payload: { batch, place, amount, fails }, attempt }) {
    countSwift();
    if (fails === 'always') throw new PermanentError('it always fails');
    if (fails === 'once' && attempt === 1) throw new Error('it fails once');
    return { output: { batch, place, value: (amount * 3 + place) % 9973 }, quality: (place % 17) / 16 };
  }
}

const swiftCount = openSync(join(process.env.EXECUTION_LOG, `${process.pid}.swift`), 'w');
let swift = 0;
let isSwiftNoted = true;

/** Written once a turn of the event loop: a kill takes the last turn's items out of the number, never too many into it. */
function countSwift() {
  swift += 1;
  if (!isSwiftNoted) return;
  isSwiftNoted = false;
  setImmediate(() => {
    isSwiftNoted = true;
    writeSync(swiftCount, `${swift}\n`, 0);
  });
}

ItemHandler('swift')(SwiftItemHandler);
ITEM_HANDLERS.push(SwiftItemHandler);

process.on('SIGUSR2', () => {
  note('blocked', process.env.BLOCK_MS);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, Number(process.env.BLOCK_MS));
});

const BEFORE_THE_TRANSACTION = new Set(['next-run-id', 'insert-chunks']);
if (process.env.KILL_AT) killAt(...process.env.KILL_AT.split(':'));

function killAt(statement, when, nth) {
  const { query } = pg.Client.prototype;
  let seen = 0;
  const die = () => {
    note('killed at', process.env.KILL_AT);
    process.kill(process.pid, 'SIGKILL');
  };
  pg.Client.prototype.query = function (asked, ...rest) {
    const name = typeof asked === 'string' ? asked : asked?.name;
    if (name === 'START TRANSACTION') this.creates = false;
    if (name === 'insert-batch') this.creates = true;
    // Other commands have events and commits too.
    const counts = name === statement && (this.creates || BEFORE_THE_TRANSACTION.has(name));
    if (!counts || (seen += 1) < Number(nth)) return query.call(this, asked, ...rest);
    if (when === 'before') die();
    const done = rest.at(-1);
    if (typeof done === 'function') return query.call(this, asked, ...rest.slice(0, -1), die);
    return query.call(this, asked, ...rest).then(die);
  };
}
