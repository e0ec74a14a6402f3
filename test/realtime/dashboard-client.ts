import { once } from 'node:events';
import { type ClientOptions, WebSocket } from 'ws';
import { eventually } from '../support/eventually.js';

export interface DashboardHeard {
  type: string;
  data: Record<string, unknown> & { jobId: string };
  timestamp: string;
}

/** A plain WebSocket client of the dashboard stream that remembers everything it is sent. */
export class DashboardClient {
  readonly heard: DashboardHeard[] = [];
  private closing?: { code: number; reason: string };

  private constructor(readonly socket: WebSocket) {
    socket.on('message', (text: Buffer) => this.heard.push(JSON.parse(text.toString()) as DashboardHeard));
    socket.on('close', (code, reason) => (this.closing = { code, reason: reason.toString() }));
  }

  /** @throws the refusal of the handshake */
  static async connect(url: string, query = 'userId=ada', options: ClientOptions = {}): Promise<DashboardClient> {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/api/dashboard/stream?${query}`, options);
    const client = new DashboardClient(socket);
    await once(socket, 'open');
    return client;
  }

  of(jobId: string): DashboardHeard[] {
    return this.heard.filter(({ data }) => data.jobId === jobId);
  }

  types(jobId: string): string[] {
    return this.of(jobId).map(({ type }) => type);
  }

  until(type: string, jobId: string): Promise<DashboardHeard> {
    const find = () => this.of(jobId).find((each) => each.type === type);
    return eventually(find, (found) => found !== undefined, 30_000) as Promise<DashboardHeard>;
  }

  closed(): Promise<{ code: number; reason: string }> {
    return eventually(
      () => this.closing,
      (closing) => closing !== undefined,
      45_000,
    ) as Promise<{ code: number; reason: string }>;
  }

  close(): void {
    this.socket.close();
  }
}
