// A service with an operation that is worked in threads. At SIGTERM it closes, and ends when nothing is left that keeps it.
import 'reflect-metadata';
import { loadConfig } from '../../dist/config.js';
import { ItemHandler } from '../../dist/operations/item-handler.js';
import { startService } from '../../dist/service.js';

class ThreadedItemHandler {
  operation = 'threaded';
}
ItemHandler('threaded', { thread: new URL('./threads/scripted.mjs', import.meta.url), threadMemoryMb: 64 })(ThreadedItemHandler);

class ThreadedModule {
  operation = 'threaded';
}

const service = await startService(loadConfig(), { modules: [{ module: ThreadedModule, providers: [ThreadedItemHandler] }] });
console.log(`is listening at ${service.url}`);
process.on('SIGTERM', () => void service.close());
