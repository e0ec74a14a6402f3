import type { Bell, LaneQueue } from '../queue/lane-queue.js';

const MAX_REMEMBERED = 10_000;

/** Rings again, with the rank that they have gained by it, for runs that wait behind more urgent ones: once in each ageing time. */
export class AgedBells {
  /** performance.now() of the last ring, by run. */
  private readonly rungAt = new Map<string, number>();

  constructor(
    private readonly queue: LaneQueue,
    private readonly ageMs: number,
  ) {}

  async ring(bell: Bell): Promise<void> {
    const now = performance.now();
    if (now - (this.rungAt.get(bell.runId) ?? -Infinity) < this.ageMs) return;
    if (this.rungAt.size >= MAX_REMEMBERED) this.rungAt.clear();
    this.rungAt.set(bell.runId, now);
    await this.queue.ring(bell, 1);
  }
}
