import { randomUUID } from 'node:crypto';
import type { BatchOptionsInput } from '../../src/batches/batch.options.js';
import type { BatchView } from '../../src/batches/batch.view.js';
import { AddItems } from '../../src/batches/commands/add-items.command.js';
import { DeleteBatch } from '../../src/batches/commands/delete-batch.command.js';
import { itemsFromArray } from '../../src/batches/item-source.js';
import { PutRecord } from '../../src/records/commands/put-record.command.js';
import { RestoreBatch } from '../../src/records/commands/restore-batch.command.js';
import type { NewRecord } from '../../src/records/store/upsert-records.js';
import { Api, type Problem } from '../contracts/api.js';
import { Engine } from '../support/engine.js';
import { eventually } from '../support/eventually.js';
import { fieldsIn, Holder, numbered, recordRows, seed, toItems } from '../support/records.js';

const COUNT = 1_000;
/** Of a batch whose items have no compensations. */
const DONE = { status: 'done', compensations: { total: 0, compensated: 0, failed: 0, left: 0 } };
/** Every second record is there, with a file, an annotation or neither. */
const OLD = numbered(COUNT, (n) => ({ n, text: `old ${n}`, ...(n % 3 ? {} : { annotation: { n }, annotation_status: 'done' }) }))
  .filter((_, n) => n % 2 === 0)
  .map((record, n): NewRecord => ({ ...record, fileId: n % 5 ? null : randomUUID() }));

