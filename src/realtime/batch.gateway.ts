import { Logger } from '@nestjs/common';
import { ConnectedSocket, MessageBody, type OnGatewayInit, SubscribeMessage, WebSocketGateway, WebSocketServer } from '@nestjs/websockets';
import type { DefaultEventsMap, Server, Socket } from 'socket.io';
import { Access, credentialsOf, type Identity } from '../access/access.js';
import { ListEvents } from '../batches/queries/list-events.query.js';
import { AppError } from '../common/app-error.js';
import { checkInput } from '../common/check-input.js';
import { type ProblemBody, toProblem } from '../common/problem.js';
import { Procedures } from '../common/procedure.js';
import { type BatchMessage, type SocketMessage, toBatchMessage } from './batch-messages.js';
import { CatchUpRequest } from './catch-up.request.js';

interface SocketState {
  identity: Identity;
  catchUps: number;
}

type BatchSocket = Socket<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, SocketState>;

/** Packets waiting for one socket, above which it is slow: it then misses progress, never the start or the end of a batch. */
const MAX_WAITING_PACKETS = 64;
const MAX_CATCH_UPS_AT_ONCE = 16;
const CATCH_UP_LIMIT = 1_000;
const MAX_TIMER_MS = 2_147_483_647;

/** Sends every batch event of a tenant to all of its sockets; no message is needed to get them. */
@WebSocketGateway()
export class BatchGateway implements OnGatewayInit {
  @WebSocketServer() private readonly server: Server<DefaultEventsMap, DefaultEventsMap, DefaultEventsMap, SocketState>;
  private readonly logger = new Logger(BatchGateway.name);

  constructor(
    private readonly access: Access,
    private readonly procedures: Procedures,
  ) {}

  afterInit(server: BatchGateway['server']): void {
    server.use((socket, next) => {
      this.admit(socket).then(
        () => next(),
        (error: unknown) => next(refusal(error)),
      );
    });
    // Joined in the same tick as the connection, so that no event falls between the two.
    server.on('connection', (socket) => {
      void socket.join(roomOf(socket.data.identity.caller.tenant));
      endWithToken(socket);
    });
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
    socket.data.identity = await this.access.identify({
      apiKey: typeof apiKey === 'string' ? apiKey : shown.apiKey,
      bearer: typeof token === 'string' ? token : shown.bearer,
    });
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

function endWithToken(socket: BatchSocket): void {
  const { expiresAt } = socket.data.identity;
  if (expiresAt === undefined) return;
  const timer = setTimeout(() => socket.disconnect(true), Math.min(Math.max(0, expiresAt - Date.now()), MAX_TIMER_MS));
  socket.once('disconnect', () => clearTimeout(timer));
}
