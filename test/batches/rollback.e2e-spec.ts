import { CancelBatch } from '../../src/batches/commands/cancel-batch.command.js';
import { DeleteBatch } from '../../src/batches/commands/delete-batch.command.js';
import { RetryItems } from '../../src/batches/commands/retry-items.command.js';
import type { BatchView } from '../../src/batches/batch.view.js';
import type { RollbackReport } from '../../src/batches/rollback.view.js';
import { GetRollback } from '../../src/batches/queries/get-rollback.query.js';
import { ListAudit } from '../../src/batches/queries/list-audit.query.js';
import { HangingCalls } from '../../src/common/hanging-calls.js';
import { Config } from '../../src/config.js';
import { type Item, type ItemContext, type ItemResult, PermanentError, RetryLaterError } from '../../src/operations/item-handler.js';
import { ItemHandlerRegistry } from '../../src/operations/item-handler.registry.js';
import { RestoreBatch } from '../../src/records/commands/restore-batch.command.js';
import { RecordStore } from '../../src/records/record-store.js';
import { Compensator } from '../../src/worker/compensator.js';
import { Engine, FAST_RETRY, keys, type UndoScript } from '../support/engine.js';
import { eventually, Gate } from '../support/eventually.js';
import { fieldsIn } from '../support/records.js';

const items = (count: number) => keys(count).map((key) => ({ key }));
const ONE_AT_A_TIME = { ...FAST_RETRY, concurrency: 1 };
const done = async ({ key }: Item): Promise<ItemResult> => ({ output: `did ${key}`, compensation: { undo: key } });

jest.setTimeout(60_000);

