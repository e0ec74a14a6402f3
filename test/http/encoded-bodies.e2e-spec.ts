import { Body, Controller, Module, Post } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { Agent, request } from 'node:http';
import { IsString } from 'class-validator';
import { Readable } from 'node:stream';
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import { decodeBody, type DecodedBody } from '../../src/common/decoded-body.js';
import { readBody } from '../../src/common/read-body.js';
import { Config } from '../../src/config.js';
import { createHttpApp } from '../../src/http-app.js';
import type { Problem } from '../contracts/api.js';

const MAX_BYTES = 3_000_000;

class Order {
  @IsString() dish: string;
}

@Controller('orders')
class OrdersController {
  @Post()
  create(@Body() order: Order): Order {
    return order;
  }

  @Post('stream')
  async stream(@Body() body: unknown): Promise<{ bytes: number }> {
    let bytes = 0;
    for await (const chunk of readBody(body as Readable, MAX_BYTES)) bytes += chunk.length;
    return { bytes };
  }

  @Post('first')
  async first(@Body() body: unknown): Promise<{ first: number }> {
    for await (const chunk of readBody(body as Readable, MAX_BYTES)) return { first: chunk[0]! };
    return { first: 0 };
  }
}

@Module({ controllers: [OrdersController] })
class OrdersModule {}

test('what unpacks to more than is allowed is not unpacked to its end', async () => {
  const bomb = gzipSync(Buffer.alloc(50_000_000, 'a'));
  const raw = Readable.from(Array.from({ length: Math.ceil(bomb.length / 1_000) }, (_, n) => bomb.subarray(1_000 * n, 1_000 * (n + 1))));
  const body = decodeBody(raw, { 'content-encoding': 'gzip', 'transfer-encoding': 'chunked' }, MAX_BYTES) as DecodedBody;
  await expect(body.toArray()).rejects.toMatchObject({ code: 'TOO_LARGE' });
  expect(body.receivedEncodedLength).toBeLessThan(bomb.length / 2);
});

describe('a body that its sender compressed', () => {
  let app: NestFastifyApplication;
  let url: string;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });

  beforeAll(async () => {
    app = await createHttpApp(OrdersModule, Config.from({ MAX_UPLOAD_BYTES: String(MAX_BYTES) }));
    app.useLogger(false);
    await app.listen(0, '127.0.0.1');
    url = await app.getUrl();
  });

  afterAll(async () => {
    agent.destroy();
    await app.close();
  });

  /** Over one connection: an answer that left a request half read would spoil the next one. */
  const send = (
    path: string,
    body: Buffer,
    headers: Record<string, string>,
  ): Promise<{ status: number; body: Problem & Record<string, unknown> }> =>
    new Promise((resolve, reject) => {
      const sending = request(url + path, { method: 'POST', headers, agent }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
        response.on('end', () => resolve({ status: response.statusCode!, body: JSON.parse(text) as Problem & Record<string, unknown> }));
      });
      sending.on('error', reject).end(body);
    });

  const json = (encoding: string) => ({ 'content-type': 'application/json', 'content-encoding': encoding });
  const lines = (encoding: string) => ({ 'content-type': 'application/x-ndjson', 'content-encoding': encoding });

  test.each([
    ['gzip', gzipSync],
    ['GZIP', gzipSync],
    ['x-gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
    ['identity', (bytes: Buffer) => bytes],
  ])('with %s is read as it was before, as JSON and as a stream', async (encoding, compress) => {
    expect(await send('/orders', compress(Buffer.from('{"dish":"soup"}')), json(encoding))).toEqual({
      status: 201,
      body: { dish: 'soup' },
    });
    expect(await send('/orders/stream', compress(Buffer.alloc(1_500_000, '{}\n')), lines(encoding))).toEqual({
      status: 201,
      body: { bytes: 1_500_000 },
    });
  });

  test('in chunks, and of several members, is read too', async () => {
    const bytes = Buffer.concat([gzipSync('{"dish":'), gzipSync('"soup"}')]);
    expect(await send('/orders', bytes, { ...json('gzip'), 'transfer-encoding': 'chunked' })).toMatchObject({
      status: 201,
      body: { dish: 'soup' },
    });
  });

  test.each(['zstd', 'compress', 'gzip, gzip', 'rot13'])('with %s is refused, and what is read is told', async (encoding) => {
    for (const [path, headers] of [
      ['/orders', json(encoding)],
      ['/orders/stream', lines(encoding)],
    ] as const) {
      expect(await send(path, gzipSync('{"dish":"soup"}'), headers)).toMatchObject({
        status: 415,
        body: { message: `content-encoding ${encoding} is not read; send the body as it is, or with gzip, deflate or br` },
      });
    }
  });

  test.each([
    ['is not', 'gzip', Buffer.from('{"dish":"soup"}')],
    ['is cut off', 'gzip', gzipSync('{"dish":"soup"}').subarray(0, 20)],
    ['is cut off', 'deflate', deflateSync('{"dish":"soup"}').subarray(0, 12)],
    ['is cut off', 'br', brotliCompressSync(Buffer.alloc(1_000, 'soup')).subarray(0, 9)],
    ['has no header', 'deflate', deflateRawSync('{"dish":"soup"}')],
    ['is another', 'br', gzipSync('{"dish":"soup"}')],
  ])('that %s what content-encoding says is refused: %s', async (_, encoding, bytes) => {
    const expected = {
      status: 400,
      body: { message: expect.stringMatching(`^the body is not whole ${encoding}, as content-encoding says: `) },
    };
    expect(await send('/orders', bytes, json(encoding))).toMatchObject(expected);
    expect(await send('/orders/stream', bytes, lines(encoding))).toMatchObject(expected);
  });

  test('that unpacks to more than is allowed is refused', async () => {
    const bomb = gzipSync(Buffer.alloc(200_000_000, 'a'));
    expect(await send('/orders/stream', bomb, lines('gzip'))).toMatchObject({
      status: 413,
      body: { message: expect.stringContaining(`larger than ${MAX_BYTES} bytes`) },
    });
    expect(await send('/orders', bomb, json('gzip'))).toMatchObject({ status: 413 });
    expect(await send('/orders', gzipSync(`{"dish":"${'x'.repeat(1_100_000)}"}`), json('gzip'))).toMatchObject({ status: 413 });
  });

  test('of which only the beginning is read is left at once', async () => {
    expect(await send('/orders/first', gzipSync(Buffer.alloc(2_900_000, 'a')), lines('gzip'))).toEqual({
      status: 201,
      body: { first: 97 },
    });
    expect(await send('/orders', Buffer.from('{"dish":"soup"}'), { 'content-type': 'application/json' })).toMatchObject({ status: 201 });
  });

  test('is refused as a form', async () => {
    const headers = { 'content-type': 'multipart/form-data; boundary=x', 'content-encoding': 'gzip' };
    expect(await send('/orders/stream', gzipSync('--x--\r\n'), headers)).toMatchObject({
      status: 415,
      body: { message: expect.stringMatching(/^a form is not read/) },
    });
  });
});
