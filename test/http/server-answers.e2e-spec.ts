import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { RawClient, sendRaw } from '../support/raw-http.js';
import { problemOf, startOrdersApp } from './orders-app.js';

const HOST = 'Host: localhost\r\n';

let app: NestFastifyApplication;
let url: string;

beforeAll(async () => ({ app, url } = await startOrdersApp({ HEADERS_TIMEOUT_MS: '200' })));
afterAll(() => app.close());

describe('what the HTTP server itself answers has the error body of all answers', () => {
  test.each([
    ['a line that is no request', 'nonsense\r\n\r\n', 400],
    ['an unknown method', `BREW /orders HTTP/1.1\r\n${HOST}\r\n`, 400],
    ['a version of the future', `GET /orders HTTP/9.1\r\n${HOST}\r\n`, 505],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    ['the start of TLS', Buffer.from([0x16, 3, 1, 0, 0xa5, 1, 0, 0, 0xa1, 3, 3]), 400],
    ['a header without a name', `GET /orders HTTP/1.1\r\n${HOST}: x\r\n\r\n`, 400],
    ['a header with a control character', `GET /orders HTTP/1.1\r\n${HOST}X-Note: a\0b\r\n\r\n`, 400],
    ['a length that is no number', `POST /orders HTTP/1.1\r\n${HOST}Content-Length: ten\r\n\r\n`, 400],
    ['a negative length', `POST /orders HTTP/1.1\r\n${HOST}Content-Length: -1\r\n\r\n`, 400],
    ['two lengths', `POST /orders HTTP/1.1\r\n${HOST}Content-Length: 1\r\nContent-Length: 2\r\n\r\nab`, 400],
    ['a length beside chunks', `POST /orders HTTP/1.1\r\n${HOST}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n`, 400],
    ['headers of more than 16 kB', `GET /orders HTTP/1.1\r\n${HOST}X-Note: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['an address of more than 16 kB', `GET /${'x'.repeat(20_000)} HTTP/1.1\r\n${HOST}\r\n`, 431],
    ['an expectation that nobody meets', `POST /orders HTTP/1.1\r\n${HOST}Expect: miracles\r\nContent-Length: 2\r\n\r\n`, 417],
    ['a tunnel', `CONNECT example.org:443 HTTP/1.1\r\n${HOST}\r\n`, 405],
    ['no Host', 'GET /orders HTTP/1.1\r\n\r\n', 400],
    ['a malformed address', `GET /orders/%E0%A4%A HTTP/1.1\r\n${HOST}\r\n`, 400],
    ['an address that is too long for its route', `GET /orders/large/${'x'.repeat(600)} HTTP/1.1\r\n${HOST}\r\n`, 414],
    ['a method that no route has', `PROPFIND /orders HTTP/1.1\r\n${HOST}\r\n`, 404],
    ['everything', `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`, 404],
    ['no route', `POST /nowhere HTTP/1.1\r\n${HOST}Content-Length: 1000000\r\n\r\n`, 404],
    ['a broken chunk', `POST /orders/stream HTTP/1.1\r\n${HOST}Content-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`, 400],
    ['a body that ends early', `POST /orders/stream HTTP/1.1\r\n${HOST}Content-Type: text/csv\r\nContent-Length: 100\r\n\r\nabc`, 400],
    ['half of a header', `GET /orders HTTP/1.1\r\nHos`, 408],
    ['nothing at all', '', 408],
  ])('%s: %#', async (what, text, status) => {
    const client = await RawClient.connect(url);
    client.write(text);
    if (what === 'a body that ends early') client.socket.end();
    expect(problemOf(await client.answer())).toMatchObject({ status });
    client.destroy();
  });

  test('with the id of its request when that was read', async () => {
    const text = `POST /orders/stream HTTP/1.1\r\n${HOST}X-Request-Id: job-42\r\nContent-Type: text/csv\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`;
    const answer = await sendRaw(url, text);
    expect(problemOf(answer)).toMatchObject({ status: 400, message: expect.stringMatching(/not valid HTTP\/1\.1: .*chunk/i) });
    expect(answer.headers['x-request-id']).toBe('job-42');
  });

  test('and closes the connection', async () => {
    const client = await RawClient.connect(url);
    await client.write('nonsense\r\n\r\n').closed();
    expect(problemOf(await client.answer()).message).toMatch(/^the request is not valid HTTP\/1\.1: /);
    expect(client.answers[0]!.headers.connection).toBe('close');
  });
});

test('a second request that is malformed is answered after the first one', async () => {
  const client = await RawClient.connect(url);
  await client.write(`GET /orders/large/0 HTTP/1.1\r\n${HOST}\r\n`).answer();
  client.write('nonsense\r\n\r\n');
  await client.closed();
  const [first, second] = client.text.split('HTTP/1.1 ').slice(1);
  expect(first).toMatch(/^200 /);
  expect(second).toMatch(/^400 [^]*"success":false/);
});

test('a body is asked for only when the request may bring one', async () => {
  const client = await RawClient.connect(url);
  const head = (path: string) =>
    `POST ${path} HTTP/1.1\r\n${HOST}Expect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n`;
  expect((await client.write(head('/nowhere')).answer()).status).toBe(404);
  expect(client.text).not.toContain('100 Continue');
  client.destroy();

  const welcome = await RawClient.connect(url);
  welcome.write(head('/orders'));
  welcome.write('{"a":1}');
  expect(await welcome.answer()).toMatchObject({ status: 201, body: '{"keys":1}' });
  expect(welcome.text).toContain('HTTP/1.1 100 Continue');
  welcome.destroy();
});
