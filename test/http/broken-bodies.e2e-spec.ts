import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Config } from '../../src/config.js';
import { Api } from '../contracts/api.js';
import { eventually } from '../support/eventually.js';
import { RawClient, sendRaw } from '../support/raw-http.js';
import { startTestService, type TestService } from '../support/service.js';
import { formOf } from '../support/upload.js';
import { problemOf } from './orders-app.js';

const FORM = 'multipart/form-data; boundary=b';
const FILE = 'Content-Disposition: form-data; name="file"; filename="a.csv"';
const WHOLE = `--b\r\n${FILE}\r\nContent-Type: text/csv\r\n\r\nname,price\r\nsoup,3\r\n\r\n--b--\r\n`;

let service: TestService;
let api: Api;

beforeAll(async () => {
  service = await startTestService({ UPLOADS_PER_HOUR: '10000', CREATE_LIMIT_PER_MINUTE: '10000', BODY_IDLE_MS: '500' });
  api = new Api(service.url);
});
afterAll(() => service.close());

const headOf = (path: string, type: string, ...others: string[]) =>
  [`POST ${path} HTTP/1.1`, 'Host: localhost', `Content-Type: ${type}`, ...others, '', ''].join('\r\n');

const send = (path: string, body: string | Buffer, type = FORM) => {
  const bytes = Buffer.from(body);
  return sendRaw(service.url, Buffer.concat([Buffer.from(headOf(path, type, `Content-Length: ${bytes.length}`)), bytes]));
};

/** Nothing is left of what was refused: no file, no batch, no item, and no half of a file on the disk. */
async function expectNothing(): Promise<void> {
  const counts = await service.database.pool.query(
    'SELECT (SELECT count(*)::int FROM file) AS files, (SELECT count(*)::int FROM batch) AS batches, (SELECT count(*)::int FROM upload) AS uploads',
  );
  expect(counts.rows).toEqual([{ files: 0, batches: 0, uploads: 0 }]);
  const folder = join(service.app.get(Config).dataDir, 'files');
  expect(await readdir(folder, { recursive: true }).catch(() => [])).toEqual(
    expect.not.arrayContaining([expect.stringContaining('.part')]),
  );
}

describe.each(['/api/files', '/api/batch/upload'])('a broken form at %s', (path) => {
  test.each([
    ['without a boundary', WHOLE, 'multipart/form-data'],
    ['with another boundary', WHOLE, 'multipart/form-data; boundary=other'],
    ['with a parameter that is broken', WHOLE, 'multipart/form-data; boundary="b'],
    ['that is empty', '', FORM],
    ['that is JSON', '{}', FORM],
    ['that ends in its headers', WHOLE.slice(0, 30), FORM],
    ['that ends in its file', WHOLE.slice(0, -20), FORM],
    ['without its last boundary', WHOLE.replace('--b--', '--b'), FORM],
    ['with LF line ends', WHOLE.replaceAll('\r\n', '\n'), FORM],
    ['with a part without headers', `--b\r\n\r\nx\r\n${WHOLE}`, FORM],
    ['with a part without a name', WHOLE.replace(' name="file";', ''), FORM],
    ['with an attachment', WHOLE.replace('form-data;', 'attachment;'), FORM],
    ['with a header twice', WHOLE.replace(FILE, `${FILE}\r\n${FILE}`), FORM],
    ['with a header of a megabyte', WHOLE.replace(FILE, `${FILE}\r\nX-Note: ${'x'.repeat(1_048_576)}`), FORM],
    ['in base64', WHOLE.replace(FILE, `${FILE}\r\nContent-Transfer-Encoding: base64`), FORM],
    ['with a form in it', WHOLE.replace('text/csv', 'multipart/mixed; boundary=c'), FORM],
    ['with a wrong part behind the file', WHOLE.replace('--b--', '--b\r\nX-Note: y\r\n\r\nx\r\n--b--'), FORM],
    ['with prototype names', WHOLE.replace('name="file"', 'name="__proto__"').replace(' filename="a.csv"', ''), FORM],
    ['without a file', WHOLE.replace(' filename="a.csv"', ''), FORM],
    ['with a file without a name', WHOLE.replace('"a.csv"', '""'), FORM],
  ])('%s answers 400 with the reason, and leaves nothing', async (_how, body, type) => {
    expect(problemOf(await send(path, body, type))).toMatchObject({ status: 400 });
    await expectNothing();
  });

  test('that is not sent whole answers 400 too, or 408 when it stops', async () => {
    const half = `${headOf(path, FORM, 'Content-Length: 100000')}${WHOLE.slice(0, -20)}`;
    const ended = await RawClient.connect(service.url);
    ended.write(half).socket.end();
    expect(problemOf(await ended.answer())).toMatchObject({ status: 400, message: 'the request ended before it was complete' });
    const silent = await RawClient.connect(service.url);
    expect(problemOf(await silent.write(half).answer())).toMatchObject({ status: 408 });
    const gone = await RawClient.connect(service.url);
    gone.write(half);
    gone.destroy();
    const chunks = `${headOf(path, FORM, 'Transfer-Encoding: chunked')}5\r\n--b\r\n\r\nnonsense`;
    expect(problemOf(await sendRaw(service.url, chunks))).toMatchObject({ status: 400, message: expect.stringMatching(/chunk/i) });
    await eventually(expectNothing);
  });

  test('of another content type is 415', async () => {
    for (const type of ['application/x-www-form-urlencoded', 'multipart/mixed; boundary=b', 'text/csv', 'application/json'])
      expect(problemOf(await send(path, type === 'application/json' ? '{}' : WHOLE, type))).toMatchObject({ status: 415 });
  });
});

