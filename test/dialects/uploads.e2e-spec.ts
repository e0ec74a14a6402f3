import { write as writeXlsx } from '@e965/xlsx';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, rename } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { SignJWT } from 'jose';
import { Config } from '../../src/config.js';
import type { UploadJobReply, UploadJobsReply } from '../../src/dialects/uploads/uploads.reply.js';
import { FileStore } from '../../src/records/file-store.js';
import { FileCleaner } from '../../src/records/uploads/file-cleaner.js';
import { Api, type Answer, type Problem } from '../contracts/api.js';
import { eventually } from '../support/eventually.js';
import { csvOf, drawn, encryptedPdf, pdfOf, rawPage, workbookOf, zipOf } from '../support/sample-files.js';
import { startTestService, type TestService } from '../support/service.js';
import { type FormFile, formOf, upload, uploadDone } from '../support/upload.js';

const LIMIT = 52_428_800;

const csv = (text = 'dish,price\nSoup,4.5\n'): FormFile => ({ name: 'prices.csv', bytes: Buffer.from(text) });

/** What there is of uploads: rows, and the names of files on the disk. */
async function traces(service: TestService) {
  const { rows } = await service.database.pool.query<{ files: number; uploads: number; batches: number }>(
    'SELECT (SELECT count(*)::int FROM file) AS files, (SELECT count(*)::int FROM upload) AS uploads, (SELECT count(*)::int FROM batch) AS batches',
  );
  const folder = join(service.app.get(Config).dataDir, 'files');
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return { ...rows[0]!, bytes: entries.filter((entry) => entry.isFile()).map(({ name }) => name) };
}

const NOTHING = { files: 0, uploads: 0, batches: 0, bytes: [] };

