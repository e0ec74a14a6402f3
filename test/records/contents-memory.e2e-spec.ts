import ExcelJS from 'exceljs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Api } from '../contracts/api.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { type ServiceProcess, spawnService } from '../support/process.js';
import { formOf, upload, uploadDone } from '../support/upload.js';

const ROWS = 200_000;
const MB = 1_048_576;

/** In a process of its own, as users run it: the test's own memory would hide the reader's. */
describe('a large file is read without being held in memory:', () => {
  let database: TestDatabase;
  let folder: string;
  let service: ServiceProcess;

  beforeAll(async () => {
    database = await createTestDatabase();
    folder = await mkdtemp(join(tmpdir(), 'batchwise-large-'));
    service = await spawnService({ DATABASE_URL: database.url, DATA_DIR: join(folder, 'data'), UPLOADS_PER_HOUR: '10' });
  });

  afterAll(async () => {
    await service.end('SIGTERM');
    await database.drop();
    await rm(folder, { recursive: true, force: true });
  });

  /** What was read in a file, and the bytes by which the service grew at most meanwhile. */
  const read = async (name: string, bytes: Buffer) => {
    const before = await service.memory();
    let most = before;
    const timer = setInterval(() => void service.memory().then((now) => (most = Math.max(most, now))), 20);
    const { body } = await upload(service.url, formOf([{ name, bytes }]));
    const { files } = await uploadDone(new Api(service.url), body.data.batchId, 150_000);
    clearInterval(timer);
    return { found: JSON.parse(files[0]!.result!) as object, grown: most - before };
  };

  const csv = (rows: number) => Buffer.from(`text,number,day\n${`${'some words of text '.repeat(8)},17,2026-01-31\n`.repeat(rows)}`);

  const workbook = async (rows: number) => {
    const filename = join(folder, `${rows}.xlsx`);
    const writer = new ExcelJS.stream.xlsx.WorkbookWriter({ filename });
    const sheet = writer.addWorksheet('Rows');
    for (let n = 0; n < rows; n += 1) sheet.addRow([`some words of text ${n}`, n, 'and some more words of text']).commit();
    await writer.commit();
    return readFile(filename);
  };

  test('a CSV of 270,000 rows', async () => {
    const rows = 270_000;
    await read('small.csv', csv(rows / 10));
    const bytes = csv(rows);
    expect(bytes.length).toBeGreaterThan(40 * MB);
    const { found, grown } = await read('large.csv', bytes);
    expect(found).toMatchObject({ rows, raggedRows: 0, columns: [{ type: 'text' }, { type: 'integer' }, { type: 'date' }] });
    // 40 to 65 MB, whether the file has 18 or 49.
    expect(grown).toBeLessThan(80 * MB);
  }, 180_000);

  test('a workbook of 200,000 rows', async () => {
    await read('small.xlsx', await workbook(ROWS / 10));
    const { found, grown } = await read('large.xlsx', await workbook(ROWS));
    expect(found).toMatchObject({ sheets: [{ name: 'Rows', rows: ROWS, columns: 3 }] });
    // 35 to 68 MB.
    expect(grown).toBeLessThan(80 * MB);
  }, 180_000);
});
