import { type BeforeApplicationShutdown, Logger } from '@nestjs/common';
import { ConnectedSocket, MessageBody, type OnGatewayInit, SubscribeMessage, WebSocketGateway, WebSocketServer } from '@nestjs/websockets';
import type { DefaultEventsMap, Server, Socket } from 'socket.io';
import type { WebSocket } from 'ws';
import { Access, credentialsOf, type Identity } from '../access/access.js';
import { ListEvents } from '../batches/queries/list-events.query.js';
import { AppError } from '../common/app-error.js';
import { checkInput } from '../common/check-input.js';
import { type ProblemBody, toProblem } from '../common/problem.js';
import { Procedures } from '../common/procedure.js';
import { TenantQuota } from '../common/tenant-quota.js';
import { Config } from '../config.js';
import { type BatchMessage, type SocketMessage, toBatchMessage } from './batch-messages.js';
import { CatchUpRequest } from './catch-up.request.js';
import { CLOSE_CODE, closeSocket, cutOff } from './close-socket.js';
import { MessageRate } from './message-rate.js';

interface SocketState {
  identity: Identity;
  catchUps: number;
}

/** Engine.IO's, which carries one or more of Socket.IO's sockets. */
type Connection = Socket['conn'];

type BatchSocket = Socket<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, SocketState>;

/** Packets waiting for one socket, above which it is slow: it then misses progress, never the start or the end of a batch. */
const MAX_WAITING_PACKETS = 64;
const MAX_CATCH_UPS_AT_ONCE = 16;
const CATCH_UP_LIMIT = 1_000;
const MAX_TIMER_MS = 2_147_483_647;

/** Sends every batch event of a tenant to all of its sockets; no message is needed to get them. */
@WebSocketGateway()
export class BatchGateway implements OnGatewayInit, BeforeApplicationShutdown {
  @WebSocketServer() private readonly server: Server<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, SocketState>;
  private readonly logger = new Logger(BatchGateway.name);

  constructor(
    private readonly access: Access,
    private readonly procedures: Procedures,
    private readonly quota: TenantQuota,
    private readonly config: Config,
  ) {}

  afterInit(server: BatchGateway['server']): void {
    const rates = new WeakMap<Connection, MessageRate>();
    server.engine.on('connection', (connection: Connection) => rates.set(connection, this.limitPackets(connection)));
    server.use((socket, next) => {
      this.admit(socket).then(
        () => next(),
        (error: unknown) => next(refusal(error)),
      );
    });
    // Joined in the same tick as the connection, so that no event falls between the two.
    server.on('connection', (socket) => {
      if (!this.countIn(socket)) return;
      void socket.join(roomOf(socket.data.identity.caller.tenant));
      endWithToken(socket);
      const rate = rates.get(socket.conn)!;
      socket.use((packet, next) => (rate.isExceeded ? answerTooMany(packet, this.tooMany) : next()));
    });
  }

  /** Long polls have no code for their end, and end with the server. */
  beforeApplicationShutdown(): void {
    for (const { conn } of this.server.sockets.sockets.values()) {
      const socket = webSocketOf(conn);
      if (socket) closeSocket(socket, CLOSE_CODE.shutdown, 'the service is shutting down');
    }
  }

  /** @param droppable slow sockets go without it */
  send(tenant: string, { name, payload }: SocketMessage, droppable: boolean): void {
    this.server
      .to(roomOf(tenant))
      .except(droppable ? this.slowSockets() : [])
      .emit(name, payload);
  }

