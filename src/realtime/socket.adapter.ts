import type { INestApplicationContext } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import type { IncomingMessage } from 'node:http';
import type { Server, ServerOptions } from 'socket.io';
import type { Config } from '../config.js';
import { mayConnect, refusalOf } from './origin.js';

/** Socket.IO's own; whatever else wants to be upgraded is the dashboard stream's to answer. */
export const SOCKET_IO_PATH = '/socket.io/';

const MAX_MESSAGE_BYTES = 65_536;
/** Time for a client to show its credentials, which come in a message of their own. */
const CREDENTIALS_MS = 10_000;

/** Socket.IO on the service's port. CORS headers do not stop a socket from a foreign page, so the Origin is checked at the handshake. */
export class SocketAdapter extends IoAdapter {
  constructor(
    app: INestApplicationContext,
    private readonly config: Config,
  ) {
    super(app);
  }

  override createIOServer(port: number, options?: ServerOptions): Server {
    return super.createIOServer(port, {
      ...options,
      destroyUpgrade: false,
      maxHttpBufferSize: MAX_MESSAGE_BYTES,
      connectTimeout: CREDENTIALS_MS,
      cors: { origin: (origin: string | undefined, decide: (error: null, may: boolean) => void) => decide(null, this.mayRead(origin)) },
      allowRequest: (request: IncomingMessage, answer: (refusal: string | null, allowed: boolean) => void) => {
        const refusal = this.refusalOf(request);
        answer(refusal ?? null, refusal === undefined);
      },
    } as ServerOptions);
  }

  /** Long polling is read by the page itself, unlike a WebSocket. */
  private mayRead(origin: string | undefined): boolean {
    return origin !== undefined && mayConnect({ origin }, this.config);
  }

  private refusalOf(request: IncomingMessage): string | undefined {
    const stranger = refusalOf(request, this.config);
    if (stranger) return stranger.message;
    return mayConnect(request.headers, this.config) ? undefined : 'this Origin may not connect; see CORS_ORIGINS';
  }
}
