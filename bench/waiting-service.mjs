// The built service with an operation of the benchmarks' own: an item of `waiting` waits for payload.durationMs milliseconds, as one does
// that asks another service, and answers with the time at which it began.
import 'reflect-metadata';
import { setTimeout as delay } from 'node:timers/promises';
import { loadConfig } from '../dist/config.js';
import { ItemHandler } from '../dist/operations/item-handler.js';
import { startService } from '../dist/service.js';

class WaitingItemHandler {
  async run({ payload }) {
    const startedAt = Date.now();
    await delay(payload.durationMs);
    return { output: startedAt };
  }
}
ItemHandler('waiting')(WaitingItemHandler);

class WaitingModule {
  operation = 'waiting';
}

const service = await startService(loadConfig(), { modules: [{ module: WaitingModule, providers: [WaitingItemHandler] }] });
process.send(service.url);
process.on('SIGTERM', () => void service.close().then(() => process.exit(0)));
