import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { AppError } from '../common/app-error.js';
import type { Config } from '../config.js';
import { BodyPace } from './body-pace.js';
import { toConnectionProblem } from './client-errors.js';
import { httpProblem, leaveUnread, refuseConnection } from './raw-answer.js';

/** A connection's last request, and how its body comes in once it takes longer than a look. */
interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  pace?: BodyPace;
}

const LOOK_MS = 1_000;
/** Length of a body that is read and thrown away when its request was answered without it, so that its client gets to the answer. */
const MAX_DISCARDED_BYTES = 2_097_152;
/** How long what is open may be silent while the service shuts down. */
const CLOSING_IDLE_MS = 1_000;
const CLOSING_RETRY_MS = 2_000;

/**
 * The connections of the HTTP servers: how many an address may have, how slowly a body may come and an answer be taken, what they are
 * told when Node gives them up, and how they end when the service does. What became a WebSocket is not among them.
 */
export class Connections {
  private readonly open = new Map<Socket, Exchange | undefined>();
  private readonly counted = new WeakSet<Socket>();
  private readonly byAddress = new Map<string, number>();
  private readonly timer: NodeJS.Timeout;
  private drainedAt?: number;
  private isClosed = false;

  constructor(private readonly config: Config) {
    this.timer = setInterval(() => this.look(), Math.min(LOOK_MS, config.bodyIdleMs / 4)).unref();
  }

  watch(server: Server): void {
    server.on('connection', (socket: Socket) => this.admit(socket));
    // Socket.IO puts itself in front of all listeners that it finds; this one has to come before it.
    server.once('listening', () =>
      server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => this.begin(request, response)),
    );
    server.on('upgrade', ({ socket }: IncomingMessage) => this.open.delete(socket));
    server.on('clientError', (error: Error, socket: Socket) => this.fail(error, socket));
    server.on('checkExpectation', ({ socket, headers }: IncomingMessage) =>
      this.refuse(socket, httpProblem(417, `Expect: ${headers.expect} cannot be met; leave the header out`)),
    );
    server.on('connect', ({ socket }: IncomingMessage) =>
      this.refuse(socket, httpProblem(405, 'this service is no proxy; CONNECT is not answered')),
    );
    server.setTimeout(this.config.answerIdleMs, (socket) => this.endIdle(socket));
  }

  /** From now on a connection ends with its request; one without a request ends at once. */
  drain(): void {
    if (this.drainedAt !== undefined) return;
    this.drainedAt = performance.now();
    for (const socket of this.open.keys()) {
      const exchange = this.exchangeOf(socket);
      socket.setTimeout(CLOSING_IDLE_MS);
      if (exchange) endWith(exchange, socket);
      else socket.destroy();
    }
  }

  /** Waits for the requests under way, until half of the grace time is over at most, and ends what is left of the connections. */
  async close(): Promise<void> {
    this.drain();
    this.isClosed = true;
    const until = this.drainedAt! + this.config.shutdownGraceMs / 2;
    while (this.open.size > 0 && performance.now() < until) await delay(10);
    clearInterval(this.timer);
    for (const socket of this.open.keys()) this.refuse(socket, shuttingDown());
  }

  private admit(socket: Socket): void {
    this.open.set(socket, undefined);
    // Known already when its wish for another protocol was declined: see decline-upgrade.ts.
    if (this.counted.has(socket)) return;
    this.counted.add(socket);
    const count = this.countAddress(socket);
    socket.once('close', () => this.open.delete(socket));
    if (this.drainedAt !== undefined) socket.setTimeout(CLOSING_IDLE_MS);
    if (this.isClosed) return this.refuse(socket, shuttingDown());
    const { connectionsPerAddress: limit = Infinity } = this.config;
    if (count <= limit) return;
    const message = `more than ${limit} connections from ${socket.remoteAddress} (CONNECTIONS_PER_ADDRESS); close some`;
    this.refuse(socket, new AppError('RATE_LIMITED', message));
  }

  /** @returns how many the socket's address has, with this one */
  private countAddress(socket: Socket): number {
    const address = socket.remoteAddress ?? '';
    const count = (this.byAddress.get(address) ?? 0) + 1;
    this.byAddress.set(address, count);
    socket.once('close', () => {
      const left = this.byAddress.get(address)! - 1;
      if (left > 0) this.byAddress.set(address, left);
      else this.byAddress.delete(address);
    });
    return count;
  }

  private begin(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    const exchange = { request, response };
    this.open.set(socket, exchange);
    if (this.drainedAt !== undefined) endWith(exchange, socket);
    response.once('finish', () => {
      if (!request.complete && !request.readableDidRead && !isShort(request)) leaveUnread(socket);
    });
  }

  private exchangeOf(socket: Socket): Exchange | undefined {
    const last = this.open.get(socket);
    return last && !(last.request.complete && last.response.writableFinished) ? last : undefined;
  }

  private look(): void {
    const now = performance.now();
    const isDraining = this.drainedAt !== undefined;
    for (const [socket, exchange] of this.open) {
      if (!exchange || exchange.request.complete) continue;
      exchange.pace ??= new BodyPace(exchange.request, this.config);
      const fault = exchange.pace.look(now, isDraining ? CLOSING_IDLE_MS : this.config.bodyIdleMs);
      if (fault) this.refuse(socket, isDraining ? shuttingDown() : httpProblem(408, fault));
    }
  }

  /**
   * Ends a connection that nothing moved on for a while: one whose answer is not taken, and one that waits for a next request. A request
   * may take its time when nothing waits for its client, and the first one's headers have a time limit of their own.
   */
  private endIdle(socket: Socket): void {
    const isKept = this.open.get(socket) !== undefined && !this.exchangeOf(socket);
    if (socket.writableLength > 0 || isKept || (this.drainedAt !== undefined && !this.exchangeOf(socket))) socket.destroy();
  }

  /** What comes behind a whole request is not its fault: it is answered first. */
  private fail(error: Error, socket: Socket): void {
    if ((error as NodeJS.ErrnoException).code === 'ECONNRESET') {
      socket.destroy();
      return;
    }
    const problem = toConnectionProblem(error, this.config);
    const exchange = this.exchangeOf(socket);
    if (!exchange?.request.complete) return this.refuse(socket, problem);
    socket.pause();
    exchange.response.once('finish', () => this.refuse(socket, problem));
  }

  /** Answers the request that a connection is in the middle of, unless its answer has begun, and closes the connection. */
  private refuse(socket: Socket, why: Error): void {
    const response = this.exchangeOf(socket)?.response;
    this.open.delete(socket);
    if (!socket.writable || response?.headersSent) socket.destroy();
    else refuseConnection(socket, why, response?.getHeader('x-request-id')?.toString());
  }
}

/** Makes a request the last one of its connection. */
function endWith({ response }: Exchange, socket: Socket): void {
  if (response.headersSent) response.once('finish', () => socket.destroySoon());
  else response.setHeader('connection', 'close');
}

function isShort({ headers }: IncomingMessage): boolean {
  return Number(headers['content-length'] ?? Infinity) <= MAX_DISCARDED_BYTES;
}

function shuttingDown(): AppError {
  return new AppError('UNAVAILABLE', 'the service is shutting down; send the request again', {
    details: { retryAfterMs: CLOSING_RETRY_MS },
  });
}
