import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Client } from 'pg';
import type { AcceptedUploadReply, UploadJobReply, UploadJobsReply } from '../../src/dialects/uploads/uploads.reply.js';
import { Api } from '../contracts/api.js';
import { createTestDatabase, type TestDatabase } from '../support/database.js';
import { eventually } from '../support/eventually.js';
import { type ServiceProcess, spawnService } from '../support/process.js';
import { csvOf, pdfOf, workbookOf } from '../support/sample-files.js';
import { uploadDone } from '../support/upload.js';

const run = promisify(execFile);
const MB = 1_048_576;

/** A person's way through uploads, against the service as it is built, in a process of its own. */
describe('somebody who uploads files', () => {
  let database: TestDatabase;
  let folder: string;
  let env: Record<string, string>;
  let service: ServiceProcess;

  beforeEach(async () => {
    database = await createTestDatabase();
    folder = await mkdtemp(join(tmpdir(), 'batchwise-uploads-'));
    env = { DATABASE_URL: database.url, DATA_DIR: join(folder, 'data'), LOG_LEVEL: 'info' };
  });

  afterEach(async () => {
    await service.end('SIGTERM');
    await database.drop();
    await rm(folder, { recursive: true, force: true });
  });

  const save = async (name: string, bytes: Buffer) => {
    await writeFile(join(folder, name), bytes);
    return `file=@${join(folder, name)}`;
  };

  const curl = async <Body>(...args: string[]) => {
    const { stdout } = await run('curl', ['-sS', ...args], { maxBuffer: 10 * MB });
    return JSON.parse(stdout) as Body;
  };

  const curlUpload = (forms: string[]) =>
    curl<AcceptedUploadReply>('-X', 'POST', `${service.url}/api/batch/upload`, ...forms.flatMap((form) => ['-F', form]));

  test('sends a PDF, a workbook and a CSV with curl, and reads what was found in them', async () => {
    service = await spawnService(env);
    const { data } = await curlUpload([
      await save('menu1.pdf', await pdfOf('Soup of the day', 'Fish of the day')),
      await save(
        'prices.xlsx',
        await workbookOf({
          Lunch: [
            ['Dish', 'Price'],
            ['Soup', 4.5],
          ],
          Dinner: [['Dish']],
        }),
      ),
      await save(
        'guests.csv',
        csvOf([
          ['name', 'seats', 'day'],
          ['Ada, countess', 2, '2026-01-31'],
          ['Grace', 12, '2026-02-01'],
        ]),
      ),
      'priority=high',
      'user_id=user-123',
    ]);
    expect(data).toMatchObject({ totalFiles: 3, status: 'pending' });

    // What the hook useBatchStatus does until it sees the end.
    const seen: number[] = [];
    const { batch, files, summary } = await eventually(
      async () => {
        const answer = await fetch(`${service.url}/api/batch/jobs/${data.batchId}`);
        const status = ((await answer.json()) as UploadJobReply).data;
        seen.push(status.batch.progressPercent);
        return status;
      },
      (status) => ['completed', 'failed'].includes(status.batch.status),
      60_000,
    );

    expect(batch).toMatchObject({ status: 'completed', progressPercent: 100, priority: 'high', user_id: 'user-123' });
    expect(seen).toEqual([...seen].sort((one, other) => one - other));
    expect(summary).toEqual({ total: 3, completed: 3, processing: 0, pending: 0, failed: 0 });
    const [menu, prices, guests] = files.map(({ result }) => JSON.parse(result!) as Record<string, unknown>);
    expect(menu).toMatchObject({ pages: 2, text: 'Soup of the day\nFish of the day' });
    expect(prices).toMatchObject({
      sheets: [
        { name: 'Lunch', rows: 2, columns: 2 },
        { name: 'Dinner', rows: 1, columns: 1 },
      ],
    });
    expect(guests).toMatchObject({
      rows: 2,
      columns: [
        { name: 'name', type: 'text' },
        { name: 'seats', type: 'integer' },
        { name: 'day', type: 'date' },
      ],
    });
    const list = await curl<UploadJobsReply>(`${service.url}/api/batch/jobs?limit=10&status=completed`);
    expect(list.data.map(({ id }) => id)).toEqual([data.batchId]);
    expect(service.output()).toMatch(/\[Queue\] Processing \d files\.\.\./);
  }, 120_000);

  test('loses nothing when the service is killed in the middle and started again', async () => {
    service = await spawnService({ ...env, UPLOAD_CONCURRENT_FILES: '2' });
    const rows = `${'some words of text,'.repeat(5)}17\n`;
    const forms = await Promise.all(
      Array.from({ length: 6 }, (_, number) =>
        save(`part${number}.csv`, Buffer.from(`${'words,'.repeat(5)}number\n${rows.repeat(120_000)}`)),
      ),
    );
    const { data } = await curlUpload(forms);
    const api = () => new Api(service.url);
    const atKill = await eventually(
      async () => (await api().get<UploadJobReply>(`/api/batch/jobs/${data.batchId}`)).body.data,
      ({ files }) => files.some(({ status, progress }) => status === 'processing' && progress > 0),
      60_000,
    );
    await service.end('SIGKILL');
    expect(atKill.batch.completed_at).toBeNull();
    const working = atKill.files.filter(({ status }) => status === 'processing').map(({ id }) => id);

    service = await spawnService({ ...env, UPLOAD_CONCURRENT_FILES: '2' });
    const done = await uploadDone(api(), data.batchId, 120_000);
    expect(done.batch).toMatchObject({ status: 'completed', processed_files: 6, failed_files: 0 });
    expect(done.files.map(({ id, status, progress }) => ({ id, status, progress }))).toEqual(
      data.files.map(({ id }) => ({ id, status: 'completed', progress: 100 })),
    );
    expect(done.files.filter(({ id }) => working.includes(id)).map(({ result }) => JSON.parse(result!) as object)).toEqual(
      working.map(() => expect.objectContaining({ rows: 120_000, raggedRows: 0 }) as object),
    );
  }, 240_000);

  test('sends 135 MB without the service holding them', async () => {
    service = await spawnService({ ...env, ROLE: 'api' });
    const large = await save('large.csv', Buffer.alloc(45 * MB, 'some words of text,17\n'));
    // The first form makes the heap as large as it works with.
    await curlUpload([await save('small.csv', Buffer.alloc(5 * MB, 'a,b\n'))]);
    const before = await service.memory();
    let most = before;
    const timer = setInterval(() => void service.memory().then((bytes) => (most = Math.max(most, bytes))), 20);
    const { data } = await curlUpload([large, large, large]);
    clearInterval(timer);
    expect(data.files.map(({ fileSize }) => fileSize)).toEqual([45 * MB, 45 * MB, 45 * MB]);
    expect(most - before).toBeLessThan(60 * MB);
  }, 120_000);

  test('what a killed service had stored of a form goes when it is started again a day later', async () => {
    service = await spawnService(env);
    const sending = curlUpload([
      await save('first.csv', Buffer.from('a,b\n1,2\n')),
      await save('second.csv', Buffer.alloc(45 * MB, 'a,b\n')),
    ]).catch(() => 'cut');
    const connection = new Client({ connectionString: database.url });
    await connection.connect();
    const count = async (table: string) => Number((await connection.query<{ n: string }>(`SELECT count(*) AS n FROM ${table}`)).rows[0]!.n);
    await eventually(
      () => count('file'),
      (files) => files > 0,
      60_000,
    );
    await service.end('SIGKILL');
    const outcome = await sending;
    const batches = await count('batch');
    await connection.query(`UPDATE file SET created_at = created_at - interval '25 hours'`);

    service = await spawnService(env);
    // It may have been quicker than the kill: then all is there.
    const stored = outcome === 'cut' && batches === 0 ? 0 : 2;
    await eventually(async () => expect(await count('file')).toBe(stored), undefined, 60_000);
    const entries = await readdir(join(folder, 'data/files'), { recursive: true, withFileTypes: true });
    expect(entries.filter((entry) => entry.isFile() && !entry.parentPath.endsWith('incoming'))).toHaveLength(stored);
    await connection.end();
  }, 120_000);
});