describe('compensations', () => {
  let engine: Engine;

  beforeAll(async () => (engine = await Engine.start()));
  afterAll(() => engine.close());

  const report = ({ id }: { id: string }, tenant = 'acme'): Promise<RollbackReport> =>
    engine.call(GetRollback, { batchId: id }, { tenant });
  const restore = ({ id }: { id: string }, tenant = 'acme') => engine.call(RestoreBatch, { batchId: id }, { tenant });
  const rolledBack = (batch: { id: string }) =>
    eventually(
      () => report(batch),
      ({ status }) => status === 'done',
      30_000,
    );
  /** Calls in their order. */
  const recorder = (script: UndoScript = () => undefined) => {
    const calls: { key: string; attempt: number; idempotencyKey: string; compensation: unknown }[] = [];
    const undo: UndoScript = (compensation, context) => {
      const { key, attempt, idempotencyKey } = context;
      calls.push({ key, attempt, idempotencyKey, compensation });
      return script(compensation, context);
    };
    return { calls, undo, keys: () => calls.map(({ key }) => key) };
  };
  const endedWith = async (batch: BatchView, status: BatchView['status']) => expect((await engine.ended(batch)).status).toBe(status);

  test('a batch that runs out of time undoes its items, the last recorded first, and then restores its records', async () => {
    const seen: string[][] = [];
    const { calls, undo } = recorder(async () => void seen.push(Object.keys(await fieldsIn(engine, 'effects')).sort()));
    const work = async (item: Item, context: ItemContext): Promise<ItemResult> => {
      if (item.key === '7') await new Promise((_, reject) => context.signal.addEventListener('abort', () => reject(new Error('stopped'))));
      const rows = [{ key: item.key, fields: { n: item.key } }];
      await engine.service.app.get(RecordStore).upsert({ tenant: 'acme', collection: 'effects' }, rows, { batch: context });
      return done(item);
    };
    const batch = await engine.runUndoable(work, undo, {
      items: items(7),
      options: { ...ONE_AT_A_TIME, batchTimeout: 600_000, rollbackOnFailure: true },
    });
    await eventually(
      () => engine.get(batch.id),
      ({ counts }) => counts.succeeded === 6,
    );
    expect(await report(batch)).toMatchObject({ status: 'none', at: null, compensations: { total: 6, left: 6 } });
    await engine.sql(`UPDATE run SET deadline_at = clock_timestamp() WHERE batch_id = $1`, [batch.id]);
    await endedWith(batch, 'timed_out');
    expect(await rolledBack(batch)).toEqual({
      status: 'done',
      at: expect.any(String),
      compensations: { total: 6, compensated: 6, failed: 0, left: 0 },
      current: null,
      failures: [],
      restored: 0,
      removed: 6,
      leftAlone: 0,
    });
    expect(calls.map(({ key, attempt, compensation }) => [key, attempt, compensation])).toEqual(
      ['6', '5', '4', '3', '2', '1'].map((key) => [key, 1, { undo: key }]),
    );
    expect(new Set(calls.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(6);
    expect(seen).toEqual(Array(6).fill(['1', '2', '3', '4', '5', '6']));
    expect(await fieldsIn(engine, 'effects')).toEqual({});
    expect((await engine.get(batch.id)).rollback).toMatchObject({ status: 'done', compensated: 6, compensationsFailed: 0, removed: 6 });
    await restore(batch);
    expect(calls).toHaveLength(6);
  });

  test('one that fails is tried again, then reported, and does not stop the others; a later restore tries it again', async () => {
    let healed = false;
    const { undo, keys: called } = recorder((_, { key, attempt }) => {
      if (healed) return;
      if (key === '4') throw new PermanentError('never');
      if (key === '3' && attempt < 3) throw new Error('not yet');
      if (key === '2') throw new Error('down');
    });
    const batch = await engine.runUndoable(done, undo, { items: items(4), options: { ...ONE_AT_A_TIME, retryAttempts: 2 } });
    await endedWith(batch, 'completed');
    expect(await restore(batch)).toMatchObject({ status: 'due', compensations: { total: 4, left: 4 } });
    expect(await rolledBack(batch)).toMatchObject({
      compensations: { total: 4, compensated: 2, failed: 2, left: 0 },
      failures: [
        { run: 1, seq: 3, key: '4', message: 'never', attempts: 1 },
        { run: 1, seq: 1, key: '2', message: 'down', attempts: 3 },
      ],
    });
    expect(called()).toEqual(['4', '3', '3', '3', '2', '2', '2', '1']);
    expect((await engine.get(batch.id)).rollback).toMatchObject({ compensated: 2, compensationsFailed: 2 });
    healed = true;
    expect(await restore(batch)).toMatchObject({ status: 'due', compensations: { compensated: 2, left: 2 } });
    expect(await rolledBack(batch)).toMatchObject({ compensations: { compensated: 4, failed: 0 }, failures: [] });
    expect(called().slice(8)).toEqual(['4', '2']);
  });

  test('"later" counts no try, and the report tells which one waits, why and until when', async () => {
    let later = true;
    const { undo, calls } = recorder(() => {
      if (later) throw new RetryLaterError('the shop is closed', 3_600_000);
    });
    const batch = await engine.runUndoable(done, undo, { items: items(2), options: { ...ONE_AT_A_TIME, retryAttempts: 0 } });
    await endedWith(batch, 'completed');
    await restore(batch);
    const { current } = await eventually(
      () => report(batch),
      (each) => each.current?.error === 'the shop is closed',
    );
    expect(current).toEqual({ run: 1, seq: 1, key: '2', attempts: 0, error: 'the shop is closed', dueAt: expect.any(String) });
    later = false;
    await restore(batch);
    expect(await rolledBack(batch)).toMatchObject({ compensations: { compensated: 2 } });
    expect(calls.map(({ key, attempt }) => [key, attempt])).toEqual([
      ['2', 1],
      ['2', 1],
      ['1', 1],
    ]);
  });

  test('one that takes longer than the time limit has failed, even if it does not listen', async () => {
    const { undo, keys: called } = recorder((_, { key }) => (key === '2' ? new Promise<void>(() => undefined) : undefined));
    const batch = await engine.runUndoable(done, undo, {
      items: items(2),
      options: { ...ONE_AT_A_TIME, timeout: 1_000, retryAttempts: 0 },
    });
    await endedWith(batch, 'completed');
    await restore(batch);
    const { failures } = await rolledBack(batch);
    expect(failures).toMatchObject([{ key: '2', message: 'no result within 1000 ms', attempts: 1 }]);
    expect(called()).toEqual(['2', '1']);
  });

  test('a batch that is cancelled is not rolled back by itself', async () => {
    const { undo, keys: called } = recorder();
    const gate = new Gate();
    const work = async (item: Item, { signal }: ItemContext): Promise<ItemResult> => {
      // Its worker has heard of the cancel then, and begins no other item.
      signal.addEventListener('abort', gate.open);
      if (item.key === '3') await gate.opened;
      return done(item);
    };
    const batch = await engine.runUndoable(work, undo, { items: items(9), options: { ...ONE_AT_A_TIME, rollbackOnFailure: true } });
    await eventually(
      () => engine.get(batch.id),
      ({ counts }) => counts.succeeded === 2,
    );
    await engine.call(CancelBatch, { batchId: batch.id });
    await endedWith(batch, 'cancelled');
    // A later batch is rolled back by the same worker, this one is not.
    const failed = await engine.runUndoable(() => Promise.reject(new PermanentError('no')), undo, {
      items: items(1),
      options: { rollbackOnFailure: true },
    });
    await rolledBack(failed);
    expect(called()).toEqual([]);
    expect(await report(batch)).toMatchObject({ status: 'none', compensations: { total: 3, left: 3 }, current: { key: '3' } });
    await restore(batch);
    await rolledBack(batch);
    expect(called()).toEqual(['3', '2', '1']);
  });

  test('what a later run of the batch did is undone before what the first one did', async () => {
    const { undo, keys: called } = recorder();
    let healed = false;
    const work = async (item: Item): Promise<ItemResult> => {
      if (item.key === '1' && !healed) throw new PermanentError('not yet');
      return done(item);
    };
    const batch = await engine.runUndoable(work, undo, { items: items(3), options: ONE_AT_A_TIME });
    await endedWith(batch, 'completed');
    healed = true;
    await engine.call(RetryItems, { batchId: batch.id });
    await endedWith(batch, 'completed');
    await restore(batch);
    await rolledBack(batch);
    expect(called()).toEqual(['1', '3', '2']);
  });

  /** The second of two items fails until it is healed. */
  const halfFailed = async (undo: UndoScript) => {
    let healed = false;
    const work = (item: Item): ItemResult | Promise<ItemResult> => {
      if (item.key === '2' && !healed) throw new PermanentError('not yet');
      return done(item);
    };
    const batch = await engine.runUndoable(work, undo, { items: items(2), options: { ...ONE_AT_A_TIME, retryAttempts: 0 } });
    await endedWith(batch, 'completed');
    return { batch, heal: () => (healed = true) };
  };

  test('a batch of which something was taken back is not repeated: it would count what is undone as succeeded', async () => {
    const { batch } = await halfFailed(recorder().undo);
    await restore(batch);
    await rolledBack(batch);
    await expect(engine.call(RetryItems, { batchId: batch.id })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: `batch ${batch.id} was rolled back: what its items did is undone; create a new batch to repeat them`,
    });
    expect(await engine.get(batch.id)).toMatchObject({ run: 1, rollback: { status: 'done', compensated: 1 } });
  });

  test('a batch of which nothing could be taken back may be repeated, and goes on telling that', async () => {
    const { batch, heal } = await halfFailed(() => Promise.reject(new PermanentError('the show is over')));
    await restore(batch);
    await rolledBack(batch);
    heal();
    await engine.call(RetryItems, { batchId: batch.id });
    await endedWith(batch, 'completed');
    expect(await engine.get(batch.id)).toMatchObject({
      run: 2,
      counts: { succeeded: 2 },
      rollback: { status: 'done', compensated: 0, compensationsFailed: 1 },
    });
  });

  test('a rollback that the batch’s own rule asks for is kept in the audit as the service’s', async () => {
    const work = () => Promise.reject(new PermanentError('no'));
    const input = { items: items(1), options: { rollbackOnFailure: true } };
    const batch = await engine.runUndoable(work, recorder().undo, input);
    await endedWith(batch, 'failed');
    const { rows } = await engine.call(ListAudit, { batchId: batch.id });
    expect(rows.map(({ by, action }) => [by, action])).toEqual([['service', 'roll back']]);
  });

  test('only one process is at it, however long it takes', async () => {
    const gate = new Gate();
    const { undo, keys: called } = recorder(() => gate.opened);
    const batch = await engine.runUndoable(done, undo, { items: items(2), options: ONE_AT_A_TIME });
    await endedWith(batch, 'completed');
    const { app, database } = engine.service;
    const other = new Compensator(
      database,
      Config.from({ LEASE_MS: '1000' }),
      app.get(ItemHandlerRegistry, { strict: false }),
      app.get(HangingCalls, { strict: false }),
    );
    const first = new Compensator(
      database,
      Config.from({ LEASE_MS: '1000' }),
      app.get(ItemHandlerRegistry, { strict: false }),
      app.get(HangingCalls, { strict: false }),
    );
    await restore(batch);
    const working = first.compensate(batch.id);
    await eventually(
      () => called().length,
      (count) => count === 1,
    );
    const leases = () =>
      engine.sql<{ n: number }>('SELECT extract(epoch FROM lease_until)::float8 AS n FROM rollback_turn WHERE batch_id = $1', [batch.id]);
    const [begun] = await leases();
    await eventually(leases, ([now]) => now!.n > begun!.n + 1);
    await other.compensate(batch.id);
    expect(called()).toEqual(['2']);
    gate.open();
    await working;
    await rolledBack(batch);
    expect(called()).toEqual(['2', '1']);
  });

  test('a rollback that takes long, and some that wait for a worker that knows how, do not hold up another one', async () => {
    const gate = new Gate();
    const slow = await engine.runUndoable(done, recorder(() => gate.opened).undo, { items: items(1) });
    const unknown = [];
    for (let n = 0; n < 5; n += 1) unknown.push(await engine.runUndoable(done, recorder().undo, { items: items(1) }));
    for (const batch of [slow, ...unknown]) await endedWith(batch, 'completed');
    const ids = unknown.map(({ id }) => id);
    await engine.sql(`UPDATE batch SET operation = 'of-another-release' WHERE id = ANY ($1)`, [ids]);
    for (const batch of [slow, ...unknown]) await restore(batch);
    const quick = await engine.runUndoable(done, recorder().undo, { items: items(1) });
    await endedWith(quick, 'completed');
    await restore(quick);
    await rolledBack(quick);
    expect(await report(slow)).toMatchObject({ status: 'due' });
    gate.open();
    await rolledBack(slow);
    expect(await report(unknown[0]!)).toMatchObject({ status: 'due', compensations: { left: 1 } });
    await engine.sql(`UPDATE batch SET operation = $2 WHERE id = ANY ($1)`, [ids, slow.operation]);
    for (const batch of unknown) await rolledBack(batch);
  });

  test('a tenant neither sees nor starts another one’s rollback', async () => {
    const { undo, keys: called } = recorder();
    const batch = await engine.runUndoable(done, undo, { items: items(2), options: ONE_AT_A_TIME });
    await endedWith(batch, 'completed');
    await expect(report(batch, 'umbrella')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(restore(batch, 'umbrella')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(called()).toEqual([]);
    expect(await report(batch)).toMatchObject({ status: 'none' });
  });

  test('a batch cannot be deleted while it is undone, and takes everything with it afterwards', async () => {
    await engine.sql('TRUNCATE compensation, rollback_turn');
    const gate = new Gate();
    const { undo } = recorder(() => gate.opened);
    const batch = await engine.runUndoable(done, undo, { items: items(3), options: ONE_AT_A_TIME });
    await endedWith(batch, 'completed');
    await restore(batch);
    await expect(engine.call(DeleteBatch, { batchId: batch.id })).rejects.toMatchObject({ code: 'CONFLICT' });
    gate.open();
    await rolledBack(batch);
    await engine.call(DeleteBatch, { batchId: batch.id });
    expect(await engine.sql('SELECT run_id FROM compensation')).toEqual([]);
    expect(await engine.sql('SELECT batch_id FROM rollback_turn')).toEqual([]);
  });

  test('a handler without compensate: the rollback tells that nothing could be undone', async () => {
    const batch = await engine.run(done, { items: items(2), options: ONE_AT_A_TIME });
    await endedWith(batch, 'completed');
    await restore(batch);
    const { failures, compensations } = await rolledBack(batch);
    expect(compensations).toMatchObject({ total: 2, failed: 2 });
    expect(failures[0]!.message).toBe('the item handler of "scripted" has no compensate');
  });

  test('a compensation of more than 16 kB fails its item; items without one leave nothing behind', async () => {
    const work = ({ key }: Item): ItemResult => (key === '1' ? { compensation: 'x'.repeat(16_384) } : {});
    const batch = await engine.run(work, { items: items(3), options: ONE_AT_A_TIME });
    await endedWith(batch, 'completed');
    const [first] = await engine.outcomes(batch);
    expect(first).toMatchObject({ status: 'failed', error: { kind: 'invalid-result' } });
    expect(first!.error!.message).toContain('the compensation has 16386 characters; at most 16384 are kept');
    expect(await report(batch)).toMatchObject({ compensations: { total: 0 }, current: null });
    await expect(restore(batch)).rejects.toMatchObject({ code: 'CONFLICT' });
  });
});
