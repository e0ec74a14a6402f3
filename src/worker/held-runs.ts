import type { Bell } from '../queue/lane-queue.js';
import type { LaterBells } from './later-bells.js';

/** The sweep looks at a held run again after this long at the latest: something else may have come that is not held. */
const MAX_HOLD_MS = 5_000;

/** Runs that this process leaves alone for a moment, because nothing of them may start: they are rung for when it may. */
export class HeldRuns {
  /** performance.now() values, by run. */
  private readonly until = new Map<string, number>();

  constructor(private readonly later: LaterBells) {}

  get ids(): string[] {
    const now = performance.now();
    for (const [runId, until] of this.until) if (until <= now) this.until.delete(runId);
    return [...this.until.keys()];
  }

  /** One later bell is enough for a run, however many of its bells are heard meanwhile. */
  hold(bell: Bell, ms: number): void {
    if ((this.until.get(bell.runId) ?? 0) > performance.now()) return;
    this.until.set(bell.runId, performance.now() + Math.min(ms, MAX_HOLD_MS));
    this.later.ring(bell, ms);
  }
}
