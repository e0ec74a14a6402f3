import type { BatchOptionsInput } from '../../src/batches/batch.options.js';
import type { BatchView } from '../../src/batches/batch.view.js';
import type { OutcomeView } from '../../src/batches/item.view.js';
import { StartBatch } from '../../src/batches/commands/start-batch.command.js';
import { RecordStore } from '../../src/records/record-store.js';
import type { NewRecord } from '../../src/records/store/upsert-records.js';
import { Api, type Problem } from '../contracts/api.js';
import { Engine, FAST_RETRY } from '../support/engine.js';
import { fieldsIn, Holder, recordRows, seed, toItems } from '../support/records.js';

const FILE = '0b8f6c0e-3f43-4f7a-9a53-6a4d2f9b7c11';

describe('what a batch does with records that are there already', () => {
  let engine: Engine;
  let collections = 0;
  let collection: string;

  beforeAll(async () => (engine = await Engine.start()));
  afterAll(() => engine.close());
  beforeEach(() => (collection = `c${(collections += 1)}`));

  const run = async (operation: string, items: unknown[], options: BatchOptionsInput): Promise<BatchView & { outcomes: OutcomeView[] }> => {
    const batch = await engine.create({ operation, items, parameters: { collection }, options: { ...FAST_RETRY, ...options } });
    const ended = await engine.ended(batch, 30_000);
    return { ...ended, outcomes: await engine.outcomes(batch) };
  };

  describe.each([false, true])('import, with a backup: %s', (keepsBackup) => {
    const backupStrategy = keepsBackup ? 'auto' : 'none';
    const importRows = (records: NewRecord[], options: BatchOptionsInput) =>
      run('import', toItems(records), { backupStrategy, ...options });

    const OLD: NewRecord[] = [
      { key: 'a', fields: { n: 1, deep: { x: 1, y: 1 } }, fileId: FILE },
      { key: 'b', fields: { n: 1, annotation: { tags: [] }, annotation_status: 'done' } },
      { key: 'same', fields: { n: 1, annotation: { tags: [] }, annotation_status: 'done' } },
    ];
    const NEW: NewRecord[] = [
      { key: 'a', fields: { m: 2, deep: { x: 2 } } },
      { key: 'b', fields: { n: 2 } },
      { key: 'same', fields: { n: 1 } },
      { key: 'z', fields: { n: 2 } },
    ];
    beforeEach(() => seed(engine, collection, OLD));

    test.each(['auto', 'overwrite'] as const)('%s: the row becomes the record', async (conflictResolution) => {
      const { outcomes } = await importRows(NEW, { conflictResolution });
      expect(outcomes.map(({ output }) => (output as { result: string }).result)).toEqual(['updated', 'updated', 'unchanged', 'created']);
      expect(await fieldsIn(engine, collection)).toEqual({
        a: { m: 2, deep: { x: 2 } },
        b: { n: 2 },
        same: OLD[2]!.fields,
        z: { n: 2 },
      });
      expect((await recordRows(engine)).find((row) => row.collection === collection && row.key === 'a')!.file_id).toBeNull();
    });

    test('skip: the record stays, and the row ends as skipped with the reason; the same content is no conflict', async () => {
      const { counts, outcomes } = await importRows(NEW, { conflictResolution: 'skip' });
      expect(counts).toMatchObject({ succeeded: 2, skipped: 2, failed: 0 });
      expect(outcomes.map(({ status, output, error }) => [status, output ?? error])).toEqual([
        ['skipped', expect.anything()],
        ['skipped', expect.anything()],
        ['succeeded', { collection, key: 'same', result: 'unchanged' }],
        ['succeeded', { collection, key: 'z', result: 'created' }],
      ]);
      expect(JSON.stringify(outcomes[0])).toContain('record a is there already');
      expect(await fieldsIn(engine, collection)).toEqual({
        ...Object.fromEntries(OLD.map(({ key, fields }) => [key, fields])),
        z: { n: 2 },
      });
    });

    test('merge: the row’s fields over the record’s, shallow; the file stays; only a changed record loses its annotation', async () => {
      const { counts, outcomes } = await importRows(NEW, { conflictResolution: 'merge' });
      expect(counts).toMatchObject({ succeeded: 4 });
      expect(outcomes.map(({ output }) => (output as { result: string }).result)).toEqual(['updated', 'updated', 'unchanged', 'created']);
      expect(await fieldsIn(engine, collection)).toEqual({
        a: { n: 1, m: 2, deep: { x: 2 } },
        b: { n: 2 },
        same: OLD[2]!.fields,
        z: { n: 2 },
      });
      expect((await recordRows(engine)).find((row) => row.collection === collection && row.key === 'a')!.file_id).toBe(FILE);
    });

    test('fail: the row fails for good and names the record; the others are written', async () => {
      const { counts, outcomes } = await importRows(NEW, { conflictResolution: 'fail', retryAttempts: 3 });
      expect(counts).toMatchObject({ succeeded: 2, failed: 2 });
      expect(outcomes[0]).toMatchObject({
        status: 'failed',
        attempts: 1,
        error: { kind: 'permanent', message: `record a is there already in collection ${collection}` },
      });
      expect(await fieldsIn(engine, collection)).toEqual({
        ...Object.fromEntries(OLD.map(({ key, fields }) => [key, fields])),
        z: { n: 2 },
      });
    });

    const TWICE: NewRecord[] = [
      { key: 'twice', fields: { n: 1, first: true } },
      { key: 'twice', fields: { n: 2, second: true } },
    ];
    test.each([
      ['overwrite', 500, { n: 2, second: true }, { succeeded: 1, skipped: 1 }],
      ['overwrite', 1, { n: 2, second: true }, { succeeded: 2 }],
      ['merge', 500, { n: 2, first: true, second: true }, { succeeded: 2 }],
      ['merge', 1, { n: 2, first: true, second: true }, { succeeded: 2 }],
      ['skip', 500, { n: 1, first: true }, { succeeded: 1, skipped: 1 }],
      ['skip', 1, { n: 1, first: true }, { succeeded: 1, skipped: 1 }],
      ['fail', 500, { n: 1, first: true }, { succeeded: 1, failed: 1 }],
      ['fail', 1, { n: 1, first: true }, { succeeded: 1, failed: 1 }],
    ] as const)('%s: two rows of one batch with the same key, in chunks of %i', async (conflictResolution, batchSize, fields, counts) => {
      const batch = await importRows(TWICE, { conflictResolution, batchSize });
      expect(batch.counts).toMatchObject(counts);
      expect((await fieldsIn(engine, collection)).twice).toEqual(fields);
    });

    test('a wrong row fails alone, whatever the resolution', async () => {
      const { counts } = await run(
        'import',
        [
          { key: 'w', payload: ['no row'] },
          { key: 'z', payload: {} },
        ],
        {
          backupStrategy,
          conflictResolution: 'merge',
        },
      );
      expect(counts).toMatchObject({ succeeded: 1, failed: 1 });
    });
  });

  describe('annotate', () => {
    const TEXT = 'The quarterly report of the Berlin office was published on Monday by the finance department.';

    test.each(['auto', 'merge', 'overwrite'] as const)(
      '%s: annotated records are annotated again, and keep their other fields',
      async (how) => {
        await seed(engine, collection, [{ key: 'a', fields: { text: TEXT, annotation: { old: true }, annotation_status: 'done' } }]);
        const { counts } = await run('annotate', ['a'], { conflictResolution: how });
        expect(counts).toMatchObject({ succeeded: 1 });
        expect((await fieldsIn(engine, collection)).a).toMatchObject({ text: TEXT, annotation: { analyzer: 'offline' } });
      },
    );

    test.each([
      ['skip', { succeeded: 1, skipped: 1 }],
      ['fail', { succeeded: 1, failed: 1 }],
    ] as const)('%s: annotated records are left as they are', async (conflictResolution, counts) => {
      await seed(engine, collection, [
        { key: 'a', fields: { text: TEXT, annotation: { old: true }, annotation_status: 'done' } },
        { key: 'b', fields: { text: TEXT } },
      ]);
      const batch = await run('annotate', ['a', 'b'], { conflictResolution });
      expect(batch.counts).toMatchObject(counts);
      expect(JSON.stringify(batch.outcomes[0])).toContain('record a is annotated already');
      expect(batch.outcomes[0]!.attempts).toBe(1);
      const fields = await fieldsIn(engine, collection);
      expect(fields.a).toEqual({ text: TEXT, annotation: { old: true }, annotation_status: 'done' });
      expect(fields.b).toMatchObject({ annotation_status: 'done' });
    });

    test.each(['skip', 'fail'] as const)('%s: what a try of the same batch wrote before it was cut off is no conflict', async (how) => {
      await seed(engine, collection, [{ key: 'a', fields: { text: TEXT } }]);
      const { id } = await engine.create({
        operation: 'annotate',
        items: ['a'],
        parameters: { collection },
        options: { conflictResolution: how },
        start: false,
      });
      const store = engine.service.app.get(RecordStore);
      const { version } = (await store.byKeys({ tenant: 'acme', collection }, ['a'])).get('a')!;
      const patch = { annotation: { cutOff: true }, annotation_status: 'done' };
      await store.merge({ tenant: 'acme', collection }, [{ key: 'a', version, patch }], { batch: { batchId: id, keepsBackup: false } });
      await engine.call(StartBatch, { batchId: id });
      expect((await engine.ended({ id }, 30_000)).counts).toMatchObject({ succeeded: 1 });
    });

    test.each([
      ['auto', 2],
      ['overwrite', 1],
    ] as const)('%s: a record that changes while it is being read, after %i tries', async (conflictResolution, attempts) => {
      await seed(engine, collection, [{ key: 'a', fields: { text: TEXT } }]);
      const change = `UPDATE record SET fields = fields || '{"changed": true}', updated_at = clock_timestamp() WHERE collection = $1`;
      const somebody = await Holder.of(engine.service.databaseUrl, change, [collection]);
      const batch = await engine.create({
        operation: 'annotate',
        items: ['a'],
        parameters: { collection },
        options: { ...FAST_RETRY, conflictResolution },
      });
      await somebody.isWaitedFor();
      await somebody.letGo();
      expect((await engine.ended(batch, 30_000)).counts).toMatchObject({ succeeded: 1 });
      expect((await engine.outcomes(batch))[0]!.attempts).toBe(attempts);
      expect((await fieldsIn(engine, collection)).a).toMatchObject({ text: TEXT, changed: true, annotation_status: 'done' });
    });
  });

  test('an unknown word is refused by its field; the ERP interface takes the known ones', async () => {
    const api = new Api(engine.service.url);
    const input = { operation: 'import', items: [{ key: 'a', payload: { n: 1 } }], parameters: { collection } };
    for (const [field, value] of Object.entries({ conflictResolution: 'replace', backupStrategy: 'daily', rollbackOnFailure: 'yes' })) {
      const answer = await api.post<Problem>('/api/batches', { ...input, options: { [field]: value } });
      expect(answer.status).toBe(400);
      expect(answer.body.details.errors[0]!.path).toBe(`options.${field}`);
    }
    const options = { conflictResolution: 'skip', backupStrategy: 'auto', rollbackOnFailure: true };
    const created = await api.post<{ batch: { id: string } }>('/api/batch/create', {
      operation: 'import',
      items: input.items,
      options: { collection, ...options },
    });
    expect(created.status).toBe(201);
    const view = await api.get<{ data: BatchView }>(`/api/batches/${created.body.batch.id}`);
    expect(view.body.data.options).toMatchObject(options);
  });
});
