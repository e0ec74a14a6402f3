import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { ListOutcomes } from '../../src/batches/queries/list-outcomes.query.js';
import { Config } from '../../src/config.js';
import { FreeSpace } from '../../src/database/free-space.js';
import { toFileFault } from '../../src/records/file-faults.js';
import { FileStore } from '../../src/records/file-store.js';
import { Api, type Problem } from '../contracts/api.js';
import { Engine } from '../support/engine.js';
import { eventually } from '../support/eventually.js';

let engine: Engine;
let api: Api;
let files: FileStore;
let incoming: string;

beforeAll(async () => {
  engine = await Engine.start();
  api = new Api(engine.service.url);
  files = engine.service.app.get(FileStore, { strict: false });
  incoming = join(dataDirOf(engine), 'files', 'incoming');
});
afterAll(() => engine.close());

const dataDirOf = ({ service }: Engine) => service.app.get(Config).dataDir;

const save = (bytes: Buffer, name = 'rows.csv') => files.save(Readable.from([bytes]), { tenant: 'default', name, mediaType: 'text/csv' });

async function readAll(file: Parameters<FileStore['read']>[0]): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of files.read(file)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function age(path: string): Promise<void> {
  const twoDaysAgo = Date.now() / 1_000 - 2 * 86_400;
  await utimes(path, twoDaysAgo, twoDaysAgo);
}

test('what is stored is read as it was, and leaves nothing else behind', async () => {
  const bytes = randomBytes(300_000);
  const file = await save(bytes);
  expect(file).toMatchObject({ size: '300000', sha256: createHash('sha256').update(bytes).digest('hex') });
  expect((await readAll(file)).equals(bytes)).toBe(true);
  expect(await readdir(incoming)).toEqual([]);
});

test('of a stream that has begun a changed file is an error at its end, never a short or wrong success', async () => {
  const file = await save(randomBytes(300_000));
  await writeFile(files.pathOf(file), randomBytes(300_000));
  const seen: number[] = [];
  const reading = (async () => {
    for await (const chunk of files.read(file)) seen.push(chunk.length);
  })();
  await expect(reading).rejects.toMatchObject({ code: 'CONFLICT', message: expect.stringMatching(/SHA-256 differs.*store it again/) });
  expect(seen.reduce((sum, length) => sum + length, 0)).toBe(300_000);
});

test('an import of a file that is gone, cut or changed answers 409 and imports nothing', async () => {
  const rows = Buffer.from('name\n' + 'Keller\n'.repeat(1_000));
  const damages: [(path: string) => Promise<void>, RegExp][] = [
    [(path) => rm(path), /its bytes are gone/],
    [(path) => truncate(path, 500), /it has 500 bytes, and 7005 were stored/],
    [(path) => writeFile(path, rows.toString().replace('Keller', 'Miller')), /SHA-256 differs/],
  ];
  for (const [damage, how] of damages) {
    const file = await save(rows);
    await damage(files.pathOf(file));
    const { status, body } = await api.post<Problem>('/api/records/people/import', { fileId: file.id });
    expect([status, body.message]).toEqual([409, expect.stringMatching(how)]);
    expect(body.message).not.toContain(dataDirOf(engine));
  }
  expect(await engine.rowCounts()).toMatchObject({ batch: 0, chunk: 0 });
});

test('a record whose file is gone fails with that reason, and the others of its chunk are annotated', async () => {
  const file = await save(Buffer.from('a letter'), 'letter.txt');
  await rm(files.pathOf(file));
  await api.send('PUT', '/api/records/letters/lost', { fields: { title: 'x' }, fileId: file.id });
  await api.send('PUT', '/api/records/letters/kept', { fields: { title: 'A fine day for the market in the old town' } });
  const { body } = await api.post<{ data: { id: string } }>('/api/batches', {
    operation: 'annotate',
    items: ['lost', 'kept'],
    parameters: { collection: 'letters' },
  });
  const results = await eventually(
    async () => (await engine.call(ListOutcomes, { batchId: body.data.id }, { tenant: 'default' })).rows,
    (rows) => rows.length === 2,
  );
  expect(results).toMatchObject([
    { key: 'lost', status: 'failed', error: { message: expect.stringMatching(/its bytes are gone/) } },
    { key: 'kept', status: 'succeeded' },
  ]);
});

