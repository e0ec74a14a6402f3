import { type BeforeApplicationShutdown, Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { Access, credentialsOf, type Identity } from '../access/access.js';
import type { BatchEventRecord } from '../batches/events/batch.events.js';
import { toProblem } from '../common/problem.js';
import { Config } from '../config.js';
import { toDashboardMessages } from './dashboard-messages.js';
import { DashboardSocket } from './dashboard-socket.js';
import { declineUpgrade, wantsWebSocket } from './decline-upgrade.js';
import { mayConnect } from './origin.js';
import { SOCKET_IO_PATH } from './socket.adapter.js';

const PATH = /^\/api\/dashboard\/stream\/?$/;
const MAX_USER_ID_LENGTH = 200;
/** This stream only sends: whatever comes in is read and thrown away. */
const MAX_INCOMING_BYTES = 4_096;
const HEARTBEAT_MS = 10_000;
/** Time for the other side to answer a close. */
const CLOSE_MS = 1_000;
/** Time for a refused client to read why. */
const REFUSAL_MS = 1_000;

export const CLOSE_CODE = { shutdown: 1001, policy: 1008, unauthorized: 4401 };

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

  constructor(
    private readonly adapterHost: HttpAdapterHost,
    private readonly access: Access,
    private readonly config: Config,
  ) {}

  onApplicationBootstrap(): void {
    const http = this.adapterHost.httpAdapter.getHttpServer() as Server;
    http.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      if (request.url?.startsWith(SOCKET_IO_PATH)) return;
      if (wantsWebSocket(request)) this.upgrade(request, socket, head);
      else declineUpgrade(http, request, socket, head);
    });
    this.heartbeat = setInterval(() => {
      for (const socket of this.sockets) socket.beat();
    }, HEARTBEAT_MS);
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.heartbeat);
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

  private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const address = request.url ?? '/';
    socket.on('error', () => socket.destroy());
    const url = URL.canParse(address, 'http://localhost') ? new URL(address, 'http://localhost') : undefined;
    if (!url || !PATH.test(url.pathname)) return refuseHandshake(socket, '404 Not Found');
    if (!mayConnect(request.headers, this.config)) return refuseHandshake(socket, '403 Forbidden');
    void this.admit(request, url.searchParams).then((admitted) => {
      this.server.handleUpgrade(request, socket, head, (client) => this.open(client, admitted));
    });
  }

  private async admit(request: IncomingMessage, query: URLSearchParams): Promise<Identity | Refusal> {
    const userId = query.get('userId') ?? '';
    if (userId === '') return { code: CLOSE_CODE.policy, reason: 'userId is missing: connect to /api/dashboard/stream?userId=...' };
    if (userId.length > MAX_USER_ID_LENGTH) {
      return { code: CLOSE_CODE.policy, reason: `userId may have at most ${MAX_USER_ID_LENGTH} characters` };
    }
    try {
      const shown = credentialsOf(request.headers);
      const identity = await this.access.identify({ ...shown, bearer: shown.bearer ?? query.get('token') ?? undefined });
      if (isToken(identity) && identity.caller.subject !== userId) {
        return { code: CLOSE_CODE.policy, reason: "userId must be the token's subject" };
      }
      return identity;
    } catch (error) {
      return { code: CLOSE_CODE.unauthorized, reason: toProblem(error).body.message };
    }
  }

  private open(client: WebSocket, admitted: Identity | Refusal): void {
    client.on('error', () => client.terminate());
    if ('code' in admitted) return client.close(admitted.code, admitted.reason);
    const { tenant, subject } = admitted.caller;
    const socket = new DashboardSocket(client, { tenant, createdBy: isToken(admitted) ? subject : undefined });
    this.sockets.add(socket);
    client.on('close', () => this.sockets.delete(socket));
    if (admitted.expiresAt !== undefined) socket.closeAt(admitted.expiresAt, CLOSE_CODE.unauthorized, 'the token has expired');
  }
}

/** Keys belong to a tenant and do not end; tokens belong to a person. */
function isToken({ expiresAt }: Identity): boolean {
  return expiresAt !== undefined;
}

function refuseHandshake(socket: Duplex, status: string): void {
  // A client that keeps its side open would hold the socket, and the shutdown, as long as it likes.
  socket.once('finish', () => socket.destroy());
  setTimeout(() => socket.destroy(), REFUSAL_MS).unref();
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
