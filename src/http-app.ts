import { HttpAdapterHost, NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import helmet from '@fastify/helmet';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { Readable } from 'node:stream';
import { describeApi } from './common/api-document.js';
import { decodeBody } from './common/decoded-body.js';
import { InputPipe } from './common/input.pipe.js';
import { readJsonBody } from './common/json-body.js';
import { STREAMED_TYPES } from './common/media-types.js';
import { ProblemFilter } from './common/problem.filter.js';
import { toProblem } from './common/problem.js';
import type { Config } from './config.js';
import { Connections } from './http/connections.js';
import { httpProblem } from './http/raw-answer.js';
import { mayReadAnswers, refusalOf } from './realtime/origin.js';
import { SOCKET_IO_PATH, SocketAdapter } from './realtime/socket.adapter.js';

/** Longest JSON body; what may be longer is sent as a stream. */
const MAX_JSON_BYTES = 1_048_576;

/** Silence of a connection after which its other side is asked whether it is still there. */
const TCP_PROBE_MS = 60_000;

/**
 * The service as an HTTP application, ready for `listen`.
 * @param module the root module, or what describes it
 */
export async function createHttpApp(module: object, config: Config): Promise<NestFastifyApplication> {
  const connections = new Connections(config);
  const app = await NestFactory.create<NestFastifyApplication>(module, new EdgeAdapter(connections, config), {
    bodyParser: false,
    bufferLogs: true,
    abortOnError: false,
  });
  await configureHttp(app, config);
  app
    .getHttpAdapter()
    .getInstance()
    .addHook('preClose', () => connections.close());
  return app;
}

class EdgeAdapter extends FastifyAdapter {
  constructor(
    private readonly connections: Connections,
    config: Config,
  ) {
    super({
      bodyLimit: MAX_JSON_BYTES,
      // See withRequestId.
      genReqId: ({ headers }: IncomingMessage) => headers['x-request-id'] as string,
      routerOptions: { ignoreTrailingSlash: true, maxParamLength: 512 },
      // Fastify's router answers malformed addresses itself, before any filter.
      frameworkErrors: (error: FastifyError, _request: FastifyRequest, reply: FastifyReply) => {
        const { body } = toProblem(error);
        void reply.code(body.statusCode).send(body);
      },
      serverFactory: (answer: RequestListener) => createHttpServer(answer, connections, config),
      // The server's connections have one already.
      clientErrorHandler: () => {},
      // Connections that are still open are answered until they end; see Connections.
      return503OnClosing: false,
    });
  }

  /** The first step of the shutdown, before the work drains. */
  override beforeClose(): void {
    super.beforeClose();
    this.connections.drain();
  }
}

function createHttpServer(answer: RequestListener, connections: Connections, config: Config) {
  const server = createServer(
    {
      headersTimeout: config.headersTimeoutMs,
      connectionsCheckingInterval: Math.min(1_000, config.headersTimeoutMs / 4),
      keepAliveTimeout: config.keepAliveMs,
      // A body may take as long as it moves; see Connections.
      requestTimeout: 0,
      // Node would refuse without a word; see refuseStrangers.
      requireHostHeader: false,
      // Clients that are gone without a word are noticed within minutes.
      keepAlive: true,
      keepAliveInitialDelay: TCP_PROBE_MS,
    },
    withRequestId(answer),
  );
  connections.watch(server);
  // The answer's first line lets the client send its body: not before it is known who asks.
  server.on('checkContinue', (request, response) => {
    if (request.url?.startsWith(SOCKET_IO_PATH)) response.writeContinue();
    server.emit('request', request, response);
  });
  return server;
}

/** Gives an application (created with `bodyParser: false`) its HTTP edge: bodies, errors, headers, sockets, documentation. */
async function configureHttp(app: NestFastifyApplication, config: Config): Promise<void> {
  refuseStrangers(app, config);
  readBodies(app, config);
  await app.register(helmet, {
    // Pages are also served over plain HTTP inside a network.
    contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } },
  });
  app.enableCors({
    origin: config.corsOrigins.includes('*')
      ? '*'
      : (origin, decide) => decide(null, origin !== undefined && mayReadAnswers(origin, config)),
    methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: ['retry-after', 'x-request-id', 'idempotency-replayed'],
    maxAge: 600,
    // The plugin would answer one without its headers itself, in words of its own.
    strictPreflight: false,
  });
  app.useGlobalPipes(new InputPipe());
  app.useGlobalFilters(new ProblemFilter(app.get(HttpAdapterHost)));
  app.useWebSocketAdapter(new SocketAdapter(app, config));
  describeApi(app);
}

/** Before anything is read of a body: requests by foreign names, from foreign pages, and for what is no route. */
function refuseStrangers(app: NestFastifyApplication, config: Config): void {
  const fastify = app.getHttpAdapter().getInstance();
  fastify.addHook('onRequest', (request, _reply, done) => {
    const { raw, headers } = request;
    if (headers.host === undefined && raw.httpVersion === '1.1') return done(httpProblem(400, 'the Host header is missing; send one'));
    const refusal = refusalOf(raw, config);
    if (refusal) return done(refusal);
    done(request.is404 ? httpProblem(404, `Cannot ${request.method} ${request.url}`) : undefined);
  });
}

function readBodies(app: NestFastifyApplication, config: Config): void {
  const fastify = app.getHttpAdapter().getInstance();
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, bytes: Buffer, done) => {
    try {
      done(null, readJsonBody(request, bytes));
    } catch (error) {
      done(error as Error);
    }
  });
  // Handed to the route as streams, without a limit here: the procedure that reads one sets the bounds.
  fastify.addContentTypeParser([...STREAMED_TYPES, 'multipart/form-data'], (_request, stream, done) => done(null, stream));
  fastify.addHook('preParsing', (request, reply, payload, done) => {
    if (request.headers.expect !== undefined) reply.raw.writeContinue();
    try {
      done(null, decodeBody(payload as Readable, request.headers, config.maxUploadBytes));
    } catch (error) {
      done(error as Error);
    }
  });
}

/** Gives each request its id, which every answer tells, whoever sends it. */
function withRequestId(answer: RequestListener): RequestListener {
  return (request, response) => {
    const id = requestId(request.headers['x-request-id']);
    request.headers['x-request-id'] = id;
    response.setHeader('x-request-id', id);
    answer(request, response);
  };
}

const REQUEST_ID = /^[\w.:/=+-]{1,128}$/;

/** The caller's own id when it is harmless to write into a log, else a new one. */
function requestId(given: string | string[] | undefined): string {
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
}
