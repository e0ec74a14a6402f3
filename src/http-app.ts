import { HttpAdapterHost, NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import helmet from '@fastify/helmet';
import multipart from '@fastify/multipart';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { describeApi } from './common/api-document.js';
import { decodeBody } from './common/decoded-body.js';
import { InputPipe } from './common/input.pipe.js';
import { parseJsonBody } from './common/json-body.js';
import { STREAMED_TYPES } from './common/media-types.js';
import { ProblemFilter } from './common/problem.filter.js';
import { toProblem } from './common/problem.js';
import type { Config } from './config.js';
import { SocketAdapter } from './realtime/socket.adapter.js';

/** Longest JSON body; what may be longer is sent as a stream. */
const MAX_JSON_BYTES = 1_048_576;

/**
 * The service as an HTTP application, ready for `listen`.
 * @param module the root module, or what describes it
 */
export async function createHttpApp(module: object, config: Config): Promise<NestFastifyApplication> {
  const app = await NestFactory.create<NestFastifyApplication>(module, httpAdapter(), { bodyParser: false, bufferLogs: true });
  await configureHttp(app, config);
  return app;
}

function httpAdapter(): FastifyAdapter {
  return new FastifyAdapter({
    bodyLimit: MAX_JSON_BYTES,
    genReqId: (request: IncomingMessage) => requestId(request.headers['x-request-id']),
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 512 },
    // Fastify's router answers malformed addresses itself, before any filter.
    frameworkErrors: (error: FastifyError, _request: FastifyRequest, reply: FastifyReply) => {
      const { body } = toProblem(error);
      void reply.code(body.statusCode).send(body);
    },
  });
}

/** Gives an application (created with `bodyParser: false`) its HTTP edge: bodies, errors, headers, sockets, documentation. */
async function configureHttp(app: NestFastifyApplication, config: Config): Promise<void> {
  readBodies(app, config);
  answerRequestIds(app);
  await app.register(helmet, {
    // Pages are also served over plain HTTP inside a network.
    contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } },
  });
  await app.register(multipart, {
    limits: { fileSize: config.maxUploadBytes, files: 50, fields: 50, fieldSize: 65_536, parts: 100, headerPairs: 50 },
  });
  if (config.corsOrigins.length > 0) {
    app.enableCors({
      origin: config.corsOrigins.includes('*') ? '*' : [...config.corsOrigins],
      methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
      exposedHeaders: ['retry-after', 'x-request-id', 'idempotency-replayed'],
      maxAge: 600,
    });
  }
  app.useGlobalPipes(new InputPipe());
  app.useGlobalFilters(new ProblemFilter(app.get(HttpAdapterHost)));
  app.useWebSocketAdapter(new SocketAdapter(app, config));
  describeApi(app);
}

function readBodies(app: NestFastifyApplication, config: Config): void {
  const fastify = app.getHttpAdapter().getInstance();
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, bytes: Buffer, done) => {
    try {
      done(null, parseJsonBody(bytes));
    } catch (error) {
      done(error as Error);
    }
  });
  // Handed to the route as streams, without a limit here: the procedure that reads one sets the bounds.
  fastify.addContentTypeParser(STREAMED_TYPES, (_request, stream, done) => done(null, stream));
  fastify.addHook('preParsing', (request, _reply, payload, done) => {
    try {
      done(null, decodeBody(payload as Readable, request.headers, config.maxUploadBytes));
    } catch (error) {
      done(error as Error);
    }
  });
  // A route that takes no uploads must refuse one, not read it as an empty body.
  fastify.addHook('preValidation', (request, _reply, done) => {
    if (request.isMultipart()) request.body = request.raw;
    done();
  });
}

function answerRequestIds(app: NestFastifyApplication): void {
  const fastify = app.getHttpAdapter().getInstance();
  fastify.addHook('onRequest', (request, reply, done) => {
    void reply.header('x-request-id', request.id);
    done();
  });
}

const REQUEST_ID = /^[\w.:/=+-]{1,128}$/;

/** The caller's own id when it is harmless to write into a log, else a new one. */
function requestId(given: string | string[] | undefined): string {
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
}
