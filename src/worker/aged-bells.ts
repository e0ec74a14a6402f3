import type { Bell, LaneQueue } from '../queue/lane-queue.js';

/** A run that has waited for so many classes goes before all others. */
const CLASSES = 4;
const MAX_REMEMBERED = 10_000;

/** Rings again for runs that wait behind more urgent ones, once for each class that they gain by it. */
export class AgedBells {
  /** Classes gained at the last ring, by run. */
  private readonly rung = new Map<string, number>();

  constructor(
    private readonly queue: LaneQueue,
    private readonly ageMs: number,
  ) {}

  async ring(bell: Bell, waitedMs: number): Promise<void> {
    const gained = Math.floor(waitedMs / this.ageMs);
    if (this.rung.get(bell.runId) === gained) return;
    if (this.rung.size >= MAX_REMEMBERED) this.rung.clear();
    this.rung.set(bell.runId, gained);
    await this.queue.ring({ ...bell, express: gained >= CLASSES }, 1);
  }
}
