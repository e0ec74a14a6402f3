import type { BatchOptionsInput } from '../../src/batches/batch.options.js';
import { DeleteCollection } from '../../src/records/commands/delete-collection.command.js';
import { DeleteRecord } from '../../src/records/commands/delete-record.command.js';
import { PutRecord } from '../../src/records/commands/put-record.command.js';
import { RestoreBatch } from '../../src/records/commands/restore-batch.command.js';
import { ListCollections } from '../../src/records/queries/list-collections.query.js';
import { RecordStore } from '../../src/records/record-store.js';
import type { Fields } from '../../src/records/record-fields.js';
import { foldRecordTotals } from '../../src/records/store/record-totals.js';
import { Engine } from '../support/engine.js';
import { assertInvariants } from '../support/invariants.js';
import { numbered, seed, toItems } from '../support/records.js';

const GLOBEX = { tenant: 'globex' };

let engine: Engine;

afterEach(() => assertInvariants(engine.database));

const collections = async (caller?: { tenant: string }) => (await engine.call(ListCollections, {}, caller)).rows;
const put = (collection: string, key: string, fields: Fields, caller?: { tenant: string }) =>
  engine.call(PutRecord, { collection, key, fields }, caller);
const importInto = (collection: string, count: number, text: string, options: BatchOptionsInput = {}) =>
  engine.create({ operation: 'import', parameters: { collection }, items: toItems(numbered(count, (n) => ({ n, text }))), options });
const rowsOfTotals = async () => (await engine.sql<{ n: number }>('SELECT count(*)::int AS n FROM record_total'))[0]!.n;

describe('what collections have', () => {
  beforeAll(async () => (engine = await Engine.start()));
  beforeEach(() => engine.sql('TRUNCATE record'));
  afterAll(() => engine.close());

  test('is counted as it is written, replaced, merged, taken back and deleted', async () => {
    await put('small', 'ä', { text: 'ü' });
    await put('small', 'ä', { text: 'longer than before' });
    await put('small', 'b', {});
    await put('small', 'b', {});
    expect(await collections()).toEqual([{ name: 'small', records: 2, bytes: 2 + '{"text": "longer than before"}'.length + 1 + 2 }]);
    await engine.ended(await importInto('large', 1_200, 'a'));
    const before = await collections();
    expect(before[0]).toMatchObject({ name: 'large', records: 1_200 });
    for (const conflictResolution of ['overwrite', 'merge', 'skip'] as const) {
      const { id } = await importInto('large', 1_300, `of ${conflictResolution}`, { backupStrategy: 'auto', conflictResolution });
      await engine.ended({ id });
      expect((await collections())[0]).toMatchObject({ records: 1_300 });
      await assertInvariants(engine.database);
      await engine.call(RestoreBatch, { batchId: id });
      expect(await collections()).toEqual(before);
    }
    await engine.call(DeleteRecord, { collection: 'small', key: 'ä' });
    await engine.call(DeleteCollection, { collection: 'large' });
    expect(await collections()).toEqual([{ name: 'small', records: 1, bytes: 3 }]);
  });

  test('is told to nobody else', async () => {
    await put('shared', '1', {});
    await put('shared', '1', { theirs: true }, GLOBEX);
    await put('theirs', '1', {}, GLOBEX);
    expect(await collections()).toEqual([{ name: 'shared', records: 1, bytes: 3 }]);
    expect(await collections(GLOBEX)).toMatchObject([{ name: 'shared', bytes: 17 }, { name: 'theirs' }]);
  });

  test('is added up, also while it is being written, and stays the same; nothing stays of a collection that is gone', async () => {
    const writes = Array.from({ length: 200 }, (_, n) => put('busy', String(n % 20), { n }));
    const folds = Array.from({ length: 10 }, () => foldRecordTotals(engine.database.pool));
    await Promise.all([...writes, ...folds]);
    const before = await collections();
    await foldRecordTotals(engine.database.pool);
    expect(await collections()).toEqual(before);
    expect(before).toMatchObject([{ name: 'busy', records: 20 }]);
    expect(await rowsOfTotals()).toBeLessThanOrEqual(20);
    await engine.call(DeleteCollection, { collection: 'busy' });
    await foldRecordTotals(engine.database.pool);
    expect(await rowsOfTotals()).toBe(0);
  });
});

