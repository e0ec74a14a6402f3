import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A way to a server that can be cut, mended, made slow, or go dead without a word. */
export class TcpProxy {
  private readonly sockets = new Set<Socket>();
  private readonly deaf = new WeakSet<Socket>();
  private isCut = false;
  /** Made so far. */
  connections = 0;
  /** Added to each direction. */
  delayMs = 0;

  private constructor(
    private readonly server: Server,
    private readonly target: { host: string; port: number },
  ) {
    server.on('connection', (socket) => this.join(socket));
  }

  /** @returns the proxy, and the URL through it */
  static async to(url: string): Promise<{ proxy: TcpProxy; url: string }> {
    const target = new URL(url);
    const server = createServer();
    const proxy = new TcpProxy(server, { host: target.hostname, port: Number(target.port) });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    target.hostname = '127.0.0.1';
    target.port = String((server.address() as AddressInfo).port);
    return { proxy, url: target.toString() };
  }

  cut(): void {
    this.isCut = true;
    for (const socket of this.sockets) socket.destroy();
  }

  mend(): void {
    this.isCut = false;
  }

  /** Connections stay open on both sides and carry nothing any more, as after a failover; new ones are as before. */
  deafen(): void {
    for (const socket of this.sockets) this.deaf.add(socket);
  }

  close(): void {
    this.cut();
    this.server.close();
  }

  private join(client: Socket): void {
    if (this.isCut) {
      client.destroy();
      return;
    }
    this.connections += 1;
    const upstream = connect(this.target.port, this.target.host);
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      this.sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        this.sockets.delete(from);
        // The other side of a dead line never hears of an end either.
        if (!this.deaf.has(from) || this.isCut) to.destroy();
      });
      from.on('data', (data) => {
        if (this.delayMs === 0) this.pass(data, from, to);
        else setTimeout(() => this.pass(data, from, to), this.delayMs);
      });
    }
  }

  private pass(data: Buffer, from: Socket, to: Socket): void {
    if (!this.deaf.has(from) && to.writable) to.write(data);
  }
}
