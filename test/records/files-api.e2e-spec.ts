import { createHash } from 'node:crypto';
import { readdir, readlink, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Config } from '../../src/config.js';
import { FileCleaner } from '../../src/records/uploads/file-cleaner.js';
import type { FileView } from '../../src/records/record.view.js';
import { Api, type Problem } from '../contracts/api.js';
import { eventually } from '../support/eventually.js';
import { formOf } from '../support/upload.js';
import { startTestService, type TestService } from '../support/service.js';

interface Stored {
  data: FileView;
  files: FileView[];
}

interface Listed {
  data: FileView[];
  pagination: { limit: number; nextId: string | null };
}

const ACME = { 'x-api-key': 'acme-key-0123456789abcdef' };
const GLOBEX = { 'x-api-key': 'globex-key-0123456789abcdef' };

let service: TestService;
let acme: Api;
let globex: Api;

beforeAll(async () => {
  const keys = `acme:${ACME['x-api-key']},globex:${GLOBEX['x-api-key']}`;
  service = await startTestService({ API_KEYS: keys, UPLOAD_MAX_FILES: '5', MAX_UPLOAD_BYTES: '400000' });
  acme = new Api(service.url, ACME);
  globex = new Api(service.url, GLOBEX);
});

afterAll(() => service.close());

const send = async (form: FormData, headers: Record<string, string> = ACME) => {
  const response = await fetch(`${service.url}/api/files`, { method: 'POST', body: form, headers });
  return { status: response.status, body: (await response.json()) as Stored & Problem };
};
const named = (...names: string[]) => formOf(names.map((name) => ({ name, bytes: Buffer.from(`bytes of ${name}`) })));
const store = async (name: string) => (await send(named(name))).body.data;
const download = (id: string) => fetch(`${service.url}/api/files/${id}/content`, { headers: ACME });
const folder = () => join(service.app.get(Config).dataDir, 'files');
const pathOf = (id: string) => join(folder(), id.slice(0, 2), id);
const left = async () => {
  const { rows } = await service.database.pool.query<{ count: number }>('SELECT count(*)::int AS count FROM file');
  const names = await readdir(folder(), { recursive: true });
  return { rows: rows[0]!.count, bytes: names.filter((name) => /\/[0-9a-f-]{36}/.test(`/${name}`)).length };
};

test('all files of a form are stored, in its order; of one it is the answer', async () => {
  const { status, body } = await send(named('a.csv', 'b.pdf', 'c'));
  expect(status).toBe(201);
  expect(body.files.map(({ name, size }) => [name, size])).toEqual([['a.csv', 14], ['b.pdf', 14], ['c', 10]]); // prettier-ignore
  expect(body.data).toEqual(body.files[0]);
  expect((await send(named('one'))).body.files).toHaveLength(1);
});

describe('of a form that is refused nothing is kept:', () => {
  test.each([
    ['one that has too many files', () => named('1', '2', '3', '4', '5', '6'), 400, 'UPLOAD_MAX_FILES'],
    [
      'one whose last file is too large',
      () => formOf([{ name: 'small', bytes: Buffer.from('x') }, { name: 'large', bytes: Buffer.alloc(400_001) }]), // prettier-ignore
      413,
      'MAX_UPLOAD_BYTES',
    ],
  ])('%s', async (_, form, expected, setting) => {
    const before = await left();
    const { status, body } = await send(form());
    expect(status).toBe(expected);
    expect(body.message).toContain(setting);
    expect(await left()).toEqual(before);
  });

  test('one with a field of text, which nobody would read', async () => {
    const before = await left();
    const form = named('a.csv');
    form.append('collection', 'guests');
    const { status, body } = await send(form);
    expect([status, body.details.errors.map(({ path }) => path)]).toEqual([400, ['collection']]);
    expect(await left()).toEqual(before);
  });

  test('one that breaks off after its first file', async () => {
    const before = await left();
    const part = (name: string) => `--x\r\ncontent-disposition: form-data; name="file"; filename="${name}"\r\n\r\nbytes\r\n`;
    const headers = { ...ACME, 'content-type': 'multipart/form-data; boundary=x' };
    const answer = await fetch(`${service.url}/api/files`, { method: 'POST', body: `${part('a')}${part('b')}`, headers });
    expect(answer.status).toBe(400);
    expect(await left()).toEqual(before);
  });
});

