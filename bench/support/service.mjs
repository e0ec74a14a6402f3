// The built service with the benchmarks' own operations. What they do costs next to nothing, so that what is measured is the service.
import 'reflect-metadata';
import { setTimeout as delay } from 'node:timers/promises';
import { loadConfig } from '../../dist/config.js';
import { ItemHandler } from '../../dist/operations/item-handler.js';
import { startService } from '../../dist/service.js';
import { workItem } from './workload.mjs';

/** An item of the workload that all systems are given. */
class AmountItemHandler {
  async run({ payload }) {
    return workItem(payload);
  }
}
ItemHandler('amount')(AmountItemHandler);

/** Waits for payload.durationMs milliseconds, as an item does that asks another service, and answers with the time at which it began. */
class WaitingItemHandler {
  async run({ payload }) {
    const startedAt = Date.now();
    await delay(payload.durationMs);
    return { output: startedAt };
  }
}
ItemHandler('waiting')(WaitingItemHandler);

/** Burns payload.rounds rounds of hashing in a thread. */
function HashingItemHandler() {}
ItemHandler('hashing', { thread: new URL('./hashing.mjs', import.meta.url) })(HashingItemHandler);

const HANDLERS = { amount: AmountItemHandler, waiting: WaitingItemHandler, hashing: HashingItemHandler };

const modules = Object.entries(HANDLERS).map(([operation, handler]) => {
  const module = class {
    operation = operation;
  };
  return { module, providers: [handler] };
});
const service = await startService(loadConfig(), { modules });
process.send(service.url);
const leave = () => void service.close().then(() => process.exit(0));
process.on('SIGTERM', leave);
// The benchmark is gone without having said so.
process.on('disconnect', leave);
