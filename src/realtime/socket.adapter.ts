import type { INestApplicationContext } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import type { IncomingMessage } from 'node:http';
import type { Server, ServerOptions } from 'socket.io';
import type { Config } from '../config.js';
import { mayConnect } from './origin.js';

/** Socket.IO's own; whatever else wants to be upgraded is the dashboard stream's to answer. */
export const SOCKET_IO_PATH = '/socket.io/';

const MAX_MESSAGE_BYTES = 65_536;

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
      cors: { origin: this.config.corsOrigins.includes('*') ? '*' : [...this.config.corsOrigins] },
      allowRequest: (request: IncomingMessage, answer: (refusal: string | null, allowed: boolean) => void) => {
        const allowed = mayConnect(request.headers, this.config);
        answer(allowed ? null : 'this Origin may not connect; see CORS_ORIGINS', allowed);
      },
    } as ServerOptions);
  }
}
