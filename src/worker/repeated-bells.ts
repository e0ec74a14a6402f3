import type { Bell, LaneQueue } from '../queue/lane-queue.js';

const MAX_REMEMBERED = 10_000;

/** Rings again for runs that wait while every seat is taken, with the rank that they have gained by it. */
export class RepeatedBells {
  /** performance.now() of the last ring, by run. */
  private readonly rungAt = new Map<string, number>();

  constructor(private readonly queue: LaneQueue) {}

  /** @param everyMs not again for the same run within this time */
  ring(bell: Bell, count: number, everyMs: number): void {
    const now = performance.now();
    if (now - (this.rungAt.get(bell.runId) ?? -Infinity) < everyMs) return;
    if (this.rungAt.size >= MAX_REMEMBERED) this.rungAt.clear();
    this.rungAt.set(bell.runId, now);
    void this.queue.ring(bell, count);
  }
}
