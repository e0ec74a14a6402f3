import { io, type Socket } from 'socket.io-client';
import type { ImportReceipt } from '../records/commands/import-records.command.js';
import type { BatchMessage } from '../realtime/batch-messages.js';
import type { ProgressLine } from './progress-line.js';

/** Ends of a batch, as its socket messages name them. */
const ENDS = new Set(['batch.completed', 'batch.failed', 'batch.cancelled']);

/** The service over HTTP and Socket.IO, as any other program would use it. */
export class DemoClient {
  /** The newest message of each batch: it may come before the answer that tells the batch's id. */
  private readonly newest = new Map<string, BatchMessage>();
  private readonly watchers = new Map<string, (message: BatchMessage) => void>();

  private constructor(
    private readonly url: string,
    private readonly headers: Record<string, string>,
    private readonly socket: Socket,
  ) {
    socket.onAny((name: string, message: BatchMessage) => {
      if (!name.startsWith('batch.') || message.counts === undefined) return;
      this.newest.set(message.batchId, message);
      this.watchers.get(message.batchId)?.(message);
    });
  }

  static async connect(url: string, apiKey: string | undefined): Promise<DemoClient> {
    const socket = io(url, { transports: ['websocket'], auth: apiKey ? { apiKey } : {} });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('connect_error', reject);
    });
    return new DemoClient(url, apiKey ? { 'x-api-key': apiKey } : {}, socket);
  }

  async get<Body>(path: string): Promise<Body> {
    return this.read(await fetch(this.url + path, { headers: this.headers }));
  }

  async post<Body>(path: string, body: object): Promise<Body> {
    const headers = { ...this.headers, 'content-type': 'application/json' };
    return this.read(await fetch(this.url + path, { method: 'POST', headers, body: JSON.stringify(body) }));
  }

  /** Sends rows as NDJSON while they are being made. */
  async importRows(collection: string, query: string, rows: AsyncIterable<object>): Promise<ImportReceipt['batch']> {
    const headers = { ...this.headers, 'content-type': 'application/x-ndjson' };
    const body = ReadableStream.from(linesOf(rows));
    const response = await fetch(`${this.url}/api/records/${collection}/import?${query}`, {
      method: 'POST',
      headers,
      body,
      duplex: 'half',
    });
    return (await this.read<{ data: ImportReceipt['batch'] }>(response)).data;
  }

  /** Shows a batch's progress until it has ended. */
  watch(batchId: string, line: ProgressLine): Promise<void> {
    return new Promise((resolve) => {
      const see = (message: BatchMessage): void => {
        line.show(message);
        if (!ENDS.has(message.type)) return;
        this.watchers.delete(batchId);
        line.end();
        resolve();
      };
      this.watchers.set(batchId, see);
      const newest = this.newest.get(batchId);
      if (newest) see(newest);
    });
  }

  close(): void {
    this.socket.close();
  }

  private async read<Body>(response: Response): Promise<Body> {
    const body = (await response.json()) as Body & { message?: string };
    if (!response.ok) throw new Error(`${response.url} answered ${response.status}: ${body.message}`);
    return body;
  }
}

async function* linesOf(rows: AsyncIterable<object>): AsyncGenerator<Uint8Array> {
  for await (const row of rows) yield Buffer.from(`${JSON.stringify(row)}\n`);
}
