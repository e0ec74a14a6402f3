import { type BeforeApplicationShutdown, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { fastifyRequestHandler } from '@trpc/server/adapters/fastify';
import type { TRPCRequestInfo } from '@trpc/server/http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Readable } from 'node:stream';
import { Access, credentialsOf } from '../access/access.js';
import { CreationLimit } from '../access/creation-limit.js';
import { AppError, invalidField } from '../common/app-error.js';
import { jsonError, parseJson } from '../common/json-text.js';
import { headersOf } from '../common/problem.filter.js';
import { Procedures } from '../common/procedure.js';
import { Idempotency } from '../idempotency/idempotency.js';
import { BatchFeeds } from './batch-feeds.js';
import { appRouter } from './router.js';
import type { RpcContext } from './rpc-context.js';
import { toRpcErrorShape, toRpcProblem } from './rpc-error.js';

/** Calls in one request. */
const MAX_BATCHED_CALLS = 20;
/** Time for subscribers to take what was sent to them last. */
const CLOSE_MS = 1_000;

/** Serves the router at `/trpc`, with the body limits, request ids, headers and log of every other route. */
@Injectable()
export class RpcServer implements OnModuleInit, BeforeApplicationShutdown {
  private readonly logger = new Logger(RpcServer.name);
  private readonly replies = new Set<FastifyReply>();
  private closing = false;

  constructor(
    private readonly adapterHost: HttpAdapterHost,
    private readonly access: Access,
    private readonly procedures: Procedures,
    private readonly creations: CreationLimit,
    private readonly feeds: BatchFeeds,
    private readonly idempotency: Idempotency,
  ) {}

  onModuleInit(): void {
    const fastify = this.adapterHost.httpAdapter.getInstance<FastifyInstance>();
    fastify.route<{ Params: { '*': string } }>({
      method: ['GET', 'POST'],
      url: '/trpc/*',
      // tRPC has no HEAD; Fastify would add one that cannot send its answers.
      exposeHeadRoute: false,
      handler: (request, reply) => this.answer(request, reply, request.params['*']),
      errorHandler: (error, _request, reply) => this.refuse(error, reply),
    });
  }

  /** Subscribers are told; those that do not read would keep the port open. */
  async beforeApplicationShutdown(): Promise<void> {
    this.closing = true;
    this.feeds.close();
    const streams = () => [...this.replies].filter((reply) => reply.getHeader('content-type') === 'text/event-stream');
    const until = performance.now() + CLOSE_MS;
    while (streams().length > 0 && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 10));
    for (const reply of streams()) reply.raw.destroy();
  }

  private async answer(request: FastifyRequest, reply: FastifyReply, path: string): Promise<void> {
    if (request.body instanceof Readable) throw new AppError('UNSUPPORTED_TYPE', 'this interface reads application/json only');
    checkQueryInput(request.url);
    this.replies.add(reply);
    reply.raw.once('close', () => this.replies.delete(reply));
    await fastifyRequestHandler({
      router: appRouter,
      req: request,
      res: reply,
      path,
      createContext: ({ info }) => this.contextOf(request, info),
      maxBatchSize: MAX_BATCHED_CALLS,
      // A query whose input is too long for an address may come as POST.
      allowMethodOverride: true,
      onError: ({ error }) => this.log(error),
      responseMeta: ({ errors, ctx }) => ({ headers: headersOfReply(errors, ctx?.replayed) }),
    });
  }

  /** A browser's EventSource cannot set headers: it shows its credentials as connection parameters. */
  private async contextOf(request: FastifyRequest, { connectionParams, calls }: TRPCRequestInfo): Promise<RpcContext> {
    const key = request.headers['idempotency-key'];
    if (key !== undefined && calls.length > 1) {
      throw invalidField('Idempotency-Key', 'a key is for one call; send the call alone (httpLink, not httpBatchLink)');
    }
    const shown = credentialsOf(request.headers);
    const identity = await this.access.identify({
      apiKey: shown.apiKey ?? connectionParams?.apiKey,
      bearer: shown.bearer ?? connectionParams?.token,
    });
    const { procedures, creations, feeds, idempotency } = this;
    return { ...identity, procedures, creations, feeds, idempotency, idempotencyKey: key?.toString(), replayed: false };
  }

  /** Of a request that did not get as far as tRPC: its body is too large, or no JSON. */
  private refuse(error: unknown, reply: FastifyReply): void {
    this.log(error);
    const problem = toRpcProblem(error);
    void reply
      .code(problem.body.statusCode)
      .headers(headersOf(problem))
      .send({ error: toRpcErrorShape(error) });
  }

  private log(error: unknown): void {
    const { expected, body } = toRpcProblem(error);
    if (!expected) this.logger.error({ err: error }, 'unexpected error');
    else if (body.statusCode >= 500 && !this.closing) this.logger.warn({ err: error }, body.message);
  }
}

/** The input of a GET is parsed within tRPC, where numbers would be rounded; that of a POST is a JSON body like any other. */
function checkQueryInput(address: string): void {
  const input = new URL(address, 'http://localhost').searchParams.get('input');
  const parsed = input ? parseJson(input, 'the input is not valid JSON') : undefined;
  if (parsed && 'errors' in parsed) throw jsonError(parsed.errors);
}

function headersOfReply(errors: readonly unknown[], replayed = false): Headers {
  const headers = new Headers(replayed ? { 'idempotency-replayed': 'true' } : {});
  for (const error of errors) {
    for (const [name, value] of Object.entries(headersOf(toRpcProblem(error)))) headers.set(name, value);
  }
  return headers;
}
