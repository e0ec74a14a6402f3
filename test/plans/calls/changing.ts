import { AddItems } from '../../../src/batches/commands/add-items.command.js';
import { CancelBatch } from '../../../src/batches/commands/cancel-batch.command.js';
import { DeleteBatch } from '../../../src/batches/commands/delete-batch.command.js';
import { EditItem } from '../../../src/batches/commands/edit-item.command.js';
import { PauseBatch } from '../../../src/batches/commands/pause-batch.command.js';
import { RecordExternalResult } from '../../../src/batches/commands/record-external-result.command.js';
import { RecordMetrics } from '../../../src/batches/commands/record-metrics.command.js';
import { ResumeBatch } from '../../../src/batches/commands/resume-batch.command.js';
import { RetryItems } from '../../../src/batches/commands/retry-items.command.js';
import { SealBatch } from '../../../src/batches/commands/seal-batch.command.js';
import { StartBatch } from '../../../src/batches/commands/start-batch.command.js';
import { UpdateBatch } from '../../../src/batches/commands/update-batch.command.js';
import { itemsFromArray } from '../../../src/batches/item-source.js';
import { discardIntake } from '../../../src/batches/store/insert-chunks.js';
import { UpdateBreaker } from '../../../src/breakers/commands/update-breaker.command.js';
import { Idempotency } from '../../../src/idempotency/idempotency.js';
import { claimKey, renewKey, selectKey } from '../../../src/idempotency/store/claim-key.js';
import type { Engine } from '../../support/engine.js';
import { batchId, CANCELLED, EXTERNAL, LARGE, REPEATED, SMALL_REPEATED } from '../seed.js';

const CALLER = { tenant: 'acme', subject: 'user-1' };

/** What callers change: batches, items, and what they are told about providers. */
export async function changing(engine: Engine): Promise<void> {
  await create(engine);
  await addAndMove(engine);
  await reportResults(engine);
  await editAndRepeat(engine);
  await onceOnly(engine);
  await engine.call(UpdateBreaker, { provider: 'openai', forced: 'closed' });
}

async function create(engine: Engine): Promise<void> {
  await engine.create({ items: ['a', 'b'], options: { notifyProgressInterval: 10 } }, CALLER);
  await engine.create({ operation: 'elsewhere', external: true, items: ['a', 'b'] }, CALLER);
}

async function addAndMove(engine: Engine): Promise<void> {
  const { id } = await engine.create({ open: true, start: false, options: { notifyProgressInterval: 1 } }, CALLER);
  await engine.call(AddItems, { batchId: id, source: itemsFromArray(['a', 'b', 'c']) }, CALLER);
  await discardIntake(engine.database.pool, '99999');
  await engine.call(UpdateBatch, { batchId: id, name: 'other', options: { concurrency: 20, failureThreshold: { count: 1 } } }, CALLER);
  await engine.call(StartBatch, { batchId: id, open: true }, CALLER);
  await engine.call(PauseBatch, { batchId: id }, CALLER);
  await engine.call(ResumeBatch, { batchId: id }, CALLER);
  await engine.call(SealBatch, { batchId: id }, CALLER);
  await engine.call(CancelBatch, { batchId: id }, CALLER);
  await engine.call(DeleteBatch, { batchId: id }, CALLER);
  await engine.call(UpdateBatch, { batchId: batchId(LARGE), options: { concurrency: 200 } }, CALLER);
}

async function reportResults(engine: Engine): Promise<void> {
  await engine.call(RecordExternalResult, { batchId: batchId(EXTERNAL), key: 'item-3', success: false, durationMs: 5 }, CALLER);
  await engine.call(RecordMetrics, { batchId: batchId(LARGE), metrics: { throughput: 5 } }, CALLER);
}

async function editAndRepeat(engine: Engine): Promise<void> {
  const ended = batchId(REPEATED);
  await engine.call(EditItem, { batchId: ended, key: 'item-4003', payload: 2 }, CALLER);
  await engine.call(EditItem, { batchId: ended, seq: 4_013, payload: 2 }, CALLER);
  await engine.call(RetryItems, { batchId: ended, keys: ['item-4003', 'item-4013'] }, CALLER);
  await engine.call(RetryItems, { batchId: batchId(SMALL_REPEATED), statuses: ['failed', 'skipped'] }, CALLER);
  await engine.call(RetryItems, { batchId: batchId(CANCELLED), statuses: ['failed', 'unprocessed'] }, CALLER);
  const external = await engine.create({ operation: 'elsewhere', external: true, items: ['a', 'b', 'c'] }, CALLER);
  await engine.call(RecordExternalResult, { batchId: external.id, key: 'a', success: false, error: 'no' }, CALLER);
  await engine.call(CancelBatch, { batchId: external.id }, CALLER);
  await engine.call(RetryItems, { batchId: external.id, statuses: ['failed', 'unprocessed'] }, CALLER);
}

async function onceOnly(engine: Engine): Promise<void> {
  const idempotency = engine.service.app.get(Idempotency);
  const request = { caller: CALLER, key: 'new', fingerprint: 1 };
  await idempotency.once(request, async (caller) => ({ id: (await engine.create({ items: ['a'] }, caller)).id }));
  await idempotency.once({ ...request, key: 'failing' }, () => Promise.reject(new Error('no'))).catch(() => undefined);
  const claim = { tenant: 'acme', key: 'held', hash: Buffer.from([0]), token: '00000000-0000-4000-8000-000000000000' };
  const { pool } = engine.database;
  await claimKey(pool, claim, 1_000);
  await selectKey(pool, claim);
  await renewKey(pool, claim, 1_000);
}
