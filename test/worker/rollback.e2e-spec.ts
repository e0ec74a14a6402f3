import { Client } from 'pg';
import type { BatchOptionsInput } from '../../src/batches/batch.options.js';
import type { BatchView } from '../../src/batches/batch.view.js';
import { CancelBatch } from '../../src/batches/commands/cancel-batch.command.js';
import { CleanUpBatches } from '../../src/batches/commands/clean-up-batches.command.js';
import { RetryItems } from '../../src/batches/commands/retry-items.command.js';
import { PermanentError } from '../../src/operations/item-handler.js';
import { RecordStore } from '../../src/records/record-store.js';
import { createTestDatabase } from '../support/database.js';
import { Engine } from '../support/engine.js';
import { eventually, Gate } from '../support/eventually.js';
import { assertInvariants } from '../support/invariants.js';
import { NativeClient } from '../support/native-client.js';
import { spawnService } from '../support/process.js';
import { fieldsIn, Holder, numbered, recordRows, seed, toItems } from '../support/records.js';
import { startTestService } from '../support/service.js';

const COUNT = 1_000;
const OLD = numbered(COUNT, (n) => ({ n, text: `old ${n}` })).filter((_, n) => n % 2 === 0);
const NEW = numbered(COUNT, (n) => ({ n, text: `new ${n}` }));

/** Of an item that ignores its time limit: it is given up soon, and its batch fails. */
const IGNORED: BatchOptionsInput = { rollbackOnFailure: true, timeout: 3_000, retryAttempts: 0 };

