import { type BeforeApplicationShutdown, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { IncomingMessage, Server } from 'node:http';
import type { Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { Access, credentialsOf, type Identity } from '../access/access.js';
import type { BatchEventRecord } from '../batches/events/batch.events.js';
import { AppError } from '../common/app-error.js';
import { toProblem } from '../common/problem.js';
import { TenantQuota } from '../common/tenant-quota.js';
import { Config } from '../config.js';
import { httpProblem, refuseConnection } from '../http/raw-answer.js';
import { CLOSE_CODE, CLOSE_MS, closeSocket, cutOff } from './close-socket.js';
import { toDashboardMessages } from './dashboard-messages.js';
import { DashboardSocket } from './dashboard-socket.js';
import { declineUpgrade, wantsWebSocket } from './decline-upgrade.js';
import { MessageRate } from './message-rate.js';
import { mayConnect, refusalOf } from './origin.js';
import { SOCKET_IO_PATH } from './socket.adapter.js';

const PATH = /^\/api\/dashboard\/stream\/?$/;
const MAX_USER_ID_LENGTH = 200;
/** This stream only sends: whatever comes in is read and thrown away. */
const MAX_INCOMING_BYTES = 4_096;
const HEARTBEAT_MS = 10_000;

/** Why a socket is closed as soon as it opens: browsers tell a page the code and reason of a close, and nothing of a refused handshake. */
interface Refusal {
  code: number;
  reason: string;
}

/**
 * The plain WebSocket `/api/dashboard/stream?userId=…`, on the port of Socket.IO and beside it. Everybody hears every batch in open
 * access and of its tenant with an API key; a token hears the batches that its subject created.
 */
@Injectable()
export class DashboardStream implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly server = new WebSocketServer({ noServer: true, maxPayload: MAX_INCOMING_BYTES, perMessageDeflate: false });
  private readonly sockets = new Set<DashboardSocket>();
  private heartbeat?: NodeJS.Timeout;
  private closing = false;

  constructor(
    private readonly adapterHost: HttpAdapterHost,
    private readonly access: Access,
    private readonly quota: TenantQuota,
    private readonly config: Config,
  ) {}

  onApplicationBootstrap(): void {
    const http = this.adapterHost.httpAdapter.getHttpServer() as Server;
    http.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
      if (request.url?.startsWith(SOCKET_IO_PATH)) return;
      if (wantsWebSocket(request)) this.upgrade(request, socket, head);
      else declineUpgrade(http, request, socket, head);
    });
    this.server.on('wsClientError', (error, socket: Socket) => refuseConnection(socket, httpProblem(400, error.message)));
    this.heartbeat = setInterval(() => {
      for (const socket of this.sockets) socket.beat();
    }, HEARTBEAT_MS);
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.heartbeat);
    this.closing = true;
    for (const client of this.server.clients) client.close(CLOSE_CODE.shutdown, 'the service is shutting down');
    const until = performance.now() + CLOSE_MS;
    while (this.server.clients.size > 0 && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 10));
    for (const client of this.server.clients) client.terminate();
  }

  /** Sends an event to all sockets that may hear it. */
  send(record: BatchEventRecord): void {
    const messages = toDashboardMessages(record).map((message) => JSON.stringify(message));
    const droppable = record.type === 'batch.progress';
    for (const socket of this.sockets) if (socket.mayHear(record)) for (const text of messages) socket.send(text, droppable);
  }

  private upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const address = request.url ?? '/';
    socket.on('error', () => socket.destroy());
    const url = new URL(URL.canParse(address, 'http://localhost') ? address : '/', 'http://localhost');
    const refusal = this.refusalOf(request, url.pathname);
    if (refusal) return refuseConnection(socket, refusal);
    void this.admit(request, url.searchParams).then((admitted) => {
      this.server.handleUpgrade(request, socket, head, (client) => this.open(client, admitted));
    });
  }

  private refusalOf(request: IncomingMessage, path: string): Error | undefined {
    const stranger = refusalOf(request, this.config);
    if (stranger) return stranger;
    if (!PATH.test(path)) return httpProblem(404, `${path} is no WebSocket of this service; connect to /api/dashboard/stream`);
    if (!mayConnect(request.headers, this.config)) {
      return new AppError('FORBIDDEN', `pages of ${request.headers.origin} may not connect; see CORS_ORIGINS`);
    }
    return this.closing ? new AppError('UNAVAILABLE', 'the service is shutting down; connect again') : undefined;
  }

  private async admit(request: IncomingMessage, query: URLSearchParams): Promise<Identity | Refusal> {
    const userId = query.get('userId') ?? '';
    if (userId === '') return { code: CLOSE_CODE.policy, reason: 'userId is missing: connect to /api/dashboard/stream?userId=...' };
    if (userId.length > MAX_USER_ID_LENGTH) {
      return { code: CLOSE_CODE.policy, reason: `userId may have at most ${MAX_USER_ID_LENGTH} characters` };
    }
    try {
      const shown = credentialsOf(request.headers);
      const credentials = { ...shown, bearer: shown.bearer ?? query.get('token') ?? undefined };
      const identity = await this.access.identify(credentials, request.socket.remoteAddress);
      if (isToken(identity) && identity.caller.subject !== userId) {
        return { code: CLOSE_CODE.policy, reason: "userId must be the token's subject" };
      }
      return identity;
    } catch (error) {
      const { statusCode, message } = toProblem(error).body;
      return { code: statusCode === 429 ? CLOSE_CODE.tooMany : CLOSE_CODE.unauthorized, reason: message };
    }
  }

  private open(client: WebSocket, admitted: Identity | Refusal): void {
    client.on('error', () => client.terminate());
    if ('code' in admitted) return closeSocket(client, admitted.code, admitted.reason);
    const { tenant, subject } = admitted.caller;
    const socket = new DashboardSocket(client, { tenant, createdBy: isToken(admitted) ? subject : undefined });
    try {
      client.once('close', this.quota.take(tenant));
    } catch (error) {
      return closeSocket(client, CLOSE_CODE.tooMany, toProblem(error).body.message);
    }
    this.sockets.add(socket);
    client.on('close', () => this.sockets.delete(socket));
    this.limitMessages(client);
    if (admitted.expiresAt !== undefined) socket.closeAt(admitted.expiresAt, CLOSE_CODE.unauthorized, 'the token has expired');
  }

  /** What clients send is not read, but costs its time. */
  private limitMessages(client: WebSocket): void {
    const { socketMessagesPerSecond } = this.config;
    const rate = new MessageRate(socketMessagesPerSecond);
    const count = (): void => {
      rate.count();
      if (rate.isExceeded) cutOff(client, `more than ${socketMessagesPerSecond} messages a second (SOCKET_MESSAGES_PER_SECOND)`);
    };
    client.on('message', count).on('ping', count).on('pong', count);
  }
}

/** Keys belong to a tenant and do not end; tokens belong to a person. */
function isToken({ expiresAt }: Identity): boolean {
  return expiresAt !== undefined;
}
