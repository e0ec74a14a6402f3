import type { IncomingMessage } from 'node:http';
import type { Config } from '../config.js';

/**
 * Judges how a request's body comes in, by looks from time to time. Only time in which the service waits for the client counts: bytes
 * that it has not read itself yet are not the client's fault.
 */
export class BodyPace {
  private lookedAt = performance.now();
  private bytesRead: number;
  private silentMs = 0;
  private windowMs = 0;
  private windowBytes = 0;

  constructor(
    private readonly request: IncomingMessage,
    private readonly limits: Pick<Config, 'bodyIdleMs' | 'bodyMinBytesPerSecond'>,
  ) {
    this.bytesRead = request.socket.bytesRead;
  }

  /**
   * @param idleMs how long it may be silent
   * @returns what is wrong with the pace, as a sentence
   */
  look(now: number, idleMs: number): string | undefined {
    const [elapsed, came] = [now - this.lookedAt, this.request.socket.bytesRead - this.bytesRead];
    this.lookedAt = now;
    this.bytesRead += came;
    if (this.request.readableLength > 0) {
      this.silentMs = 0;
      return undefined;
    }
    this.silentMs = came > 0 ? 0 : this.silentMs + elapsed;
    if (this.silentMs >= idleMs) return `nothing of the body came for ${idleMs} ms (BODY_IDLE_MS); send the request again, without a pause`;
    return this.judgeRate(elapsed, came);
  }

  private judgeRate(elapsed: number, came: number): string | undefined {
    const { bodyIdleMs, bodyMinBytesPerSecond: least } = this.limits;
    this.windowMs += elapsed;
    this.windowBytes += came;
    if (this.windowMs < bodyIdleMs) return undefined;
    const rate = (this.windowBytes * 1_000) / this.windowMs;
    this.windowMs = 0;
    this.windowBytes = 0;
    if (rate >= least) return undefined;
    return (
      `the body came at ${rate.toFixed(0)} bytes a second for ${bodyIdleMs} ms, ` +
      `and must come at ${least} at least (BODY_MIN_BYTES_PER_SECOND); send it faster`
    );
  }
}
