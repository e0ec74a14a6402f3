import { Readable } from 'node:stream';
import { DeleteCollection } from '../../../src/records/commands/delete-collection.command.js';
import { DeleteRecord } from '../../../src/records/commands/delete-record.command.js';
import { GetRecord } from '../../../src/records/queries/get-record.query.js';
import { ListCollections } from '../../../src/records/queries/list-collections.query.js';
import { ListFiles } from '../../../src/records/queries/list-files.query.js';
import { ListRecords } from '../../../src/records/queries/list-records.query.js';
import { FileStore } from '../../../src/records/file-store.js';
import { RecordStore } from '../../../src/records/record-store.js';
import { findFilesWithoutBatch } from '../../../src/records/store/find-orphaned-files.js';
import { bytesOfFiles, keepFilesOfForm } from '../../../src/records/store/stored-files.js';
import { measureRecords } from '../../../src/records/store/record-totals.js';
import { giveUploadBack, spendUpload } from '../../../src/records/store/spend-upload.js';
import type { Engine } from '../../support/engine.js';
import type { Recorder } from '../recorder.js';
import { batchId, LARGE } from '../seed.js';

const PLACE = { tenant: 'acme', collection: 'letters-1' };

/** Records, files and uploads. */
export async function records(engine: Engine, recorder: Recorder): Promise<void> {
  await writeRecords(engine);
  await readRecords(engine, recorder);
  await keepFiles(engine, recorder);
  await engine.call(DeleteCollection, { collection: 'nothing' });
}

async function writeRecords({ service }: Engine): Promise<void> {
  const store = service.app.get(RecordStore);
  const batch = { batchId: batchId(LARGE), keepsBackup: true };
  const written = Array.from({ length: 100 }, (_, n) => ({ key: `record-${n + 200}`, fields: { status: 'new' } }));
  await store.insert(PLACE, written, batch);
  await store.upsert(PLACE, written, { batch });
  await store.upsert(PLACE, written, { onConflict: 'merge' });
  const found = await store.byKeys(PLACE, ['record-200', 'record-201']);
  await store.merge(
    PLACE,
    [...found.values()].map(({ key, version }) => ({ key, version, patch: { annotated: true } })),
    { batch },
  );
}

async function readRecords(engine: Engine, recorder: Recorder): Promise<void> {
  const filters = {
    'no filter': {},
    'a field': { status: 'open' },
    'a field above': { n: { gt: 39_000 } },
    'a text within': { status: { contains: 'pe' } },
  };
  for (const [name, filter] of Object.entries(filters)) {
    await recorder.during(`page of records: ${name}`, () =>
      engine.call(ListRecords, { collection: PLACE.collection, filter, count: true, afterKey: 'record-2' }),
    );
  }
  const keys = engine.service.app.get(RecordStore).keysMatching(PLACE, { status: 'open' });
  await recorder.during('keys of records', async () => {
    for await (const key of keys) if (key > 'record-3') break;
  });
  await engine.call(GetRecord, { collection: PLACE.collection, key: 'record-200' });
  await engine.call(ListCollections, {});
  await engine.database.transaction((connection) => measureRecords(connection, 'acme'));
  await engine.call(DeleteRecord, { collection: PLACE.collection, key: 'record-200' });
}

async function keepFiles(engine: Engine, recorder: Recorder): Promise<void> {
  const { service, database } = engine;
  const files = service.app.get(FileStore);
  const uploadId = '00000000-0000-4000-8000-000000000000';
  await database.transaction((connection) =>
    spendUpload(
      connection,
      uploadId,
      { tenant: 'acme', userKey: 'user-4', credentialKey: 'subject:key:4' },
      { perUser: 100, perCredential: 4_000 },
    ),
  );
  await findFilesWithoutBatch(database.pool, uploadId);
  await giveUploadBack(database.pool, uploadId);
  let id = '';
  await recorder.during('new file', async () => {
    ({ id } = await files.save(Readable.from([Buffer.from('text')]), { tenant: 'acme', name: 'a.txt', mediaType: 'text/plain' }));
  });
  await recorder.during('file by id', () => files.find('acme', id));
  await engine.call(ListFiles, {});
  await engine.call(ListFiles, { afterId: id });
  await engine.call(ListFiles, { afterId: '00000000-0000-4000-8000-000000000000' }).catch(() => undefined);
  await bytesOfFiles(database.pool, 'acme');
  await keepFilesOfForm(database.pool, uploadId);
  await recorder.during('removal of files', () => files.remove([id]));
}
