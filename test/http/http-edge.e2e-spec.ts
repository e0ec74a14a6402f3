import { Body, Controller, Delete, Get, Module, Post, Query } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { IsInt, IsOptional, IsString } from 'class-validator';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { AppError } from '../../src/common/app-error.js';
import { QueryInt } from '../../src/common/query-fields.js';
import { Config } from '../../src/config.js';
import { createHttpApp } from '../../src/http-app.js';
import type { Problem } from '../contracts/api.js';

class Order {
  @IsString() dish: string;
  @IsOptional() @IsInt() number?: number;
  @IsOptional() extra?: unknown;
}

class Choice {
  @IsOptional() @IsString() dish?: string;
}

class Page {
  @QueryInt(0) offset?: number;
}

@Controller('orders')
class OrdersController {
  @Post()
  create(@Body() order: Order): Order {
    return order;
  }

  @Delete()
  remove(@Body() order: Choice): { removed: string } {
    return { removed: order.dish ?? 'all' };
  }

  @Get()
  list(@Query() page: Page): Page {
    return page;
  }

  @Post('stream')
  async stream(@Body() body: unknown): Promise<{ bytes: number }> {
    let bytes = 0;
    for await (const chunk of body as Readable) bytes += (chunk as Buffer).length;
    return { bytes };
  }

  @Get('fails/:how')
  fail(): never {
    throw new Error('connect to 10.0.0.7 as admin failed');
  }

  @Get('limited')
  limited(): never {
    throw new AppError('RATE_LIMITED', 'too many orders', { details: { retryAfterMs: 1_200 } });
  }

  @Get('outage')
  outage(): never {
    throw Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5432'), { code: 'ECONNREFUSED', syscall: 'connect' });
  }
}

@Module({ controllers: [OrdersController] })
class OrdersModule {}

