// A database in which there is much to be read: many finished batches, and one of many items.
import { setTimeout as delay } from 'node:timers/promises';
import { ended } from './client.mjs';
import { assertCount } from './command.mjs';
import { countEnded, foldEndedTotals } from '../../dist/batches/store/ended-totals.js';
import { copyBatches, withoutGuards } from './copied-rows.mjs';
import { enlarge } from './large-batch.mjs';
import { cancelAll, create, valueOf } from './load.mjs';
import { itemOf } from './workload.mjs';

/** Items of a chunk. */
const CHUNK = 500;
/** The benchmarks' tenant has three of five batches. */
const MANY = {
  tenants: ['bench', 'bench', 'bench', 'north', 'south'],
  dialects: ['native', 'erp', 'batch-service', 'documents', 'annotations', 'uploads'],
  operations: ['annotate', 'import', 'export', 'validate', 'report'],
};
/** A sampler of the service writes figures of what it worked within so long. */
const SAMPLED_MS = 3_000;

/**
 * @param wanted number of finished batches, and items of the large one
 * @returns the ID of the large batch
 */
export async function fill(url, database, wanted) {
  const size = Math.min(CHUNK, wanted.items);
  const large = await finished(url, { operation: 'amount', options: { concurrency: 200 }, items: items(size, (index) => itemOf(index)) });
  const templates = [
    await finished(url, { operation: 'amount', items: items(10, (index) => itemOf(index)) }),
    await finished(url, { operation: 'noop', items: items(10, (index) => (index < 2 ? { fail: 'permanent' } : {})) }),
    await finished(url, { operation: 'noop', items: items(10, () => ({ fail: 'permanent' })) }),
    await cancelled(url, { operation: 'noop', items: items(10, () => ({})), start: false }),
  ];
  await delay(SAMPLED_MS);
  await withoutGuards(database, async () => {
    await copyBatches(database, wanted.batches, { templates, ...MANY });
    await enlarge(database, large, { size, times: Math.ceil(wanted.items / size) });
  });
  await countAgain(database);
  await database.query('VACUUM ANALYZE');
  assertCount('batches', await valueOf(database, 'SELECT count(*)::int FROM batch'), wanted.batches + templates.length + 1);
  return large;
}

const ENDED = `
  SELECT r.*, b.tenant, b.dialect, b.operation, b.options FROM batch b JOIN run r ON r.id = b.run_id WHERE r.ended_at IS NOT NULL`;

/** The service counts what ends; copies were never worked. */
async function countAgain(database) {
  await database.query('DELETE FROM ended_total');
  await database.query(countEnded(1, ENDED));
  await foldEndedTotals(database);
}

function items(count, payloadOf) {
  return Array.from({ length: count }, (_, index) => ({ payload: payloadOf(index) }));
}

async function finished(url, batch) {
  const id = await create(url, batch);
  await ended(url, id);
  return id;
}

async function cancelled(url, batch) {
  const id = await create(url, batch);
  await cancelAll(url, [id]);
  await ended(url, id);
  return id;
}

/** What a reader has to know to ask. */
export async function facts(database, large) {
  const runOfLarge = 'SELECT run_id FROM batch WHERE id = $1';
  const small = `SELECT array_agg(id) FROM (SELECT id FROM batch WHERE tenant = 'bench' AND id <> $1 ORDER BY random() LIMIT 1000) b`;
  return {
    small: await valueOf(database, small, [large]),
    items: await valueOf(database, `SELECT count(*)::int FROM outcome WHERE run_id = (${runOfLarge})`, [large]),
    failed: await valueOf(database, `SELECT count(*)::int FROM outcome WHERE run_id = (${runOfLarge}) AND status = 2`, [large]),
    far: await valueOf(database, `SELECT count(*)::int - 100 FROM batch WHERE tenant = 'bench'`),
  };
}
