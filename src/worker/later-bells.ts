import type { Bell, LaneQueue } from '../queue/lane-queue.js';

/** Bells that this process rings later, for a retry that is due then, say. Lost with it: the sweeper finds their runs. */
export class LaterBells {
  private readonly timers = new Set<NodeJS.Timeout>();
  private stopped = false;

  constructor(private readonly queue: LaneQueue) {}

  ring(bell: Bell, delayMs: number): void {
    if (this.stopped) return;
    const timer = setTimeout(
      () => {
        this.timers.delete(timer);
        void this.queue.ring(bell, 1);
      },
      Math.max(0, delayMs),
    );
    this.timers.add(timer);
  }

  stop(): void {
    this.stopped = true;
    for (const timer of this.timers) clearTimeout(timer);
  }
}