test('what a killed process left of an upload is removed after a day, and not before', async () => {
  await writeFile(join(incoming, 'old'), 'half');
  await writeFile(join(incoming, 'young'), 'half');
  await age(join(incoming, 'old'));
  await files.removeAbandoned();
  expect(await readdir(incoming)).toEqual(['young']);
  await rm(join(incoming, 'young'));
});

test('a file whose process died before the database listed it is removed after a day, and one that is listed stays', async () => {
  const [listed, unlisted] = [await save(Buffer.from('a')), await save(Buffer.from('b'))];
  await engine.sql('DELETE FROM file WHERE id = $1', [unlisted.id]);
  for (const { id } of [listed, unlisted]) {
    await writeFile(join(incoming, `${id}.unsure`), '');
    await age(join(incoming, `${id}.unsure`));
  }
  await files.removeAbandoned();
  expect(await readdir(incoming)).toEqual([]);
  expect((await readAll(listed)).toString()).toBe('a');
  await expect(stat(files.pathOf(unlisted))).rejects.toThrow('ENOENT');
});

test('of a database that goes away in the middle nobody knows whether it listed the file: its bytes stay for a day', async () => {
  await engine.sql(`CREATE FUNCTION go_away() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE SQLSTATE '57P01'; END $$`);
  await engine.sql('CREATE TRIGGER away BEFORE INSERT ON file FOR EACH ROW EXECUTE FUNCTION go_away()');
  await expect(save(Buffer.from('a'))).rejects.toThrow();
  await engine.sql('DROP TRIGGER away ON file');
  const [mark] = await readdir(incoming);
  const id = mark!.replace('.unsure', '');
  expect((await stat(files.pathOf({ id }))).size).toBe(1);
  await age(join(incoming, mark!));
  await files.removeAbandoned();
  await expect(stat(files.pathOf({ id }))).rejects.toThrow('ENOENT');
});

test('what the database refuses is not kept', async () => {
  const before = (await readdir(join(dataDirOf(engine), 'files'), { recursive: true })).length;
  await expect(save(Buffer.from('a'), 'nul \0 character')).rejects.toThrow();
  expect((await readdir(join(dataDirOf(engine), 'files'), { recursive: true })).length - before).toBeLessThanOrEqual(1); // the folder
  expect(await readdir(incoming)).toEqual([]);
});

test('a folder that takes no files answers 503 and says so, without its path; nothing is left', async () => {
  const dataDir = await mkdtemp(join(tmpdir(), 'batchwise-files-'));
  await writeFile(join(dataDir, 'files'), 'a file where the folder should be');
  const broken = new FileStore(
    Config.from({ DATA_DIR: dataDir }),
    engine.service.app.get(FreeSpace),
    undefined as never,
    undefined as never,
  );
  const saving = broken.save(Readable.from([Buffer.from('a')]), { tenant: 'a', name: 'a', mediaType: 'text/plain' });
  await expect(saving).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringMatching(/DATA_DIR.*\(ENOTDIR\)/) });
  await rm(dataDir, { recursive: true });
});

test.each([
  ['ENOSPC', 'NO_SPACE', /^no space left in DATA_DIR/],
  ['EDQUOT', 'NO_SPACE', /^no space left in DATA_DIR/],
  ['EACCES', 'UNAVAILABLE', /no right to its files in DATA_DIR \(EACCES\)/],
  ['EROFS', 'UNAVAILABLE', /mounted read-only \(EROFS\)/],
  ['EIO', 'UNAVAILABLE', /the disk of DATA_DIR fails \(EIO\)/],
  ['EMFILE', 'UNAVAILABLE', /too many files open \(EMFILE\)/],
  ['EXDEV', 'UNAVAILABLE', /cannot be read or written \(EXDEV\)/],
])('%s of the disk is told as what it is, and names no folder', (code, appCode, message) => {
  const error = Object.assign(new Error(`${code}: open '/srv/data/files/ab'`), { code, syscall: 'open', path: '/srv/data/files/ab' });
  expect(toFileFault(error)).toMatchObject({ code: appCode, message: expect.stringMatching(message) });
  expect(toFileFault(error).message).not.toContain('/srv');
});
