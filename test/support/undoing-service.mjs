// A service whose operation `undoable` keeps what was done and undone in tables of its own. HANG_AT: the undoing of that item never ends.
import 'reflect-metadata';
import pg from 'pg';
import { loadConfig } from '../../dist/config.js';
import { ItemHandler } from '../../dist/operations/item-handler.js';
import { startService } from '../../dist/service.js';

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });

class UndoableItemHandler {
  async run(item) {
    return { output: item.key, compensation: { undo: item.key } };
  }

  async compensate({ undo }, { idempotencyKey, attempt }) {
    await pool.query('INSERT INTO undone (key, idempotency_key, attempt) VALUES ($1, $2, $3)', [undo, idempotencyKey, attempt]);
    if (undo === process.env.HANG_AT) await new Promise(() => undefined);
  }
}
ItemHandler('undoable')(UndoableItemHandler);

class UndoableModule {
  operation = 'undoable';
}

const service = await startService(loadConfig(), { modules: [{ module: UndoableModule, providers: [UndoableItemHandler] }] });
console.log(`is listening at ${service.url}`);
process.on('SIGTERM', () => void service.close().then(() => pool.end().then(() => process.exit(0))));