describe('streams of rows and items that are not sent whole', () => {
  const IMPORT = '/api/records/menu/import';
  let items: string;

  beforeAll(async () => {
    const { body } = await api.post<{ data: { id: string } }>('/api/batches', { operation: 'noop', open: true });
    items = `/api/batches/${body.data.id}/items`;
  });

  const LINES = '{"key":"a"}\n{"key":"b"}\n';

  test.each([
    ['import of NDJSON', () => IMPORT, 'application/x-ndjson', LINES],
    ['import of CSV', () => IMPORT, 'text/csv', 'key\na\nb\n'],
    ['items', () => items, 'application/x-ndjson', LINES],
  ])('an %s', async (_what, path, type, text) => {
    const long = headOf(path(), type, 'Content-Length: 100000') + text;
    const ended = await RawClient.connect(service.url);
    ended.write(long).socket.end();
    expect(problemOf(await ended.answer())).toMatchObject({ status: 400 });

    const silent = await RawClient.connect(service.url);
    expect(problemOf(await silent.write(long).answer())).toMatchObject({ status: 408 });

    const broken = headOf(path(), type, 'Transfer-Encoding: chunked');
    for (const chunks of ['zz\r\n', `ffffff\r\n${text}`, `${text.length.toString(16)}\r\n${text}x\r\n0\r\n\r\n`]) {
      const client = await RawClient.connect(service.url);
      client.write(broken + chunks).socket.end();
      expect(problemOf(await client.answer())).toMatchObject({ status: 400 });
    }

    const left = () => service.database.pool.query<{ n: number }>('SELECT count(*)::int AS n FROM chunk');
    await eventually(async () => expect((await left()).rows).toEqual([{ n: 0 }]));
  });

  test('what comes behind a length that is too short is no part of the body, and no request', async () => {
    const client = await RawClient.connect(service.url);
    client.write(headOf(items, 'application/x-ndjson', 'Content-Length: 11') + LINES);
    await client.closed();
    expect(client.answers.map(({ status }) => status)).toEqual([200, 400]);
    expect((await api.get<{ data: object[] }>(items)).body.data).toHaveLength(1);
  });
});

test('a whole form is taken at both routes', async () => {
  expect((await send('/api/files', WHOLE)).status).toBe(201);
  expect((await send('/api/batch/upload', WHOLE)).status).toBe(201);
  const form = formOf([{ name: 'Müller.csv', bytes: Buffer.from('a,b\n1,2\n') }]);
  const { data } = (await (await fetch(`${service.url}/api/files`, { method: 'POST', body: form })).json()) as { data: { name: string } };
  expect(data.name).toBe('Müller.csv');
});