describe('an upload that is refused', () => {
  let service: TestService;
  let api: Api;
  let menu: Buffer;

  beforeAll(async () => {
    service = await startTestService({ UPLOADS_PER_HOUR: '100' });
    api = new Api(service.url);
    menu = await pdfOf('Soup', 'Fish');
  });

  afterAll(() => service.close());

  const EXE = Buffer.concat([Buffer.from('MZ'), randomBytes(4_000)]);

  const REFUSALS: Record<string, [form: () => FormData, status: number, path: string, message: RegExp]> = {
    'an unknown priority': [() => formOf([csv()], { priority: 'urgent' }), 400, 'priority', /one of high, normal, low/],
    'no file': [() => formOf([], { priority: 'high' }), 400, 'file', /is missing from the form/],
    'text where a file should be': [() => formOf([], { file: 'menu.pdf' }), 400, 'file', /must be an upload, and is text/],
    'a file in another field': [() => formOf([csv(), { ...csv(), field: 'files' }]), 400, 'files', /the field file/],
    'an unknown field': [() => formOf([csv()], { prioriti: 'high' }), 400, 'prioriti', /priority and user_id/],
    'a user id that is too long': [() => formOf([csv()], { user_id: 'u'.repeat(201) }), 400, 'user_id', /at most 200/],
    '51 files': [() => formOf(Array.from({ length: 51 }, () => csv())), 400, 'file', /at most 50 files/],
    'a file name of 300 characters': [() => formOf([{ ...csv(), name: `${'n'.repeat(300)}.csv` }]), 400, 'file.0', /at most 255/],
    'a file of 50 MB and a byte': [
      () => formOf([csv(), { name: 'big.csv', bytes: Buffer.alloc(LIMIT + 1, 'a,b\n') }]),
      413,
      'file.1',
      /big\.csv is larger than 52428800 bytes/,
    ],
    'an executable': [() => formOf([{ name: 'setup.exe', bytes: EXE }]), 415, 'file.0', /setup\.exe is not a PDF, Excel/],
    'a file without an ending': [() => formOf([{ name: 'menu', bytes: menu }]), 415, 'file.0', /menu is not a PDF/],
    'a workbook of Excel before 2007': [() => formOf([{ name: 'old.xls', bytes: EXE }]), 415, 'file.0', /save it as \.xlsx/],
    'an executable called .pdf': [
      () => formOf([csv(), { name: 'menu.pdf', bytes: EXE }]),
      415,
      'file.1',
      /not a PDF.*application\/x-msdownload/,
    ],
    'an executable called .xlsx': [() => formOf([{ name: 'a.xlsx', bytes: EXE }]), 415, 'file.0', /not an Excel workbook/],
    'an executable called .csv': [() => formOf([{ name: 'a.csv', bytes: EXE }]), 415, 'file.0', /not CSV text/],
    'a PDF called .csv': [() => formOf([{ name: 'a.csv', bytes: menu }]), 415, 'file.0', /not CSV text.*application\/pdf/],
    'a zip called .xlsx': [
      () => formOf([{ name: 'a.xlsx', bytes: zipOf({ 'a.txt': Buffer.from('text') }) }]),
      415,
      'file.0',
      /without an Excel workbook/,
    ],
    'a workbook with a password, or of old': [
      () => formOf([{ name: 'a.xlsx', bytes: Buffer.concat([Buffer.from('d0cf11e0a1b11ae1', 'hex'), Buffer.alloc(600)]) }]),
      415,
      'file.0',
      /password or is of Excel before 2007/,
    ],
    'a binary workbook called .xlsx': [
      () =>
        formOf([
          { name: 'a.xlsx', bytes: writeXlsx({ SheetNames: ['A'], Sheets: { A: {} } }, { type: 'buffer', bookType: 'xlsb' }) as Buffer },
        ]),
      415,
      'file.0',
      /a\.xlsx is a binary workbook \(\.xlsb\); save it as \.xlsx/,
    ],
    'a spreadsheet of another office called .xlsx': [
      () =>
        formOf([
          { name: 'a.xlsx', bytes: writeXlsx({ SheetNames: ['A'], Sheets: { A: {} } }, { type: 'buffer', bookType: 'ods' }) as Buffer },
        ]),
      415,
      'file.0',
      /a\.xlsx is an OpenDocument file; save a spreadsheet \(\.ods\) as \.xlsx/,
    ],
    'a CSV called .xlsx': [() => formOf([{ ...csv(), name: 'a.xlsx' }]), 415, 'file.0', /not an Excel workbook.*it is plain text/],
    'a page called .csv': [
      () => formOf([csv('\n<!DOCTYPE html><html>Log in, please</html>')]),
      415,
      'file.0',
      /it is a page of HTML or XML/,
    ],
    'a script called .csv': [() => formOf([csv('#!/bin/sh\nrm -rf /\n')]), 415, 'file.0', /it is a script/],
    'a CSV full of NUL': [() => formOf([{ name: 'a.csv', bytes: Buffer.alloc(5_000) }]), 415, 'file.0', /not CSV text/],
    'a gzip called .csv': [
      () => formOf([{ name: 'a.csv', bytes: gzipSync('a,b\n1,2\n') }]),
      415,
      'file.0',
      /not CSV text.*application\/gzip/,
    ],
    'an empty file': [() => formOf([csv(), csv('')]), 400, 'file.1', /prices\.csv is empty/],
    'a blank CSV': [() => formOf([csv(' \n\n')]), 400, 'file.0', /is empty/],
  };

  test.each(Object.entries(REFUSALS))('for %s leaves no row, no byte and no batch', async (_, [form, status, path, message]) => {
    const answer = await upload<Problem>(service.url, form());
    expect(answer.body).toMatchObject({ success: false, statusCode: status, error: expect.stringMatching(message) });
    expect(answer.status).toBe(status);
    expect(answer.body.details.errors[0]!.path).toBe(path);
    expect(await traces(service)).toEqual(NOTHING);
  });

  test('for a field that is there twice leaves nothing', async () => {
    const form = formOf([csv()], { priority: 'high' });
    form.append('priority', 'low');
    expect(await upload<Problem>(service.url, form)).toMatchObject({
      status: 400,
      body: { error: 'priority: is there twice; send it once' },
    });
    expect(await traces(service)).toEqual(NOTHING);
  });

  test.each(['', 'not a form at all', '--x\r\ncontent-disposition: form-data; name="file"; filename="a.csv"\r\n\r\na,b'])(
    'for a broken form leaves nothing: %j',
    async (body) => {
      const answer = await api.sendText<Problem>('/api/batch/upload', body, 'multipart/form-data; boundary=x');
      expect(answer.status).toBe(400);
      expect(answer.body.message).toMatch(/form/);
      expect(await traces(service)).toEqual(NOTHING);
    },
  );

  test('for a part without a name leaves nothing', async () => {
    const body = '--x\r\ncontent-disposition: form-data; filename="a.csv"\r\n\r\na,b\r\n--x--\r\n';
    const answer = await api.sendText<Problem>('/api/batch/upload', body, 'multipart/form-data; boundary=x');
    expect(answer).toMatchObject({ status: 400, body: { error: expect.stringMatching(/a part of the form has no name/) } });
    expect(answer.body.details.errors[0]!.path).toBe('file');
    expect(await traces(service)).toEqual(NOTHING);
  });

  test('for being no form at all is told what to send', async () => {
    const answer = await api.post<Problem>('/api/batch/upload', { file: 'menu.pdf' });
    expect(answer).toMatchObject({ status: 415, body: { error: expect.stringContaining('curl -F file=@menu.pdf') } });
  });

  test('by a client that hangs up in the middle leaves nothing', async () => {
    const { port } = new URL(service.url);
    const sending = request({
      port,
      path: '/api/batch/upload',
      method: 'POST',
      headers: { 'content-type': 'multipart/form-data; boundary=x' },
    });
    sending.on('error', () => undefined);
    const part = (name: string) => `--x\r\ncontent-disposition: form-data; name="file"; filename="${name}"\r\n\r\n`;
    sending.write(`${part('a.csv')}a,b\n1,2\n\r\n${part('b.csv')}${'1,2\n'.repeat(50_000)}`);
    await eventually(
      () => traces(service),
      ({ files, bytes }) => files === 1 && bytes.length === 2,
    );
    sending.destroy();
    await eventually(async () => expect(await traces(service)).toEqual(NOTHING));
  });

  test('does not keep a right one that is under way at the same time from being taken', async () => {
    const answers = await Promise.all([
      upload(service.url, formOf([csv(), csv()])),
      upload(service.url, formOf([csv(), csv('')])),
      upload(service.url, formOf([csv()])),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([201, 400, 201]);
    expect(await traces(service)).toMatchObject({ files: 3, uploads: 2, batches: 2, bytes: { length: 3 } });
  });
});

describe('an upload', () => {
  let service: TestService;
  let api: Api;
  let files: FileStore;

  beforeAll(async () => {
    service = await startTestService({ UPLOADS_PER_HOUR: '100' });
    api = new Api(service.url);
    files = service.app.get(FileStore, { strict: false });
  });

  afterAll(() => service.close());

  test('of a file of exactly 50 MB is taken', async () => {
    const menu = await pdfOf('Soup');
    const start = /startxref\s+(\d+)/.exec(menu.toString('latin1'))![1];
    const end = `\nstartxref\n${start}\n%%EOF\n`;
    const bytes = Buffer.alloc(LIMIT, '%');
    menu.copy(bytes);
    bytes.write(`\n`, menu.length);
    bytes.write(end, LIMIT - end.length);
    const { body } = await upload(service.url, formOf([{ name: 'menu.pdf', bytes }]));
    expect(body.data.files[0]).toMatchObject({ fileSize: LIMIT });
    expect(JSON.parse((await uploadDone(api, body.data.batchId)).files[0]!.result!)).toMatchObject({ pages: 1, text: 'Soup' });
  });

  test('keeps names as data: without paths, with every letter', async () => {
    const names = ['../../etc/pass.csv', 'C:\\temp\\win.csv', 'Speisekarte für morgen 🍲.csv', '.csv'];
    const { body } = await upload(service.url, formOf(names.map((name) => ({ ...csv(), name }))));
    expect(body.data.files.map(({ filename }) => filename)).toEqual(['pass.csv', 'win.csv', 'Speisekarte für morgen 🍲.csv', '.csv']);
  });

  test('may have its fields before its files, and empty ones', async () => {
    const form = new FormData();
    form.append('user_id', 'ada');
    form.append('priority', '');
    form.append('file', new Blob(['a,b\n']), 'a.csv');
    const { body } = await upload(service.url, form);
    expect((await api.get<UploadJobReply>(`/api/batch/jobs/${body.data.batchId}`)).body.data.batch).toMatchObject({
      user_id: 'ada',
      priority: 'normal',
    });
  });

  test('takes PDFs that are damaged or have bytes around them: what can be read of them is, and the others fail alone', async () => {
    const menu = rawPage({ content: drawn([50, 700, 'Soup of the day']) }).toString('latin1');
    const pdf = (name: string, text: string) => ({ name, bytes: Buffer.from(text, 'latin1') });
    const form = formOf([
      pdf(
        'offset.pdf',
        menu.replace(/startxref\s+(\d+)/, (_, at) => `startxref\n${Number(at) + 8}`),
      ),
      pdf('no-end.pdf', menu.slice(0, menu.indexOf('startxref'))),
      pdf('html-after.pdf', `${menu}<html><body>${'x'.repeat(3_000)}</body></html>`),
      pdf('html-before.pdf', `<html><body>${'x'.repeat(3_000)}</body></html>\n${menu}`),
      pdf('zeros.pdf', menu + '\0'.repeat(4_096)),
      pdf('nothing.pdf', '%PDF-1.7\nnothing more'),
    ]);
    const answer = await upload(service.url, form);
    expect(answer.status).toBe(201);
    const { files } = await uploadDone(api, answer.body.data.batchId);
    expect(files.map(({ filename, status }) => [filename, status])).toEqual([
      ['offset.pdf', 'completed'],
      ['no-end.pdf', 'completed'],
      ['html-after.pdf', 'completed'],
      ['html-before.pdf', 'completed'],
      ['zeros.pdf', 'completed'],
      ['nothing.pdf', 'failed'],
    ]);
    for (const { result } of files.slice(0, 5))
      expect(JSON.parse(result!)).toMatchObject({ kind: 'pdf', pages: 1, text: 'Soup of the day' });
    expect(files[5]!.error).toMatch(/^this PDF cannot be opened: \w/);
  });

  test('is worked even if some of its files cannot be read, and says why', async () => {
    const damaged = await workbookOf({ Prices: Array.from({ length: 2_000 }, (_, n) => [`Dish ${n * 7919}`, n]) });
    damaged.fill(0x55, 2_000, 6_000);
    const form = formOf([
      { name: 'secret.pdf', bytes: encryptedPdf() },
      { name: 'damaged.xlsx', bytes: damaged },
      { name: 'cut.xlsx', bytes: damaged.subarray(0, damaged.length - 100) },
      { name: 'good.csv', bytes: csvOf([['a'], [1]]) },
    ]);
    const done = await uploadDone(api, (await upload(service.url, form)).body.data.batchId);
    expect(done.batch).toMatchObject({ status: 'completed', failed_files: 3, processed_files: 4 });
    expect(done.files.map(({ status, retry_count }) => [status, retry_count])).toEqual([
      ['failed', 0],
      ['failed', 0],
      ['failed', 0],
      ['completed', 0],
    ]);
    expect(done.files[0]!.error).toMatch(/^this PDF cannot be opened: .*password/i);
    expect(done.files[1]!.error).toMatch(/^this workbook cannot be opened: /);
    expect(done.files[2]!.error).toMatch(/^this workbook cannot be opened: /);
  });

  /** An upload whose bytes are away before its reading begins. */
  const uploadWithBytesAway = async () => {
    const held = (
      await api.post<{ data: { id: string } }>('/api/batches', { operation: 'read-file', open: true, options: { retryDelay: 200 } })
    ).body.data;
    const file = await files.save(
      (async function* () {
        yield Buffer.from('a,b\n1,2\n');
      })(),
      { tenant: 'default', name: 'a.csv', mediaType: 'text/csv' },
    );
    const path = files.pathOf(file);
    await rename(path, `${path}.away`);
    await api.post(`/api/batches/${held.id}/items`, { items: [{ key: file.id, payload: { fileId: file.id, filename: 'a.csv' } }] });
    await api.post(`/api/batches/${held.id}/seal`);
    await api.post(`/api/batches/${held.id}/start`);
    return { id: held.id, comeBack: () => rename(`${path}.away`, path) };
  };

  test('whose bytes are away for a while is read at a later try', async () => {
    const { id, comeBack } = await uploadWithBytesAway();
    await eventually(
      () => api.get<UploadJobReply>(`/api/batch/jobs/${id}`),
      ({ body }) => body.data.files[0]!.retry_count >= 1,
    );
    await comeBack();
    const [file] = (await uploadDone(api, id)).files;
    expect(file).toMatchObject({ status: 'completed', progress: 100 });
    expect(file!.retry_count).toBeGreaterThanOrEqual(1);
  });

  test('whose bytes stay away fails after four tries, and can be queued again by its id with all of them', async () => {
    const { id, comeBack } = await uploadWithBytesAway();
    const done = await uploadDone(api, id);
    expect(done.batch).toMatchObject({ status: 'failed' });
    expect(done.files[0]).toMatchObject({
      status: 'failed',
      retry_count: 3,
      error: expect.stringMatching(/^file .* cannot be used: its bytes are gone/),
    });
    await comeBack();
    expect((await api.post(`/api/batches/${id}/retry`, { keys: [done.files[0]!.id] })).status).toBe(200);
    expect((await uploadDone(api, id)).files).toMatchObject([{ id: done.files[0]!.id, status: 'completed', retry_count: 0 }]);
  });

  test('is tried four times, a second apart, and listed so', async () => {
    const { body } = await upload(service.url, formOf([csv()]));
    const { data } = (await api.get<{ data: { options: object } }>(`/api/batches/${body.data.batchId}`)).body;
    expect(data.options).toMatchObject({
      retryAttempts: 3,
      retryBackoff: 'fixed',
      retryDelay: 1_000,
      timeout: 1_800_000,
      retryTimeouts: false,
      concurrency: 3,
    });
  });

  describe('belongs to its batch:', () => {
    const accepted = async () => {
      const { data } = (await upload(service.url, formOf([csv(), csv()]))).body;
      await uploadDone(api, data.batchId);
      return data;
    };
    const pathsOf = (data: { files: { id: string }[] }) => data.files.map((file) => files.pathOf(file));
    const clean = () => service.app.get(FileCleaner, { strict: false }).clean();
    const age = (uploads: string) => service.database.pool.query(`UPDATE upload SET accepted_at = accepted_at - interval '${uploads}'`);

    test('its files stay as long as the batch, and go when that is deleted', async () => {
      const [kept, deleted] = [await accepted(), await accepted()];
      await age('2 hours');
      expect(await clean()).toBe(0);
      expect((await api.delete(`/api/batches/${deleted.batchId}`)).status).toBe(200);
      expect(await clean()).toBe(2);
      expect(pathsOf(deleted).filter(existsSync)).toEqual([]);
      expect(pathsOf(kept).filter(existsSync)).toHaveLength(2);
      const { rows } = await service.database.pool.query('SELECT id FROM file WHERE id = ANY ($1::uuid[])', [
        deleted.files.map(({ id }) => id),
      ]);
      expect(rows).toEqual([]);
    });

    test('what a process that died left of one goes after a day, and not before', async () => {
      const uploadId = '550e8400-e29b-41d4-a716-446655440000';
      const bytes = async function* () {
        yield Buffer.from('a,b\n');
      };
      const orphan = await files.save(bytes(), { tenant: 'default', name: 'a.csv', mediaType: 'text/csv', uploadId });
      const free = await files.save(bytes(), { tenant: 'default', name: 'a.csv', mediaType: 'text/csv' });
      expect(await clean()).toBe(0);
      await service.database.pool.query(`UPDATE file SET created_at = now() - interval '25 hours' WHERE id = ANY ($1::uuid[])`, [
        [orphan.id, free.id],
      ]);
      expect(await clean()).toBe(1);
      expect([orphan, free].map((file) => existsSync(files.pathOf(file)))).toEqual([false, true]);
    });
  });
});

test('a file that takes too long fails with the words of the interface, and is not tried again', async () => {
  const service = await startTestService({ UPLOAD_TIMEOUT_MS: '1' });
  const api = new Api(service.url);
  const rows = `${'some words of text,'.repeat(5)}17\n`.repeat(200_000);
  const { body } = await upload(service.url, formOf([csv(rows)]));
  const done = await uploadDone(api, body.data.batchId);
  expect(done.batch.status).toBe('failed');
  expect(done.files[0]).toMatchObject({ status: 'failed', error: 'Processing timeout exceeded', retry_count: 0 });
  await service.close();
}, 60_000);

describe('the limit of three uploads an hour', () => {
  const SECRET = 'a secret of at least thirty-two characters';
  const tokenOf = async (tenant: string, sub: string) => ({
    authorization: `Bearer ${await new SignJWT({ sub, tenant, exp: Date.now() / 1_000 + 3_600 }).setProtectedHeader({ alg: 'HS256' }).sign(new TextEncoder().encode(SECRET))}`,
  });

  const expectRefused = (answer: Answer<Problem>) => {
    expect(answer.status).toBe(429);
    const seconds = Number(answer.headers.get('retry-after'));
    expect(seconds).toBeGreaterThan(3_500);
    expect(seconds).toBeLessThanOrEqual(3_600);
    expect(answer.body).toMatchObject({
      success: false,
      error: expect.stringMatching(/^3 uploads an hour are allowed; send the next one in (?:59|60) min$/),
    });
  };

  test('refuses the fourth with Retry-After, keeps nothing of it, and counts no upload that was refused', async () => {
    const service = await startTestService();
    const send = (fields: Record<string, string> = {}, file = csv()) => upload<Problem>(service.url, formOf([file], fields));
    expect((await send({}, csv(''))).status).toBe(400);
    expect((await send({ priority: 'urgent' })).status).toBe(400);
    for (let count = 1; count <= 3; count += 1) expect((await send()).status).toBe(201);
    const before = await traces(service);
    expect(before).toMatchObject({ files: 3, uploads: 3, batches: 3 });
    expectRefused(await send());
    expect(await traces(service)).toEqual(before);

    expect((await send({ user_id: 'ada' })).status).toBe(201);
    await service.database.pool.query(
      `UPDATE upload SET accepted_at = accepted_at - interval '61 minutes' WHERE id = (SELECT id FROM upload ORDER BY accepted_at LIMIT 1)`,
    );
    expect((await send()).status).toBe(201);
    expectRefused(await send());
    await service.close();
  });

  test('is for each user of each tenant, and a batch that is deleted still counts', async () => {
    const service = await startTestService({ JWT_SECRET: SECRET });
    const [ada, bob, other] = [await tokenOf('acme', 'ada'), await tokenOf('acme', 'bob'), await tokenOf('globex', 'ada')];
    const send = (headers: Record<string, string>, fields = {}) => upload(service.url, formOf([csv()], fields), headers);
    for (let count = 1; count <= 3; count += 1) {
      const { status, body } = await send(ada);
      expect(status).toBe(201);
      await uploadDone(new Api(service.url, ada), body.data.batchId);
      expect((await new Api(service.url, ada).delete(`/api/batches/${body.data.batchId}`)).status).toBe(200);
    }
    expect((await send(ada)).status).toBe(429);
    expect((await send(bob)).status).toBe(201);
    expect((await send(other)).status).toBe(201);
    expect((await send(ada, { user_id: 'ada' })).status).toBe(429);
    await service.close();
  });

  test('a token uploads for its own user only, an API key for any', async () => {
    const key = 'a-key-of-16-letters';
    const service = await startTestService({ JWT_SECRET: SECRET, API_KEYS: `acme:${key}` });
    const ada = await tokenOf('acme', 'ada');
    const send = (headers: Record<string, string>, fields = {}) => upload<Problem>(service.url, formOf([csv()], fields), headers);
    const refused = await send(ada, { user_id: 'carol' });
    expect([refused.status, refused.body.details.errors[0]!.path]).toEqual([403, 'user_id']);
    expect(await traces(service)).toMatchObject({ files: 0, uploads: 0, batches: 0 });
    for (let count = 1; count <= 2; count += 1) expect((await send({ 'x-api-key': key }, { user_id: 'ada' })).status).toBe(201);
    expect((await send(ada)).status).toBe(201);
    expectRefused(await send(ada));
    expectRefused(await send({ 'x-api-key': key }, { user_id: 'ada' }));
    expect((await send({ 'x-api-key': key }, { user_id: 'carol' })).status).toBe(201);
    await service.close();
  });

  test('holds for uploads at the same time', async () => {
    const service = await startTestService();
    const answers = await Promise.all(Array.from({ length: 8 }, () => upload(service.url, formOf([csv()]))));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 201, 201, 429, 429, 429, 429, 429]);
    expect(await traces(service)).toMatchObject({ files: 3, uploads: 3, batches: 3, bytes: { length: 3 } });
    await service.close();
  });

  test('an API key that names ever new users is bounded too, and so is an address in open access; others are not held up', async () => {
    const [key, other] = ['a-key-of-16-letters', 'another-key-of-16-letters'];
    const env = { UPLOADS_PER_HOUR_PER_KEY: '4' };
    const keyed = await startTestService({ ...env, API_KEYS: `acme:${key},acme:${other}` });
    const open = await startTestService(env);
    const send = ({ url }: TestService, user_id: string, headers = {}) => upload<Problem>(url, formOf([csv()], { user_id }), headers);

    const answers = await Promise.all(Array.from({ length: 8 }, (_, n) => send(keyed, `user-${n}`, { 'x-api-key': key })));
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array<number>(4).fill(201), ...Array<number>(4).fill(429)]);
    expect(answers.find(({ status }) => status === 429)!.body.message).toMatch(
      /^4 uploads an hour are allowed to one API key or address .*UPLOADS_PER_HOUR_PER_KEY.*; send the next one in (?:59|60) min$/,
    );
    expect(await traces(keyed)).toMatchObject({ files: 4, uploads: 4, batches: 4 });
    expect((await send(keyed, 'user-0', { 'x-api-key': other })).status).toBe(201);

    for (let n = 0; n < 4; n += 1) expect((await send(open, `user-${n}`)).status).toBe(201);
    expect((await send(open, 'user-9')).status).toBe(429);
    await keyed.close();
    await open.close();
  });

  test('refuses a user who names himself first before anything is stored', async () => {
    const service = await startTestService();
    const form = (file: FormFile) => {
      const made = new FormData();
      made.append('user_id', 'ada');
      made.append('file', new Blob([new Uint8Array(file.bytes)]), file.name);
      return made;
    };
    for (let count = 1; count <= 3; count += 1) expect((await upload(service.url, form(csv()))).status).toBe(201);
    // This one would be refused for its ending, had it been looked at.
    expectRefused(await upload<Problem>(service.url, form({ ...csv(), name: 'a.exe' })));
    await service.close();
  });
});

