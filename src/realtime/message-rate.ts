/** Seconds of messages that a socket may be ahead of its rate before it is closed. */
const MAX_SECONDS_AHEAD = 10;

/** How many messages one socket sends: a token bucket that holds those of a second, and may be overdrawn. */
export class MessageRate {
  private left: number;
  private countedAt = performance.now();

  constructor(private readonly perSecond: number) {
    this.left = perSecond;
  }

  /** Counts one more. */
  count(): void {
    const now = performance.now();
    const refilled = this.left + ((now - this.countedAt) * this.perSecond) / 1_000;
    this.left = Math.min(this.perSecond, refilled) - 1;
    this.countedAt = now;
  }

  /** Whether the last message was one too many: it is refused. */
  get isExceeded(): boolean {
    return this.left < 0;
  }

  /** Whether there are so many that refusing them costs too much. */
  get isFlood(): boolean {
    return this.left < -MAX_SECONDS_AHEAD * this.perSecond;
  }
}
