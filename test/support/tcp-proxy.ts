import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { Transform, type TransformCallback } from 'node:stream';

/** What a way does with bytes: hand them on, refuse every connection, or swallow them while connections stay open. */
type LinkMode = 'pass' | 'refuse' | 'blackhole';

/** The end of PostgreSQL's answer: ReadyForQuery, of five bytes, before the transaction status. */
const READY_FOR_QUERY = Buffer.from([0x5a, 0, 0, 0, 5]);

/** A way to a server that can be cut, mended, slowed and made to lose things. */
export class TcpProxy {
  private readonly sockets = new Set<Socket>();
  private mode: LinkMode = 'pass';
  private readonly deaf = new WeakSet<Socket>();
  /** Added to each direction. */
  delayMs = 0;
  /** Made so far. */
  connections = 0;
  private losesReplyTo?: (request: Buffer) => boolean;
  /** Replies of PostgreSQL that were swallowed, each with its connection's end. */
  lostReplies = 0;

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

  /** Nothing gets through, and what is connected is not any more. */
  cut(): void {
    this.mode = 'refuse';
    this.reset();
  }

  mend(): void {
    this.set('pass');
  }

  /** Ends every connection; new ones are as good as before. */
  reset(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  set(mode: LinkMode): void {
    this.mode = mode;
  }

  /** Connections stay open on both sides and carry nothing any more, as after a failover; new ones are as before. */
  deafen(): void {
    for (const socket of this.sockets) this.deaf.add(socket);
  }

  /** PostgreSQL does what it is asked, and the answer to a request that is chosen never arrives: its connection ends instead. */
  loseRepliesTo(choose: ((request: Buffer) => boolean) | undefined): void {
    this.losesReplyTo = choose;
  }

  close(): void {
    this.cut();
    this.server.close();
  }

  private join(client: Socket): void {
    if (this.mode === 'refuse') {
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
        if (!this.deaf.has(from) || this.mode === 'refuse') to.destroy();
      });
    }
    let losing = false;
    const there = this.way(client, (request) => {
      losing ||= this.losesReplyTo?.(request) ?? false;
      return request;
    });
    const back = this.way(upstream, (reply) => {
      if (!losing) return reply;
      if (reply.subarray(-6, -1).equals(READY_FOR_QUERY)) {
        this.lostReplies += 1;
        client.resetAndDestroy();
      }
      return undefined;
    });
    client.pipe(there, { end: false }).pipe(upstream, { end: false });
    upstream.pipe(back, { end: false }).pipe(client, { end: false });
  }

  /** One direction. @param pass gives what goes on of a piece */
  private way(from: Socket, pass: (piece: Buffer) => Buffer | undefined): Transform {
    const transform = (piece: Buffer, _encoding: BufferEncoding, done: TransformCallback): void => {
      const passed = this.mode === 'blackhole' || this.deaf.has(from) ? undefined : pass(piece);
      if (this.delayMs > 0) setTimeout(done, this.delayMs, null, passed);
      else done(null, passed);
    };
    return new Transform({ transform });
  }
}