describe('tenants', () => {
  const KEYS = 'acme:acme-key-0123456789,globex:globex-key-0123456789';

  test("see neither each other's uploads nor each other's files, and nobody without a key sees any", async () => {
    const service = await startTestService({ API_KEYS: KEYS });
    const [acme, globex] = ['acme', 'globex'].map((tenant) => ({ 'x-api-key': `${tenant}-key-0123456789` }));
    const { data } = (await upload(service.url, formOf([csv()]), acme)).body;
    await uploadDone(new Api(service.url, acme), data.batchId);

    expect((await upload(service.url, formOf([csv()]))).status).toBe(401);
    expect((await new Api(service.url).get('/api/batch/jobs')).status).toBe(401);
    const other = new Api(service.url, globex);
    expect((await other.get(`/api/batch/jobs/${data.batchId}`)).status).toBe(404);
    expect((await other.get<UploadJobsReply>('/api/batch/jobs')).body.data).toEqual([]);
    const spy = { operation: 'read-file', items: [{ payload: { fileId: data.files[0]!.id } }] };
    const { body } = await other.post<{ data: { id: string } }>('/api/batches', spy);
    const [file] = (await uploadDone(other, body.data.id)).files;
    expect(file).toMatchObject({ status: 'failed', error: expect.stringMatching(/not found/) });
    await service.close();
  });
});
