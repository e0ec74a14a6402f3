import type { WebSocket } from 'ws';
import type { BatchEventRecord } from '../batches/events/batch.events.js';
import { closeSocket } from './close-socket.js';

/** Bytes waiting for a socket, above which it is slow: it misses progress until they are read. */
const SLOW_BYTES = 65_536;
/** Above this it is closed at once. */
const MAX_WAITING_BYTES = 1_048_576;
const MAX_TIMER_MS = 2_147_483_647;

/** Whose batches a socket hears. */
export interface Audience {
  tenant: string;
  /** Only batches that this subject created; undefined for all of the tenant. */
  createdBy?: string;
}

/** One open socket of the dashboard stream. */
export class DashboardSocket {
  private answered = true;
  private wasSlow = false;

  constructor(
    private readonly client: WebSocket,
    private readonly audience: Audience,
  ) {
    client.on('pong', () => (this.answered = true));
  }

  mayHear({ tenant, data }: BatchEventRecord): boolean {
    const { createdBy } = this.audience;
    return tenant === this.audience.tenant && (createdBy === undefined || createdBy === data.createdBy);
  }

  /** @param droppable a slow socket goes without it */
  send(text: string, droppable: boolean): void {
    if (droppable && this.isSlow) return;
    if (this.client.bufferedAmount > MAX_WAITING_BYTES) this.client.terminate();
    else this.client.send(text);
  }

  /** Ends a socket that did not answer the last ping, or that has been slow since then; else asks again. */
  beat(): void {
    if (!this.answered || (this.wasSlow && this.isSlow)) return this.client.terminate();
    this.answered = false;
    this.wasSlow = this.isSlow;
    this.client.ping();
  }

  /** @param at milliseconds since 1970 */
  closeAt(at: number, code: number, reason: string): void {
    const timer = setTimeout(() => closeSocket(this.client, code, reason), Math.min(Math.max(0, at - Date.now()), MAX_TIMER_MS));
    this.client.once('close', () => clearTimeout(timer));
  }

  private get isSlow(): boolean {
    return this.client.bufferedAmount > SLOW_BYTES;
  }
}
