import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client';
import { eventually } from '../support/eventually.js';

export interface Heard {
  name: string;
  payload: Record<string, unknown> & { batchId?: string; id?: string };
}

/** A socket that remembers, in order, everything it is sent. */
export class Listener {
  readonly heard: Heard[] = [];

  private constructor(readonly socket: Socket) {
    socket.onAny((name: string, payload: Heard['payload']) => this.heard.push({ name, payload }));
  }

  /** @throws the server's refusal */
  static async connect(url: string, options: Partial<ManagerOptions & SocketOptions> = {}): Promise<Listener> {
    const socket = io(url, { forceNew: true, reconnection: false, ...options });
    const listener = new Listener(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('connect_error', (error) => {
        socket.close();
        reject(error);
      });
    });
    return listener;
  }

  of(batchId: string): Heard[] {
    return this.heard.filter(({ payload }) => payload.batchId === batchId || payload.id === batchId);
  }

  names(batchId: string): string[] {
    return this.of(batchId).map(({ name }) => name);
  }

  until(name: string, batchId?: string): Promise<Heard> {
    const find = () => (batchId === undefined ? this.heard : this.of(batchId)).find((each) => each.name === name);
    return eventually(find, (found) => found !== undefined) as Promise<Heard>;
  }

  close(): void {
    this.socket.close();
  }
}