test('a list has the newest first, a page after the other, and nothing of others', async () => {
  await send(named('g'), GLOBEX);
  const names = ['p1', 'p2', 'p3', 'p4', 'p5'];
  for (const name of names) await store(name);
  const seen: string[] = [];
  let after = '';
  for (let page = 0; page < 3; page += 1) {
    const { body } = await acme.get<Listed>(`/api/files?limit=2${after}`);
    seen.push(...body.data.map(({ name }) => name));
    after = `&afterId=${body.pagination.nextId}`;
  }
  expect(seen.slice(0, 5)).toEqual(names.toReversed());
  const all = (await acme.get<Listed>('/api/files?limit=1000')).body;
  expect(all.pagination.nextId).toBeNull();
  expect(all.data.map(({ name }) => name)).not.toContain('g');
  const gone = await acme.get<Problem>('/api/files?afterId=00000000-0000-4000-8000-000000000000');
  expect([gone.status, gone.body.details.errors[0]!.path]).toEqual([400, 'afterId']);
  expect((await acme.get<Problem>('/api/files?limit=1001')).status).toBe(400);
});

test('a download is what was sent, saved under its name and never shown', async () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, n) => n));
  const form = new FormData();
  form.append('file', new Blob([bytes], { type: 'text/html' }), 'Übersicht "2026" (1).html');
  const { data } = (await send(form)).body;
  expect((await acme.get<Stored>(`/api/files/${data.id}`)).body.data).toEqual(data);
  const answer = await download(data.id);
  expect(answer.status).toBe(200);
  expect(Buffer.from(await answer.arrayBuffer())).toEqual(bytes);
  expect(Object.fromEntries(answer.headers)).toMatchObject({
    'content-length': '256',
    'content-type': 'text/html',
    'x-content-type-options': 'nosniff',
    'content-security-policy': "sandbox; default-src 'none'",
    etag: `"${createHash('sha256').update(bytes).digest('hex')}"`,
  });
  const disposition = answer.headers.get('content-disposition')!;
  expect(disposition).toMatch(/^attachment; filename="[ -~]+"; filename\*=UTF-8''/);
  expect(decodeURIComponent(disposition.split("''")[1]!)).toBe(data.name);
});

test('a media type and a name that no header could hold do not break the answer', async () => {
  const body = [
    '--x\r\ncontent-disposition: form-data; name="file"; filename="日本\x7f.bin"',
    'content-type: text/plain; charset=x, y\r\n\r\nbytes',
    '--x--\r\n',
  ].join('\r\n');
  const headers = { ...ACME, 'content-type': 'multipart/form-data; boundary=x' };
  const stored = (await (await fetch(`${service.url}/api/files`, { method: 'POST', body, headers })).json()) as Stored;
  const answer = await download(stored.data.id);
  expect([answer.status, await answer.text()]).toEqual([200, 'bytes']);
});

test('a file whose bytes are gone, cut or changed is 409; a large one that was changed breaks off and is never whole', async () => {
  const [gone, cut, changed] = [await store('gone'), await store('cut'), await store('changed')];
  await rm(pathOf(gone.id));
  await truncate(pathOf(cut.id), 3);
  await writeFile(pathOf(changed.id), 'other of changed');
  for (const { id } of [gone, cut, changed]) {
    const answer = await download(id);
    expect(answer.status).toBe(409);
    expect(((await answer.json()) as Problem).message).toContain(id);
  }
  const large = (await send(formOf([{ name: 'large', bytes: Buffer.alloc(300_000) }]))).body.data;
  await writeFile(pathOf(large.id), Buffer.alloc(300_000, 'x'));
  await expect(download(large.id).then((answer) => answer.text())).rejects.toThrow();
});

test('a file is deleted once, with its bytes', async () => {
  const { id } = await store('short-lived');
  const before = await left();
  expect((await acme.delete<object>(`/api/files/${id}`)).body).toEqual({ success: true, data: { deleted: true } });
  expect(await left()).toEqual({ rows: before.rows - 1, bytes: before.bytes - 1 });
  for (const path of [`/api/files/${id}`, `/api/files/${id}/content`]) expect((await acme.get(path)).status).toBe(404);
  expect((await acme.delete(`/api/files/${id}`)).status).toBe(404);
});