  /** Answers with the events after a sequence number, oldest first: what was missed while the socket was away. */
  @SubscribeMessage('batch.catchUp')
  async catchUp(@ConnectedSocket() socket: BatchSocket, @MessageBody() message: unknown): Promise<CatchUpReply | ProblemBody> {
    socket.data.catchUps += 1;
    try {
      if (socket.data.catchUps > MAX_CATCH_UPS_AT_ONCE) {
        throw new AppError('RATE_LIMITED', `more than ${MAX_CATCH_UPS_AT_ONCE} catch-ups at the same time; wait for their answers`);
      }
      const { batchId, afterSeq = 0 } = checkInput(CatchUpRequest, message);
      const input = { batchId, afterSeq, limit: CATCH_UP_LIMIT };
      const records = await this.procedures.call(ListEvents, input, socket.data.identity.caller);
      return { success: true, events: records.map(toBatchMessage), more: records.length === CATCH_UP_LIMIT };
    } catch (error) {
      const problem = toProblem(error);
      if (!problem.expected) this.logger.error({ err: error }, 'batch.catchUp failed');
      return problem.body;
    } finally {
      socket.data.catchUps -= 1;
    }
  }

  private async admit(socket: BatchSocket): Promise<void> {
    const { token, apiKey } = socket.handshake.auth as Record<string, unknown>;
    const shown = credentialsOf(socket.handshake.headers);
    socket.data.catchUps = 0;
    const credentials = {
      apiKey: typeof apiKey === 'string' ? apiKey : shown.apiKey,
      bearer: typeof token === 'string' ? token : shown.bearer,
    };
    socket.data.identity = await this.access.identify(credentials, socket.handshake.address);
    this.quota.assertLeft(socket.data.identity.caller.tenant);
  }

  /** Others may have come in since it was admitted. */
  private countIn(socket: BatchSocket): boolean {
    try {
      socket.once('disconnect', this.quota.take(socket.data.identity.caller.tenant));
      return true;
    } catch {
      socket.disconnect(true);
      return false;
    }
  }

  /** Counts whatever comes in, before anybody reads it; a flood ends the connection. */
  private limitPackets(connection: Connection): MessageRate {
    const rate = new MessageRate(this.config.socketMessagesPerSecond);
    connection.on('packet', () => {
      rate.count();
      if (rate.isFlood) endFlood(connection, this.tooMany);
    });
    return rate;
  }

  private get tooMany(): string {
    return `more than ${this.config.socketMessagesPerSecond} messages a second (SOCKET_MESSAGES_PER_SECOND)`;
  }

  private slowSockets(): string[] {
    return [...this.server.sockets.sockets.values()].filter((socket) => isSlow(socket)).map(({ id }) => id);
  }
}

export interface CatchUpReply {
  success: true;
  events: BatchMessage[];
  /** True when there are more: ask again after the last one's `seq`. */
  more: boolean;
}

function roomOf(tenant: string): string {
  return `tenant:${tenant}`;
}

/**
 * socket.io's own `volatile` drops whatever is sent while the packet before it is still being written, which is always the second of
 * two messages sent together. The queue behind the socket tells a slow reader from a busy moment.
 */
function isSlow(socket: Socket): boolean {
  const { writeBuffer } = socket.conn as unknown as { writeBuffer: unknown[] };
  return writeBuffer.length > MAX_WAITING_PACKETS;
}

/** The client sees the same body as over HTTP in `error.data`. */
function refusal(error: unknown): Error {
  const { body } = toProblem(error);
  return Object.assign(new Error(body.message), { data: body });
}

/** Answers a message that is not read, when its client waits for an answer. */
function answerTooMany(packet: unknown[], tooMany: string): void {
  const answer = packet.at(-1);
  if (typeof answer === 'function')
    (answer as (body: ProblemBody) => void)(toProblem(new AppError('RATE_LIMITED', `${tooMany}; send fewer`)).body);
}

function endFlood(connection: Connection, tooMany: string): void {
  const socket = webSocketOf(connection);
  connection.transport.removeAllListeners('packet');
  if (socket) cutOff(socket, tooMany);
  else connection.close(true);
}

/** Undefined for a long poll. */
function webSocketOf({ transport }: Connection): WebSocket | undefined {
  return (transport as { socket?: WebSocket }).socket;
}

function endWithToken(socket: BatchSocket): void {
  const { expiresAt } = socket.data.identity;
  if (expiresAt === undefined) return;
  const timer = setTimeout(() => socket.disconnect(true), Math.min(Math.max(0, expiresAt - Date.now()), MAX_TIMER_MS));
  socket.once('disconnect', () => clearTimeout(timer));
}
