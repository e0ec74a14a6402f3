import { type DataSource } from 'typeorm';
import { dataSourceOptions, openDataSource } from '../../src/database/data-source.js';
import { Config } from '../../src/config.js';
import { Database } from '../../src/database/sql.js';
import { RecordBound } from '../../src/records/record-bound.js';
import { RecordStore } from '../../src/records/record-store.js';
import { parseRecordFilter } from '../../src/records/record-filter.js';
import { countRecords } from '../../src/records/store/count-records.js';
import { filterSql } from '../../src/records/store/filter-sql.js';
import { selectRecords } from '../../src/records/store/select-records.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';

const place = { tenant: 'acme', collection: 'things' };

describe('the record store', () => {
  let testDatabase: TestDatabase;
  let dataSource: DataSource;
  let database: Database;
  let store: RecordStore;

  beforeAll(async () => {
    testDatabase = await createTestDatabase();
    dataSource = await openDataSource(dataSourceOptions(testDatabase.url, 5));
    database = new Database(dataSource);
    store = new RecordStore(database, new RecordBound(Config.from({}), database));
  });

  afterAll(async () => {
    await dataSource.destroy();
    await testDatabase.drop();
  });

  beforeEach(() => dataSource.query('TRUNCATE record'));

  const keys = async (filter: unknown, where = place) => {
    const found: string[] = [];
    for await (const key of store.keysMatching(where, filter)) found.push(key);
    return found;
  };

  describe('a filter', () => {
    beforeEach(() =>
      store.upsert(place, [
        { key: 'a', fields: { n: 1, s: 'apple', b: true, tags: ['red', 'round'], deep: { er: { x: 1 } }, nothing: null } },
        { key: 'b', fields: { n: 2.5, s: 'Banana', b: false, tags: ['yellow'], deep: { er: { x: 2 } }, 'dot.ted': 1 } },
        { key: 'c', fields: { n: '10', s: '2026-01-05', lines: [{ price: 5 }, { price: 7 }], annotation_status: 'done' } },
        { key: 'd', fields: { n: 100, s: "Robert'); DROP TABLE record;--" } },
      ]),
    );

    test.each([
      ['everything', {}, 'abcd'],
      ['text', { s: 'apple' }, 'a'],
      ['a number, whatever its form', { n: 1.0 }, 'a'],
      ['a boolean', { b: false }, 'b'],
      ['two conditions', { b: true, n: 2.5 }, ''],
      ['a nested field', { 'deep.er.x': 2 }, 'b'],
      ['a field with a dot in its name', { 'dot\\.ted': 1 }, 'b'],
      ['an entry of a list', { 'lines.1.price': 7 }, 'c'],
      ['null, or not there', { nothing: null }, 'abcd'],
      ['null, where it is not', { b: null }, 'cd'],
      ['ne', { s: { ne: 'apple' } }, 'bcd'],
      ['ne of a field that is not there', { b: { ne: true } }, 'bcd'],
      ['a range of numbers, which text is not in', { n: { gt: 1, lte: 100 } }, 'bd'],
      ['a range of text', { s: { gte: '2026-01-01', lt: '2026-02-01' } }, 'c'],
      ['in', { n: { in: [1, '10', null] } }, 'ac'],
      ['contains in text, upper or lower case', { s: { contains: 'AN' } }, 'b'],
      ['contains in a list', { tags: { contains: 'red' } }, 'a'],
      ['contains of what is special in patterns', { s: { contains: '%' } }, ''],
      ['exists', { b: { exists: true } }, 'ab'],
      ['exists, though null', { nothing: { exists: true } }, 'a'],
      ['exists not', { deep: { exists: false } }, 'cd'],
      ['pending annotation: nobody has annotated it', { annotation_status: 'pending' }, 'abd'],
      ['done annotation', { annotation_status: 'done' }, 'c'],
      ['words of SQL in a value', { s: "Robert'); DROP TABLE record;--" }, 'd'],
      ['words of SQL in a name', { "s' OR true --": 'x' }, ''],
      ['a quote and a placeholder in a name', { '"$1"': { gt: 1 } }, ''],
      ['a list is not its only entry', { tags: 'yellow' }, ''],
    ])('finds %s', async (_what, filter, expected) => {
      expect((await keys(filter)).join('')).toBe(expected);
      const selection = { ...place, conditions: parseRecordFilter(filter) };
      expect(await countRecords(database.pool, selection)).toBe(expected.length);
    });

    test('a wrong one is refused before anything is read', async () => {
      await expect(keys({ a: { $where: 1 } })).rejects.toMatchObject({ details: { errors: [{ path: 'filters.a.$where' }] } });
    });

    test('equality is answered by the index', async () => {
      await dataSource.query(`
        INSERT INTO record (tenant, collection, key, fields)
        SELECT 'acme', 'many', lpad(n::text, 6, '0'), jsonb_build_object('n', n, 'kind', n % 1000) FROM generate_series(1, 20000) n`);
      await dataSource.query('ANALYZE record');
      const values: unknown[] = [];
      const condition = filterSql(parseRecordFilter({ kind: 7 }), values);
      const plan: { 'QUERY PLAN': string }[] = await dataSource.query(`EXPLAIN SELECT key FROM record WHERE ${condition}`, values);
      expect(plan.map((row) => row['QUERY PLAN']).join('\n')).toContain('record_fields');
    });
  });

  test('tenants and collections do not see each other', async () => {
    await store.upsert(place, [{ key: 'mine', fields: { a: 1 } }]);
    await store.upsert({ tenant: 'other', collection: 'things' }, [{ key: 'theirs', fields: { a: 1 } }]);
    await store.upsert({ tenant: 'acme', collection: 'else' }, [{ key: 'elsewhere', fields: { a: 1 } }]);
    expect(await keys({ a: 1 })).toEqual(['mine']);
    expect([...(await store.byKeys(place, ['mine', 'theirs', 'elsewhere'])).keys()]).toEqual(['mine']);
  });

  test('keys are streamed in order over many pages, each once', async () => {
    const records = Array.from({ length: 2_500 }, (_, index) => ({
      key: `k${String((index * 7919) % 2_500).padStart(4, '0')}`,
      fields: { a: 1 },
    }));
    await store.upsert(place, records);
    expect(await keys({ a: 1 })).toEqual(records.map(({ key }) => key).sort());
  });

  test('pages go on after a key', async () => {
    await store.upsert(
      place,
      ['Z', 'a', 'b', 'ä'].map((key) => ({ key, fields: {} })),
    );
    const page = (after?: string) => selectRecords(database.pool, { ...place, conditions: [] }, 2, after);
    expect((await page()).map(({ key }) => key)).toEqual(['Z', 'a']);
    expect((await page('a')).map(({ key }) => key)).toEqual(['b', 'ä']);
  });

  test('an upsert tells what it created, changed and left as it was', async () => {
    expect(
      Object.fromEntries(
        await store.upsert(place, [
          { key: 'a', fields: { n: 1 } },
          { key: 'b', fields: { n: 1 } },
        ]),
      ),
    ).toEqual({ a: 'created', b: 'created' });
    const again = [
      { key: 'a', fields: { n: 2 } },
      { key: 'b', fields: { n: 1 } },
      { key: 'c', fields: {} },
    ];
    expect(Object.fromEntries(await store.upsert(place, again))).toEqual({ a: 'updated', b: 'unchanged', c: 'created' });
    expect((await store.byKeys(place, ['a'])).get('a')!.fields).toEqual({ n: 2 });
  });

  test('an unchanged record keeps its annotation; a changed one loses it, being about what is no more', async () => {
    await store.upsert(place, [
      { key: 'same', fields: { n: 1 } },
      { key: 'other', fields: { n: 1 } },
    ]);
    const read = await store.byKeys(place, ['same', 'other']);
    await store.merge(
      place,
      [...read.values()].map(({ key, version }) => ({ key, version, patch: { annotation: { tags: [] }, annotation_status: 'done' } })),
    );
    await store.upsert(place, [
      { key: 'same', fields: { n: 1 } },
      { key: 'other', fields: { n: 2 } },
    ]);
    const after = await store.byKeys(place, ['same', 'other']);
    expect(after.get('same')!.fields).toEqual({ n: 1, annotation: { tags: [] }, annotation_status: 'done' });
    expect(after.get('other')!.fields).toEqual({ n: 2 });
    await store.upsert(place, [{ key: 'same', fields: { n: 1, annotation_status: 'pending' } }]);
    expect((await store.byKeys(place, ['same'])).get('same')!.fields).toEqual({ n: 1, annotation_status: 'pending' });
  });

  test('fields are merged into records that are as they were read, and only into those', async () => {
    await store.upsert(place, [
      { key: 'a', fields: { n: 1 } },
      { key: 'b', fields: { n: 1 } },
    ]);
    const read = await store.byKeys(place, ['a', 'b']);
    await store.upsert(place, [{ key: 'b', fields: { n: 2 } }]);
    const patches = [...read.values(), { key: 'gone', version: read.get('a')!.version }].map(({ key, version }) => ({
      key,
      version,
      patch: { seen: true },
    }));
    expect([...(await store.merge(place, patches))]).toEqual(['a']);
    const after = await store.byKeys(place, ['a', 'b', 'gone']);
    expect([...after.values()].map(({ key, fields }) => [key, fields])).toEqual(
      expect.arrayContaining([
        ['a', { n: 1, seen: true }],
        ['b', { n: 2 }],
      ]),
    );
  });

  test('two writers with the same keys in opposite orders do not block each other', async () => {
    const records = Array.from({ length: 500 }, (_, index) => ({ key: `k${index}`, fields: { n: 0 } }));
    const write = async (n: number) => {
      const mine = records.map(({ key }) => ({ key, fields: { n } }));
      if (n % 2) mine.reverse();
      await store.upsert(place, mine);
    };
    await Promise.all(Array.from({ length: 12 }, (_, n) => write(n)));
    expect((await keys({})).length).toBe(500);
  });
});