describe('the backup of a batch', () => {
  let engine: Engine;

  beforeAll(async () => (engine = await Engine.start()));
  afterAll(() => engine.close());
  beforeEach(() => engine.sql('TRUNCATE record, record_backup'));

  const importRows = async (records: NewRecord[], options: BatchOptionsInput = {}, tenant = 'acme'): Promise<BatchView> => {
    const input = { operation: 'import', items: toItems(records), parameters: { collection: 'things' } };
    const { id } = await engine.create({ ...input, options: { backupStrategy: 'auto', batchSize: 100, ...options } }, { tenant });
    await eventually(
      () => engine.sql(`SELECT FROM batch b JOIN run r ON r.id = b.run_id WHERE b.id = $1 AND r.ended_at IS NOT NULL`, [id]),
      (rows) => rows.length === 1,
      30_000,
    );
    return { id } as BatchView;
  };
  const restore = ({ id }: { id: string }, tenant = 'acme') => engine.call(RestoreBatch, { batchId: id }, { tenant });
  const put = (key: string, fields: Record<string, unknown>, tenant = 'acme') =>
    engine.call(PutRecord, { collection: 'things', key, fields }, { tenant });

  test.each(['auto', 'merge'] as const)(
    'import (%s) of 1,000 records of which half exist: a restore gives all back, to the microsecond',
    async (conflictResolution) => {
      await seed(engine, 'things', OLD);
      await seed(engine, 'others', OLD.slice(0, 10));
      await seed(engine, 'things', OLD, 'umbrella');
      const before = await recordRows(engine);
      const elsewhere = await recordRows(engine, 'umbrella');
      const batch = await importRows(
        numbered(COUNT, (n) => ({ n, text: `new ${n}` })),
        { conflictResolution },
      );
      expect(Object.keys(await fieldsIn(engine, 'things'))).toHaveLength(COUNT);
      expect((await fieldsIn(engine, 'things')).k0000).toEqual({ n: 0, text: 'new 0' });
      expect(await restore(batch)).toEqual({ ...DONE, restored: COUNT / 2, removed: COUNT / 2, leftAlone: 0, leftAloneKeys: [] });
      expect(await recordRows(engine)).toEqual(before);
      expect(await recordRows(engine, 'umbrella')).toEqual(elsewhere);
      expect((await engine.get(batch.id)).rollback).toMatchObject({
        status: 'done',
        restored: COUNT / 2,
        removed: COUNT / 2,
        leftAlone: 0,
      });
    },
  );

  test('annotations are taken back too', async () => {
    await seed(engine, 'things', OLD.slice(0, 200));
    const before = await recordRows(engine);
    const batch = await engine.create({
      operation: 'annotate',
      filters: {},
      parameters: { collection: 'things' },
      options: { backupStrategy: 'auto' },
    });
    expect((await engine.ended(batch, 30_000)).counts.succeeded).toBe(200);
    expect(await recordRows(engine)).not.toEqual(before);
    expect(await restore(batch)).toMatchObject({ restored: 200, removed: 0, leftAlone: 0 });
    expect(await recordRows(engine)).toEqual(before);
  });

  test('rows that were skipped or changed nothing are not in the backup', async () => {
    await seed(engine, 'things', [
      { key: 'same', fields: { n: 1 } },
      { key: 'other', fields: { n: 1 } },
    ]);
    const rows = ['same', 'other', 'new'].map((key) => ({ key, fields: { n: key === 'same' ? 1 : 2 } }));
    const batch = await importRows(rows, { conflictResolution: 'skip' });
    expect(await restore(batch)).toEqual({ ...DONE, restored: 0, removed: 1, leftAlone: 0, leftAloneKeys: [] });
    expect(await fieldsIn(engine, 'things')).toEqual({ same: { n: 1 }, other: { n: 1 } });
  });

  test('what somebody changed afterwards is left alone and reported; what he wrote unchanged is not changed', async () => {
    await seed(engine, 'things', OLD);
    const batch = await importRows(numbered(COUNT, (n) => ({ n, text: `new ${n}` })));
    for (let n = 0; n < 120; n += 1) await put(`k${String(n).padStart(4, '0')}`, { n, text: 'mine' });
    await put('k0120', { n: 120, text: 'new 120' });
    const report = await restore(batch);
    expect(report).toMatchObject({ restored: 440, removed: 440, leftAlone: 120 });
    expect(report.leftAloneKeys).toEqual(Array.from({ length: 100 }, (_, n) => `k${String(n).padStart(4, '0')}`));
    const after = await fieldsIn(engine, 'things');
    expect(Object.values(after).filter(({ text }) => text === 'mine')).toHaveLength(120);
    expect(after.k0120).toEqual(OLD[60]!.fields);
    expect(await restore(batch)).toEqual(report);
    expect(await fieldsIn(engine, 'things')).toEqual(after);
  });

  test('two batches over the same records are taken back in the opposite order, and so all is as it was', async () => {
    await seed(engine, 'things', OLD);
    const before = await recordRows(engine);
    const first = await importRows(numbered(COUNT, (n) => ({ n, by: 'first' })));
    const between = await recordRows(engine);
    const second = await importRows(numbered(COUNT, (n) => ({ n, by: 'second' })));
    expect(await restore(first)).toMatchObject({ restored: 0, removed: 0, leftAlone: COUNT });
    expect(await restore(second)).toMatchObject({ restored: COUNT, removed: 0, leftAlone: 0 });
    expect(await recordRows(engine)).toEqual(between);
    expect(await restore(first)).toMatchObject({ restored: COUNT / 2, removed: COUNT / 2, leftAlone: 0 });
    expect(await recordRows(engine)).toEqual(before);
  });

  test('four batches that write the same records at the same time can all be taken back', async () => {
    await seed(engine, 'things', OLD);
    const before = await recordRows(engine);
    const options = { concurrency: 200, batchSize: 50 };
    const batches = await Promise.all(
      ['a', 'b', 'c', 'd'].map((by) =>
        importRows(
          numbered(COUNT, (n) => ({ n, by })),
          options,
        ),
      ),
    );
    // The order in which they came differs from record to record.
    for (let round = 0; round < batches.length; round += 1) for (const batch of batches) await restore(batch);
    expect(await recordRows(engine)).toEqual(before);
    for (const batch of batches) expect((await engine.get(batch.id)).rollback).toMatchObject({ status: 'done', leftAlone: 0 });
  }, 90_000);

  test('a batch that writes a record several times goes back to before the first', async () => {
    await seed(engine, 'things', [{ key: 'twice', fields: { n: 0 } }]);
    const before = await recordRows(engine);
    const rows = ['twice', 'new', 'twice', 'new', 'twice'].map((key, n) => ({ key, fields: { n: n + 1 } }));
    const batch = await importRows(rows, { batchSize: 1 });
    expect(await fieldsIn(engine, 'things')).toEqual({ twice: { n: 5 }, new: { n: 4 } });
    expect(await restore(batch)).toMatchObject({ restored: 1, removed: 1, leftAlone: 0 });
    expect(await recordRows(engine)).toEqual(before);
  });

  test('what somebody wrote between two writes of the batch is what comes back', async () => {
    await seed(engine, 'things', [{ key: 'k', fields: { n: 0 } }]);
    const input = { operation: 'import', open: true, start: true, parameters: { collection: 'things' } };
    const batch = await engine.create({ ...input, items: toItems([{ key: 'k', fields: { n: 1 } }]), options: { backupStrategy: 'auto' } });
    await eventually(
      () => engine.get(batch.id),
      ({ counts }) => counts.succeeded === 1,
      30_000,
    );
    await put('k', { n: 'mine' });
    const before = await recordRows(engine);
    await engine.call(AddItems, { batchId: batch.id, source: itemsFromArray(toItems([{ key: 'k', fields: { n: 2 } }])), seal: true });
    await engine.ended(batch, 30_000);
    expect(await fieldsIn(engine, 'things')).toEqual({ k: { n: 2 } });
    expect(await restore(batch)).toMatchObject({ restored: 1, leftAlone: 0 });
    expect(await recordRows(engine)).toEqual(before);
  });

  test('restores of one batch at the same time do each record once, and all tell the same', async () => {
    await seed(engine, 'things', OLD);
    const batch = await importRows(numbered(COUNT, (n) => ({ n, text: `new ${n}` })));
    await put('k0001', { mine: true });
    await put('k0998', { mine: true });
    const reports = await Promise.all(Array.from({ length: 5 }, () => restore(batch)));
    const report = { ...DONE, restored: 499, removed: 499, leftAlone: 2, leftAloneKeys: ['k0001', 'k0998'] };
    expect(reports).toEqual(Array.from({ length: 5 }, () => report));
    const after = await fieldsIn(engine, 'things');
    expect(Object.keys(after)).toHaveLength(501);
    expect(after.k0500).toEqual(OLD[250]!.fields);
  });

  test('a tenant cannot restore another one’s batch, and its restore touches only its own records', async () => {
    await seed(engine, 'things', OLD);
    await seed(engine, 'things', OLD, 'umbrella');
    const rows = numbered(COUNT, (n) => ({ n, text: 'new' }));
    const [mine] = await Promise.all([importRows(rows), importRows(rows, {}, 'umbrella')]);
    const theirs = await recordRows(engine, 'umbrella');
    await expect(restore(mine, 'umbrella')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await recordRows(engine, 'umbrella')).toEqual(theirs);
    await restore(mine);
    expect(await recordRows(engine, 'umbrella')).toEqual(theirs);
    expect(await fieldsIn(engine, 'things')).toEqual(Object.fromEntries(OLD.map(({ key, fields }) => [key, fields])));
  });

  test('without a backup nothing is saved, and a restore is refused with what to do', async () => {
    await seed(engine, 'things', OLD);
    const batch = await importRows(
      numbered(COUNT, (n) => ({ n })),
      { backupStrategy: 'none' },
    );
    const after = await recordRows(engine);
    await expect(restore(batch)).rejects.toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('backupStrategy "auto"') });
    expect(await recordRows(engine)).toEqual(after);
    expect(await engine.sql('SELECT FROM record_backup')).toEqual([]);
    expect((await engine.get(batch.id)).rollback).toBeNull();
  });

  test('the backup goes with its batch, which cannot go while it is taken back', async () => {
    await seed(engine, 'things', OLD);
    const batch = await importRows(numbered(COUNT, (n) => ({ n, text: 'new' })));
    const somebody = await Holder.of(engine.service.databaseUrl, `SELECT FROM record WHERE key = 'k0700' FOR UPDATE`);
    const restoring = restore(batch);
    await somebody.isWaitedFor();
    const deletion = engine.call(DeleteBatch, { batchId: batch.id });
    await expect(deletion).rejects.toMatchObject({ code: 'CONFLICT', message: expect.stringContaining('being taken back') });
    await somebody.letGo();
    expect(await restoring).toMatchObject({ restored: 500, removed: 500 });
    await engine.call(DeleteBatch, { batchId: batch.id });
    expect(await engine.sql('SELECT FROM record_backup')).toEqual([]);
  });

  test('over HTTP: POST /api/batches/:id/restore', async () => {
    const api = new Api(engine.service.url);
    const created = await api.post<{ data: BatchView }>('/api/batches', {
      operation: 'import',
      open: true,
      start: true,
      items: [{ key: 'a', payload: { n: 1 } }],
      parameters: { collection: 'things' },
      options: { backupStrategy: 'auto' },
    });
    const { id } = created.body.data;
    const early = await api.post<Problem>(`/api/batches/${id}/restore`);
    expect(early.status).toBe(409);
    expect(early.body.message).toContain('when it has ended');
    await api.post(`/api/batches/${id}/seal`);
    await eventually(
      () => api.get<{ data: BatchView }>(`/api/batches/${id}`),
      ({ body }) => body.data.endedAt !== null,
      30_000,
    );
    const answer = await api.post(`/api/batches/${id}/restore`);
    expect(answer).toMatchObject({
      status: 200,
      body: { success: true, data: { ...DONE, restored: 0, removed: 1, leftAlone: 0, leftAloneKeys: [] } },
    });
    expect(await fieldsIn(engine, 'things', 'default')).toEqual({});
    const audit = await api.get<{ data: object[] }>(`/api/batches/${id}/audit`);
    expect(audit.body.data[0]).toMatchObject({ action: 'restore', by: null });
    expect((await api.post('/api/batches/no-such-batch/restore')).status).toBe(404);
  });
});
