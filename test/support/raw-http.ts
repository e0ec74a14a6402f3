import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { eventually } from './eventually.js';

export interface RawAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** A client that writes what it is told to a connection, byte for byte. */
export class RawClient {
  private readonly chunks: Buffer[] = [];
  /** Bytes that it was sent so far. */
  received = 0;
  private over = false;

  private constructor(readonly socket: Socket) {
    socket.on('data', (data: Buffer) => {
      this.chunks.push(data);
      this.received += data.length;
    });
    // Being cut off is what many of the tests are about.
    socket.on('error', () => {});
    socket.on('close', () => (this.over = true));
  }

  static async connect(url: string): Promise<RawClient> {
    const { hostname, port } = new URL(url);
    const socket = connect({ port: Number(port), host: hostname, allowHalfOpen: true });
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  write(data: string | Buffer): this {
    this.socket.write(data);
    return this;
  }

  /** Everything that it was sent so far. */
  get text(): string {
    return Buffer.concat(this.chunks).toString('latin1');
  }

  get isClosed(): boolean {
    return this.over;
  }

  /** The answers that came whole so far. */
  get answers(): RawAnswer[] {
    return parseAnswers(Buffer.concat(this.chunks));
  }

  /** Its first answer, as soon as it is whole. */
  async answer(withinMs = 20_000): Promise<RawAnswer> {
    const [first] = await eventually(
      () => this.answers,
      ({ length }) => length > 0,
      withinMs,
    );
    return first!;
  }

  async closed(withinMs = 20_000): Promise<void> {
    // A half that the server closed is answered in kind, so that the close tells of the server's will alone.
    if (this.socket.readableEnded) this.socket.end();
    else this.socket.once('end', () => this.socket.end());
    await eventually(() => this.over, Boolean, withinMs);
  }

  destroy(): void {
    this.socket.destroy();
  }
}

/** Sends text on a connection of its own. @returns the first answer */
export async function sendRaw(url: string, text: string | Buffer): Promise<RawAnswer> {
  const client = await RawClient.connect(url);
  try {
    return await client.write(text).answer();
  } finally {
    client.destroy();
  }
}

function parseAnswers(bytes: Buffer): RawAnswer[] {
  const answers: RawAnswer[] = [];
  for (let from = 0; from < bytes.length;) {
    const end = bytes.indexOf('\r\n\r\n', from);
    if (end === -1) break;
    const [statusLine, ...lines] = bytes.toString('latin1', from, end).split('\r\n');
    const headers = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    );
    const length = Number(headers['content-length'] ?? 0);
    if (bytes.length < end + 4 + length) break;
    const status = Number(statusLine!.split(' ')[1]);
    if (status >= 200) answers.push({ status, headers, body: bytes.toString('utf8', end + 4, end + 4 + length) });
    from = end + 4 + length;
  }
  return answers;
}