describe('the HTTP edge', () => {
  let app: NestFastifyApplication;
  let url: string;

  beforeAll(async () => {
    app = await createHttpApp(OrdersModule, Config.from({ CORS_ORIGINS: 'https://shop.example' }));
    app.useLogger(false);
    await app.listen(0, '127.0.0.1');
    url = await app.getUrl();
  });

  afterAll(() => app.close());

  const send = (method: string, path: string, body?: string | Uint8Array, type: string | null = 'application/json') =>
    fetch(url + path, { method, body, headers: type === null ? {} : { 'content-type': type } });

  const problem = async (response: Response) => {
    const body = (await response.json()) as Problem;
    expect(Object.keys(body).sort()).toEqual(['details', 'error', 'message', 'statusCode', 'success']);
    expect(body).toMatchObject({ success: false, statusCode: response.status, details: { errors: expect.any(Array) } });
    expect(body.error).toBe(body.message);
    return { status: response.status, message: body.message, errors: body.details.errors };
  };

  test('reads a JSON body, and the same address with a slash at its end', async () => {
    const response = await send('POST', '/orders/', '{"dish":"soup"}');
    expect(response.status).toBe(201);
    expect(await response.json()).toEqual({ dish: 'soup' });
  });

  test('takes a JSON request without a body as an empty one', async () => {
    const response = await send('POST', '/orders');
    expect(await problem(response)).toEqual({
      status: 400,
      message: 'dish must be a string',
      errors: [{ path: 'dish', message: 'dish must be a string', code: 'invalid_type' }],
    });
  });

  test('reads the JSON body of a DELETE, and does without one', async () => {
    expect(await (await send('DELETE', '/orders', '{"dish":"soup"}')).json()).toEqual({ removed: 'soup' });
    expect(await (await send('DELETE', '/orders', undefined, null)).json()).toEqual({ removed: 'all' });
    expect(await (await send('DELETE', '/orders')).json()).toEqual({ removed: 'all' });
  });

  test('refuses a JSON body over 1 MB with 413', async () => {
    const { status, message } = await problem(await send('POST', '/orders', JSON.stringify({ dish: 'x'.repeat(1_100_000) })));
    expect(status).toBe(413);
    expect(message).toMatch(/larger than 1 MB/);
  });

  test.each([
    ['{"dish":', /not valid JSON/],
    ['nonsense', /not valid JSON/],
    ['"soup"', /must be a JSON object/],
    ['[]', /must be a JSON object/],
    ['null', /dish must be a string/],
  ])('refuses the body %s with a sentence', async (body, sentence) => {
    const found = await problem(await send('POST', '/orders', body));
    expect(found).toMatchObject({ status: 400, message: expect.stringMatching(sentence) });
  });

  test('refuses bytes that are not UTF-8', async () => {
    const body = Buffer.concat([Buffer.from('{"dish":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]);
    expect(await problem(await send('POST', '/orders', body))).toMatchObject({
      status: 400,
      message: expect.stringMatching(/not valid UTF-8/),
    });
  });

  test.each([
    ['{"dish":"x","__proto__":{"admin":true}}', '__proto__'],
    ['{"dish":"x","extra":[{"constructor":1}]}', 'extra.0.constructor'],
    ['{"dish":"x","extra":{"a":{"proto\\u0074ype":1}}}', 'extra.a.prototype'],
  ])('refuses the prototype key in %s and names its path', async (body, path) => {
    expect(await problem(await send('POST', '/orders', body))).toMatchObject({ status: 400, errors: [{ path }] });
  });

  test('reads 100 levels of JSON and refuses 101, and 100,000', async () => {
    const nested = (levels: number) => `{"dish":"x","extra":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;
    expect((await send('POST', '/orders', nested(100))).status).toBe(201);
    expect(await problem(await send('POST', '/orders', nested(101)))).toMatchObject({
      status: 400,
      message: expect.stringMatching(/100 levels/),
    });
    expect(await problem(await send('POST', '/orders', nested(100_000)))).toMatchObject({ status: 400 });
  });

  test('refuses unknown fields and names each', async () => {
    expect(await problem(await send('POST', '/orders', '{"dish":"x","dihs":"y"}'))).toMatchObject({
      status: 400,
      errors: [{ path: 'dihs', message: 'dihs is not a known field', code: 'unrecognized_keys' }],
    });
  });

  test.each([
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/xml',
    'multipart/form-data; boundary=x',
    'application/x-ndjson',
    'text/csv',
    'nonsense',
  ])('refuses a body of type %s where JSON is read', async (type) => {
    for (const [method, path] of [
      ['POST', '/orders'],
      ['DELETE', '/orders'],
    ] as const) {
      expect(await problem(await send(method, path, '{"dish":"x"}', type))).toMatchObject({ status: 415 });
    }
  });

  test.each(['application/x-ndjson', 'application/ndjson; charset=utf-8', 'text/csv'])(
    'hands %s through as a stream of any length',
    async (type) => {
      const response = await send('POST', '/orders/stream', 'x'.repeat(3_000_000), type);
      expect(await response.json()).toEqual({ bytes: 3_000_000 });
    },
  );

  test('reads numbers in a query, and takes neither words nor nothing for one', async () => {
    expect(await (await fetch(`${url}/orders?offset=7`)).json()).toEqual({ offset: 7 });
    for (const wrong of ['offset=x', 'offset=', 'offset=-1', 'offset=1.5', 'offset=1&offset=2', 'ofset=1']) {
      expect(await problem(await fetch(`${url}/orders?${wrong}`))).toMatchObject({ status: 400 });
    }
  });

  test('answers 404 for unknown routes and wrong methods, without repeating the query', async () => {
    expect(await problem(await fetch(`${url}/nowhere?key=secret`))).toMatchObject({
      status: 404,
      message: 'GET /nowhere is not a route of this service; /docs lists the routes',
    });
    expect(await problem(await send('PUT', '/orders', '{}'))).toMatchObject({
      status: 404,
      message: expect.stringMatching(/^PUT \/orders /),
    });
  });

  test('answers a malformed address in the same shape', async () => {
    expect(await problem(await fetch(`${url}/orders/%E0%A4%A`))).toMatchObject({ status: 400 });
    expect((await problem(await fetch(`${url}/orders/fails/${'x'.repeat(600)}`))).status).toBeGreaterThanOrEqual(400);
  });

  test('says nothing internal about an unexpected error', async () => {
    const found = await problem(await fetch(`${url}/orders/fails/now`));
    expect(found).toEqual({ status: 500, message: 'something went wrong in the service; it has been logged', errors: [] });
  });

  test('says when to come back: whole seconds, rounded up', async () => {
    const limited = await fetch(`${url}/orders/limited`);
    expect(limited.headers.get('retry-after')).toBe('2');
    expect(await problem(limited)).toMatchObject({ status: 429, message: 'too many orders' });
    const outage = await fetch(`${url}/orders/outage`);
    expect(outage.headers.get('retry-after')).toBe('2');
    expect(await problem(outage)).toMatchObject({ status: 503, message: expect.not.stringMatching(/5432/) });
  });

  test("answers with the request's own id, or with a new one when it has none that is fit for a log", async () => {
    const idOf = async (id: string) => (await fetch(`${url}/nowhere`, { headers: { 'x-request-id': id } })).headers.get('x-request-id');
    expect(await idOf('job-42/7')).toBe('job-42/7');
    for (const unfit of ['a b', '{"x":1}', 'x'.repeat(200)]) expect(await idOf(unfit)).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('sends security headers, and CORS headers only to the pages named', async () => {
    const known = await fetch(`${url}/orders`, { headers: { origin: 'https://shop.example' } });
    expect(known.headers.get('access-control-allow-origin')).toBe('https://shop.example');
    expect(known.headers.get('x-content-type-options')).toBe('nosniff');
    expect(known.headers.get('content-security-policy')).not.toMatch(/upgrade-insecure-requests/);
    const foreign = await fetch(`${url}/orders`, { headers: { origin: 'https://evil.example' } });
    expect(foreign.headers.get('access-control-allow-origin')).toBeNull();
  });

  test('shows the documentation and its JSON', async () => {
    const page = await fetch(`${url}/docs`);
    expect(page.status).toBe(200);
    expect(await page.text()).toMatch(/swagger/i);
    const document = (await (await fetch(`${url}/docs-json`)).json()) as { paths: object };
    expect(Object.keys(document.paths)).toContain('/orders');
  });

  test('survives a client that hangs up in the middle of its body', async () => {
    const { port } = new URL(url);
    await new Promise<void>((done) => {
      const socket = connect(Number(port), '127.0.0.1', () => {
        socket.write('POST /orders HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"dish"', () =>
          socket.destroy(),
        );
      });
      socket.once('close', () => done());
    });
    expect((await fetch(`${url}/orders`)).status).toBe(200);
  });
});
