// A service whose operation `fragile` ends the whole process at the item with the key "poison", as a native crash would.
import 'reflect-metadata';
import { loadConfig } from '../../dist/config.js';
import { ItemHandler } from '../../dist/operations/item-handler.js';
import { startService } from '../../dist/service.js';

class FragileItemHandler {
  async run(item) {
    if (item.key === 'poison') process.kill(process.pid, 'SIGKILL');
    return { output: item.key };
  }
}
ItemHandler('fragile')(FragileItemHandler);

class FragileModule {
  operation = 'fragile';
}

const service = await startService(loadConfig(), { modules: [{ module: FragileModule, providers: [FragileItemHandler] }] });
console.log(`is listening at ${service.url}`);
process.on('SIGTERM', () => void service.close().then(() => process.exit(0)));