describe('with a bound of bytes for each tenant', () => {
  const BOUND = 10_000;
  const text = (length: number) => ({ text: 'x'.repeat(length - '{"text": ""}'.length - 1) });

  beforeAll(async () => (engine = await Engine.start({ TENANT_RECORDS_BYTES: String(BOUND) })));
  beforeEach(() => engine.sql('TRUNCATE record'));
  afterAll(() => engine.close());

  const bytes = async () => (await collections()).reduce((sum, each) => sum + each.bytes, 0);
  const refusal = { code: 'TOO_LARGE', message: expect.stringContaining('TENANT_RECORDS_BYTES') as string };

  test('a record that would pass it is refused and not written; others, and smaller ones, go on', async () => {
    await put('a', '1', text(6_000));
    await put('b', '1', text(4_000));
    expect(await bytes()).toBe(BOUND);
    await expect(put('c', '1', {})).rejects.toMatchObject(refusal);
    await expect(put('a', '1', text(6_001))).rejects.toMatchObject(refusal);
    expect(await bytes()).toBe(BOUND);
    await put('c', '1', {}, GLOBEX);
    await put('a', '1', text(5_000));
    await put('c', '1', text(1_000));
    await engine.call(DeleteRecord, { collection: 'b', key: '1' });
    await put('c', '2', text(4_000));
    expect(await bytes()).toBe(BOUND);
  });

  test('however many come at once, it is not passed', async () => {
    const written = await Promise.allSettled(Array.from({ length: 40 }, (_, n) => put('many', String(n % 10), text(1_500))));
    const again = await Promise.allSettled(Array.from({ length: 40 }, (_, n) => put('more', String(n + 10), { n: 'x'.repeat(480) })));
    expect([...written, ...again].some(({ status }) => status === 'rejected')).toBe(true);
    expect(await bytes()).toBeLessThanOrEqual(BOUND);
    expect(await bytes()).toBeGreaterThan(BOUND - 600);
  });

  test('what is over it after the bound was lowered can be read, made smaller and deleted', async () => {
    await engine.sql(`INSERT INTO record (tenant, collection, key, fields) VALUES ('acme', 'old', '1', $1), ('acme', 'old', '2', $1)`, [
      JSON.stringify(text(BOUND)),
    ]);
    await put('old', '1', text(BOUND - 1));
    await expect(put('new', '1', {})).rejects.toMatchObject(refusal);
    await engine.call(DeleteCollection, { collection: 'old' });
    await put('new', '1', {});
  });

  test('rows of an import that would pass it fail with that reason at once, and those before them stay', async () => {
    const row = { text: 'x'.repeat(80) };
    const items = toItems(numbered(160, () => row));
    const { id } = await engine.create({ operation: 'import', parameters: { collection: 'rows' }, items, options: { batchSize: 20 } });
    expect(await engine.ended({ id })).toMatchObject({ status: 'completed', counts: { total: 160 } });
    const outcomes = await engine.outcomes({ id });
    const failed = outcomes.filter(({ status }) => status === 'failed');
    expect(failed.length).toBeGreaterThan(0);
    for (const { attempts, error } of failed) {
      expect([attempts, error]).toEqual([1, { kind: 'permanent', message: refusal.message }]);
    }
    expect(await collections()).toMatchObject([{ name: 'rows', records: 160 - failed.length }]);
    expect(await bytes()).toBeLessThanOrEqual(BOUND);
  });

  test('so do items that would write more into their records, and no others of the same call', async () => {
    await seed(
      engine,
      'letters',
      numbered(100, (n) => ({ text: `Letter ${n}` })),
    );
    const { id } = await engine.create({ operation: 'annotate', parameters: { collection: 'letters' } });
    expect(await engine.ended({ id })).toMatchObject({ status: 'failed', counts: { failed: 100 } });
    for (const { error } of await engine.outcomes({ id })) expect(error).toEqual({ kind: 'permanent', message: refusal.message });
  });

  test('a write of many is all or nothing', async () => {
    const store = engine.service.app.get(RecordStore);
    const place = { tenant: 'acme', collection: 'all' };
    await expect(
      store.insert(
        place,
        numbered(100, () => text(200)),
      ),
    ).rejects.toMatchObject(refusal);
    expect(await collections()).toEqual([]);
    await store.insert(
      place,
      numbered(45, () => text(200)),
    );
    expect(await collections()).toMatchObject([{ records: 45 }]);
  });
});
