import { Body, Controller, Get, Module, Param, Post, Res } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyReply } from 'fastify';
import { Readable } from 'node:stream';
import { Config } from '../../src/config.js';
import { createHttpApp } from '../../src/http-app.js';
import { Gate } from '../support/eventually.js';
import type { RawAnswer } from '../support/raw-http.js';

/** What some of the routes below wait for. */
export const waits = { gate: new Gate() };

@Controller('orders')
class OrdersController {
  @Post()
  create(@Body() body: unknown): { keys: number } {
    return { keys: Object.keys(body ?? {}).length };
  }

  @Post('stream')
  async stream(@Body() body: unknown): Promise<{ bytes: number }> {
    let bytes = 0;
    for await (const chunk of body as Readable) bytes += (chunk as Buffer).length;
    return { bytes };
  }

  /** Reads nothing of the body until the gate opens. */
  @Post('late')
  async late(@Body() body: unknown): Promise<{ bytes: number }> {
    await waits.gate.opened;
    return this.stream(body);
  }

  @Get('waits')
  async waits(): Promise<{ done: true }> {
    await waits.gate.opened;
    return { done: true };
  }

  /** So many megabytes. */
  @Get('large/:megabytes')
  async large(@Param('megabytes') megabytes: string, @Res() reply: FastifyReply): Promise<void> {
    await reply.send(Readable.from(Array.from({ length: Number(megabytes) * 16 }, () => Buffer.alloc(65_536, 'x'))));
  }
}

@Module({ controllers: [OrdersController] })
class OrdersModule {}

/** The HTTP edge around a few routes, without the service behind it. */
export async function startOrdersApp(env: Record<string, string> = {}): Promise<{ app: NestFastifyApplication; url: string }> {
  waits.gate = new Gate();
  const app = await createHttpApp(OrdersModule, Config.from(env));
  app.useLogger(false);
  await app.listen(0, '127.0.0.1');
  return { app, url: await app.getUrl() };
}

/** Checks that an answer has the one error body. @returns its status and sentence */
export function problemOf({ status, headers, body }: RawAnswer): { status: number; message: string } {
  expect(headers['content-type']).toBe('application/json; charset=utf-8');
  expect(headers['x-request-id']).toMatch(/^[\w.:/=+-]{1,128}$/);
  const problem = JSON.parse(body) as { message: string };
  expect(problem).toEqual({
    success: false,
    error: problem.message,
    message: expect.stringMatching(/^\S.{10,}/),
    statusCode: status,
    details: { errors: expect.any(Array) },
  });
  return { status, message: problem.message };
}