describe('a batch with rollbackOnFailure', () => {
  let engine: Engine;

  beforeAll(async () => (engine = await Engine.start()));
  afterAll(async () => {
    await assertInvariants(engine.database);
    await engine.close();
  });
  beforeEach(async () => {
    await engine.sql('TRUNCATE record');
    await seed(engine, 'things', OLD);
  });

  /** It stays open, so that it ends as the test wants. */
  const importOpenly = async (options: BatchOptionsInput = { rollbackOnFailure: true }, collection = 'things'): Promise<BatchView> => {
    const input = { operation: 'import', items: toItems(NEW), parameters: { collection } };
    const batch = await engine.create({ ...input, open: true, start: true, options: { batchSize: 100, ...options } });
    return eventually(
      () => engine.get(batch.id),
      ({ counts }) => counts.succeeded === COUNT,
      30_000,
    );
  };
  const timeOut = async ({ id }: BatchView): Promise<BatchView> => {
    await engine.sql('UPDATE run SET deadline_at = now() WHERE batch_id = $1', [id]);
    return engine.ended({ id }, 30_000);
  };
  const rolledBack = ({ id }: { id: string }) =>
    eventually(
      () => engine.get(id),
      ({ rollback }) => rollback?.status === 'done',
      30_000,
    );

  test('that timed out: its changes are taken back by themselves, and somebody’s later ones are not', async () => {
    const before = await recordRows(engine);
    const batch = await importOpenly();
    await engine.sql(`UPDATE record SET fields = '{"mine": true}', updated_at = clock_timestamp() WHERE key = 'k0002'`);
    expect((await timeOut(batch)).status).toBe('timed_out');
    const { rollback } = await rolledBack(batch);
    expect(rollback).toEqual({
      status: 'done',
      compensated: 0,
      compensationsFailed: 0,
      restored: 499,
      removed: 500,
      leftAlone: 1,
      at: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    const after = await recordRows(engine);
    expect(after.filter(({ key }) => key !== 'k0002')).toEqual(before.filter(({ key }) => key !== 'k0002'));
    expect((await fieldsIn(engine, 'things')).k0002).toEqual({ mine: true });
  });

  test('whose every item failed: what they wrote before they failed is taken back', async () => {
    const before = await recordRows(engine);
    const batch = await engine.runChunks(
      async (items, context) => {
        const records = items.map(({ key }) => ({ key, fields: { by: 'a failing item' } }));
        await engine.service.app.get(RecordStore).upsert({ tenant: 'acme', collection: 'things' }, records, { batch: context });
        throw new PermanentError('written, and failed');
      },
      { items: NEW.map(({ key }) => key), options: { rollbackOnFailure: true, batchSize: 100 } },
    );
    expect((await engine.ended(batch, 30_000)).status).toBe('failed');
    expect((await rolledBack(batch)).rollback).toMatchObject({ restored: 500, removed: 500, leftAlone: 0 });
    expect(await recordRows(engine)).toEqual(before);
  });

  test('of which one item succeeded: it is completed, and stays', async () => {
    const items = [...toItems(NEW), { key: 'wrong', payload: 'no row' }];
    const options = { rollbackOnFailure: true, batchSize: 100 };
    const batch = await engine.create({ operation: 'import', items, parameters: { collection: 'things' }, options });
    expect(await engine.ended(batch, 30_000)).toMatchObject({ status: 'completed', counts: { failed: 1 }, rollback: null });
    const after = await recordRows(engine);
    // The next failure is taken back; had this one been due, it would have come before.
    const failing = await importOpenly();
    await timeOut(failing);
    await rolledBack(failing);
    expect(await recordRows(engine)).toEqual(after);
    expect((await engine.get(batch.id)).rollback).toBeNull();
  });

  test('that was cancelled: it stays; and so does one that timed out without the option', async () => {
    const cancelled = await importOpenly();
    await engine.call(CancelBatch, { batchId: cancelled.id });
    expect((await engine.ended(cancelled, 30_000)).rollback).toBeNull();
    const after = await recordRows(engine);
    const kept = await importOpenly({ backupStrategy: 'auto' });
    await timeOut(kept);
    const failing = await importOpenly();
    await timeOut(failing);
    await rolledBack(failing);
    expect((await engine.get(cancelled.id)).rollback).toBeNull();
    expect((await engine.get(kept.id)).rollback).toBeNull();
    expect(await recordRows(engine)).toEqual(after);
  });

  test('whose item did not stop when it was told to: the item cannot write any more', async () => {
    const before = await recordRows(engine);
    const gate = new Gate();
    let late: Promise<unknown> | undefined;
    const store = engine.service.app.get(RecordStore);
    const place = { tenant: 'acme', collection: 'things' };
    const batch = await engine.run(
      async (_item, context) => {
        await store.upsert(place, [{ key: 'k0000', fields: { by: 'the item' } }], { batch: context });
        await gate.opened;
        late = Promise.allSettled([
          store.upsert(place, [{ key: 'k0000', fields: { late: true } }], { batch: context }),
          store.insert(place, [{ key: 'late', fields: {} }], context),
          store.merge(place, [{ key: 'k0002', patch: { late: true }, version: '2000-01-01' }], { anyVersion: true, batch: context }),
        ]);
      },
      { items: ['one'], options: IGNORED },
    );
    expect((await rolledBack(batch)).rollback).toMatchObject({ restored: 1, removed: 0, leftAlone: 0 });
    gate.open();
    const settled = await eventually(
      () => late,
      (writes) => writes !== undefined,
      30_000,
    );
    expect(settled).toEqual([
      { status: 'rejected', reason: expect.objectContaining({ name: 'WriteRefused' }) },
      { status: 'rejected', reason: expect.objectContaining({ name: 'WriteRefused' }) },
      { status: 'fulfilled', value: new Set() },
    ]);
    expect(await recordRows(engine)).toEqual(before);
  });

  test('a write that is under way when the batch ends is waited for, and taken back as well', async () => {
    const before = await recordRows(engine);
    const somebody = await Holder.of(engine.service.databaseUrl, `SELECT FROM record WHERE key = 'k0500' FOR UPDATE`);
    const store = engine.service.app.get(RecordStore);
    let written: Promise<unknown> | undefined;
    const batch = await engine.run(
      (_item, context) => {
        const rows = NEW.slice(400, 600);
        written = store.upsert({ tenant: 'acme', collection: 'things' }, rows, { batch: context });
        return new Promise(() => undefined);
      },
      { items: ['one'], options: IGNORED },
    );
    await somebody.isWaitedFor();
    expect((await engine.ended(batch, 30_000)).rollback).toMatchObject({ status: 'due', restored: 0 });
    await somebody.isWaitedFor(2);
    await somebody.letGo();
    await written;
    expect((await rolledBack(batch)).rollback).toMatchObject({ restored: 100, removed: 100, leftAlone: 0 });
    expect(await recordRows(engine)).toEqual(before);
  });

  test('several workers at once take back each record once', async () => {
    await seed(engine, 'more', OLD);
    const before = await recordRows(engine);
    const others = await Promise.all([1, 2].map(() => startTestService({ DATABASE_URL: engine.service.databaseUrl, SWEEP_MS: '100' })));
    const batches = [await importOpenly(), await importOpenly({ rollbackOnFailure: true, conflictResolution: 'merge' }, 'more')];
    await engine.sql('UPDATE run SET deadline_at = now() WHERE batch_id = ANY ($1)', [batches.map(({ id }) => id)]);
    for (const batch of batches) {
      expect((await rolledBack(batch)).rollback).toMatchObject({ restored: 500, removed: 500, leftAlone: 0 });
    }
    expect(await recordRows(engine)).toEqual(before);
    await Promise.all(others.map((other) => other.close()));
  }, 90_000);

  test('is not repeated while it is taken back, nor afterwards', async () => {
    const before = await recordRows(engine);
    const gate = new Gate();
    const batch = await engine.runChunks(
      async (items, context) => {
        await gate.opened;
        const records = items.map(({ key }) => ({ key, fields: { by: 'a failing item' } }));
        await engine.service.app.get(RecordStore).upsert({ tenant: 'acme', collection: 'things' }, records, { batch: context });
        throw new PermanentError('written, and failed');
      },
      { items: ['k0700', 'k0701', 'k0702'], options: { rollbackOnFailure: true } },
    );
    const somebody = await Holder.of(engine.service.databaseUrl, 'SELECT FROM batch WHERE id = $1 FOR KEY SHARE', [batch.id]);
    gate.open();
    await engine.ended(batch, 30_000);
    await somebody.isWaitedFor();
    const repeat = engine.call(RetryItems, { batchId: batch.id });
    await expect(repeat).rejects.toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('being taken back') });
    await somebody.letGo();
    await rolledBack(batch);
    const later = engine.call(RetryItems, { batchId: batch.id });
    await expect(later).rejects.toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('create a new batch') });
    expect(await engine.get(batch.id)).toMatchObject({ status: 'failed', run: 1, rollback: { restored: 2, removed: 1, leftAlone: 0 } });
    expect(await recordRows(engine)).toEqual(before);
  });

  test('clean-up does not remove it before that is done', async () => {
    const batch = await importOpenly();
    const somebody = await Holder.of(engine.service.databaseUrl, `SELECT FROM record WHERE key = 'k0700' FOR UPDATE`);
    await timeOut(batch);
    await somebody.isWaitedFor();
    await engine.call(CleanUpBatches, { olderThanDays: 0 });
    expect((await engine.get(batch.id)).rollback).toMatchObject({ status: 'due' });
    await somebody.letGo();
    await rolledBack(batch);
    await engine.call(CleanUpBatches, { olderThanDays: 0 });
    await expect(engine.get(batch.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

test('kill -9 in the middle of a rollback: the next process finishes it', async () => {
  const database = await createTestDatabase();
  const sql = new Client({ connectionString: database.url });
  await sql.connect();
  const rows = async (text: string) => (await sql.query(text)).rows;
  const state = `SELECT to_jsonb(r) AS row FROM record r ORDER BY key`;
  let service = await spawnService({ DATABASE_URL: database.url });
  const client = new NativeClient(service.url);
  const importing = (open: boolean, records: typeof NEW) => ({
    operation: 'import',
    items: toItems(records),
    parameters: { collection: 'things' },
    options: { rollbackOnFailure: true, batchSize: 100 },
    ...(open ? { open, start: true } : {}),
  });
  await client.waitForEnd((await client.create(importing(false, OLD))).id);
  const before = await rows(state);

  const { id } = await client.create(importing(true, NEW));
  await client.waitFor(id, ({ counts }) => counts.succeeded === COUNT);
  const somebody = await Holder.of(database.url, `SELECT FROM record WHERE key = 'k0700' FOR UPDATE`);
  await sql.query('UPDATE run SET deadline_at = now() WHERE batch_id = $1', [id]);
  await somebody.isWaitedFor();
  await eventually(
    () => rows(`SELECT count(*)::int AS n FROM record_backup WHERE outcome IS NOT NULL`),
    ([row]) => (row as { n: number }).n === 500,
    30_000,
  );
  await service.end('SIGKILL');
  await somebody.letGo();
  expect(await rows(state)).not.toEqual(before);

  service = await spawnService({ DATABASE_URL: database.url });
  client.url = service.url;
  const { rollback } = await client.waitFor(id, (batch) => batch.rollback?.status === 'done');
  expect(rollback).toMatchObject({ restored: 500, removed: 500, leftAlone: 0 });
  expect(await rows(state)).toEqual(before);
  expect(await service.end('SIGTERM')).toBe(0);
  await sql.end();
  await database.drop();
}, 120_000);
