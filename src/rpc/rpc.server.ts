import { type BeforeApplicationShutdown, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { fastifyRequestHandler } from '@trpc/server/adapters/fastify';
import type { TRPCRequestInfo } from '@trpc/server/http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Readable } from 'node:stream';
import { Access, type Credentials, credentialsOf, type Identity } from '../access/access.js';
import { CreationLimit } from '../access/creation-limit.js';
import { AppError, invalidField } from '../common/app-error.js';
import { jsonError, parseJson } from '../common/json-text.js';
import { headersOf } from '../common/problem.filter.js';
import { Procedures } from '../common/procedure.js';
import { TenantQuota } from '../common/tenant-quota.js';
import { Config } from '../config.js';
import { Idempotency } from '../idempotency/idempotency.js';
import { BatchFeeds } from './batch-feeds.js';
import { appRouter } from './router.js';
import type { RpcContext } from './rpc-context.js';
import { toRpcErrorShape, toRpcProblem } from './rpc-error.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Of requests to `/trpc`: who asks, as soon as it is known. */
    identity?: Identity;
  }
}

/** Calls in one request. */
const MAX_BATCHED_CALLS = 20;
/** Time for subscribers to take what was sent to them last. */
const CLOSE_MS = 1_000;

/** Serves the router at `/trpc`, with the body limits, request ids, headers and log of every other route. */
@Injectable()
export class RpcServer implements OnModuleInit, BeforeApplicationShutdown {
  private readonly logger = new Logger(RpcServer.name);
  private readonly replies = new Set<FastifyReply>();
  private readonly subscriptions: TenantQuota;
  private closing = false;

  constructor(
    private readonly adapterHost: HttpAdapterHost,
    private readonly access: Access,
    private readonly procedures: Procedures,
    private readonly creations: CreationLimit,
    private readonly feeds: BatchFeeds,
    private readonly idempotency: Idempotency,
    config: Config,
  ) {
    this.subscriptions = new TenantQuota(config.subscriptionsPerTenant, 'open subscriptions (SUBSCRIPTIONS_PER_TENANT)');
  }

  onModuleInit(): void {
    const fastify = this.adapterHost.httpAdapter.getInstance<FastifyInstance>();
    fastify.route<{ Params: { '*': string } }>({
      method: ['GET', 'POST'],
      url: '/trpc/*',
      // tRPC has no HEAD; Fastify would add one that cannot send its answers.
      exposeHeadRoute: false,
      // Nobody but this class knows where they show their credentials.
      config: { public: true },
      onRequest: async (request) => {
        // Those of a request without a body are looked at by tRPC's turn, so that a subscriber is told what is wrong with them.
        if (request.method === 'POST') request.identity = await this.identify(request);
      },
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
      createContext: ({ info }) => this.contextOf(request, reply, info),
      maxBatchSize: MAX_BATCHED_CALLS,
      // A query whose input is too long for an address may come as POST.
      allowMethodOverride: true,
      onError: ({ error }) => this.log(error),
      responseMeta: ({ errors, ctx }) => ({ headers: headersOfReply(errors, ctx?.replayed) }),
    });
  }

  private identify(request: FastifyRequest): Promise<Identity> {
    return this.access.identify(credentialsOfRequest(request), request.ip);
  }

  private async contextOf(request: FastifyRequest, reply: FastifyReply, { calls }: TRPCRequestInfo): Promise<RpcContext> {
    const key = request.headers['idempotency-key'];
    if (key !== undefined && calls.length > 1) {
      throw invalidField('Idempotency-Key', 'a key is for one call; send the call alone (httpLink, not httpBatchLink)');
    }
    const { procedures, creations, feeds, idempotency } = this;
    const identity = request.identity ?? (await this.identify(request));
    const countSubscription = (): void => {
      const giveBack = this.subscriptions.take(identity.caller.tenant);
      if (reply.raw.closed) giveBack();
      else reply.raw.once('close', giveBack);
    };
    return {
      ...identity,
      procedures,
      creations,
      feeds,
      idempotency,
      countSubscription,
      idempotencyKey: key?.toString(),
      replayed: false,
    };
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

/** A browser's EventSource cannot set headers: it shows its credentials as connection parameters. */
function credentialsOfRequest({ headers, query }: FastifyRequest): Credentials {
  const shown = credentialsOf(headers);
  const { apiKey, token } = connectionParametersOf(query as Record<string, unknown>);
  return { apiKey: shown.apiKey ?? apiKey, bearer: shown.bearer ?? token };
}

function connectionParametersOf({ connectionParams }: Record<string, unknown>): { apiKey?: string; token?: string } {
  try {
    const { apiKey, token } = JSON.parse(String(connectionParams)) as Record<string, unknown>;
    return { apiKey: typeof apiKey === 'string' ? apiKey : undefined, token: typeof token === 'string' ? token : undefined };
  } catch {
    // None are there, or tRPC will say what is wrong with them.
    return {};
  }
}

function headersOfReply(errors: readonly unknown[], replayed = false): Headers {
  const headers = new Headers(replayed ? { 'idempotency-replayed': 'true' } : {});
  for (const error of errors) {
    for (const [name, value] of Object.entries(headersOf(toRpcProblem(error)))) headers.set(name, value);
  }
  return headers;
}