test('a file of an upload is listed, and goes with its batch alone', async () => {
  const form = formOf([{ name: 'guests.csv', bytes: Buffer.from('name\nAda\n') }]);
  await fetch(`${service.url}/api/batch/upload`, { method: 'POST', body: form, headers: ACME });
  const [file] = (await acme.get<Listed>('/api/files?limit=1')).body.data;
  expect(file).toMatchObject({ name: 'guests.csv', uploadId: expect.any(String) as string });
  const refused = await acme.delete<Problem>(`/api/files/${file!.id}`);
  expect([refused.status, refused.body.message]).toEqual([409, expect.stringContaining('upload')]);
  expect((await download(file!.id)).status).toBe(200);
});

test('nobody sees, reads or deletes the files of another tenant', async () => {
  const { id } = await store('secret');
  const before = await left();
  for (const [method, path] of [
    ['GET', ''],
    ['GET', '/content'],
    ['DELETE', ''],
  ] as const) {
    // prettier-ignore
    const { status, body } = await globex.send<Problem>(method, `/api/files/${id}${path}`);
    expect(status).toBe(404);
    expect(JSON.stringify(body)).not.toContain('secret');
  }
  expect((await globex.get<Problem>(`/api/files?afterId=${id}`)).status).toBe(400);
  expect(await left()).toEqual(before);
});

describe('with a bound of bytes for each tenant', () => {
  const BOUND = 1_000;
  let bounded: TestService;

  beforeAll(async () => {
    const keys = `acme:${ACME['x-api-key']},globex:${GLOBEX['x-api-key']}`;
    bounded = await startTestService({ API_KEYS: keys, TENANT_FILES_BYTES: String(BOUND) });
  });

  afterAll(() => bounded.close());

  const put = async (bytes: number, headers = ACME) => {
    const form = formOf([{ name: 'a.bin', bytes: Buffer.alloc(bytes) }]);
    const response = await fetch(`${bounded.url}/api/files`, { method: 'POST', body: form, headers });
    return { status: response.status, body: (await response.json()) as Stored & Problem };
  };

  test('what would pass it is 413, however many come at once; others go on; what is deleted counts no longer', async () => {
    const all = await Promise.all(Array.from({ length: 12 }, () => put(150)));
    expect(all.filter(({ status }) => status === 201)).toHaveLength(6);
    const refused = all.filter(({ status }) => status !== 201);
    for (const { status, body } of refused) expect([status, body.message]).toEqual([413, expect.stringContaining('TENANT_FILES_BYTES')]);
    expect((await put(150, GLOBEX)).status).toBe(201);
    expect((await put(100)).status).toBe(201);
    expect((await put(1)).status).toBe(413);
    const { id } = all.find(({ status }) => status === 201)!.body.data;
    await fetch(`${bounded.url}/api/files/${id}`, { method: 'DELETE', headers: ACME });
    expect((await put(150)).status).toBe(201);
    const { rows } = await bounded.database.pool.query("SELECT bytes FROM tenant_files WHERE tenant = 'acme'");
    expect(rows).toEqual([{ bytes: '1000' }]);
  });
});

test('what a process that died leaves of a form is removed when it is a day old, and what it kept is not', async () => {
  const whole = (await send(named('kept-1', 'kept-2'))).body.files;
  const { pool } = service.database;
  const broken = await store('left behind');
  await pool.query(`UPDATE file SET upload_id = gen_random_uuid() WHERE id = $1`, [broken.id]);
  await pool.query(`UPDATE file SET created_at = created_at - interval '2 days' WHERE id = ANY ($1)`, [
    [broken, ...whole].map(({ id }) => id),
  ]);
  await service.app.get(FileCleaner).clean();
  expect((await acme.get(`/api/files/${broken.id}`)).status).toBe(404);
  for (const { id, uploadId } of whole) {
    expect(uploadId).toBeNull();
    expect((await download(id)).status).toBe(200);
  }
});

test('a download that its client leaves at once keeps no file open', async () => {
  const { data } = (await send(formOf([{ name: 'large', bytes: Buffer.alloc(390_000) }]))).body;
  const isOpen = async () => {
    const names = await Promise.all((await readdir('/proc/self/fd')).map((fd) => readlink(`/proc/self/fd/${fd}`).catch(() => '')));
    return names.some((name) => name.endsWith(data.id));
  };
  for (let n = 0; n < 10; n += 1) {
    const leaving = new AbortController();
    const answer = fetch(`${service.url}/api/files/${data.id}/content`, { headers: ACME, signal: leaving.signal });
    if (n % 2 === 0) await answer;
    leaving.abort();
    await answer.catch(() => undefined);
  }
  await eventually(isOpen, (open) => !open);
});
