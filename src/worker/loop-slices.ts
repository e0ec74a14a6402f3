/** For so long lanes may go on starting items before everybody else has a turn: answers of the database, bells, requests. */
const SLICE_MS = 2;

/**
 * Shares the process's event loop. Many items may end in the same moment, and go on doing so: what they led to at once, next items and
 * flushes, would keep a batch that has just come waiting at each of its steps.
 */
export class LoopSlices {
  private readonly waiting = new Set<() => void>();
  /** performance.now() value; unset: none has begun since the loop went round. */
  private endsAt?: number;

  /** Does it now, or when the loop has gone round; what waits already is not done twice. */
  enter(work: () => void): void {
    if (this.endsAt === undefined) {
      this.begin();
      work();
    } else if (this.waiting.size === 0 && performance.now() < this.endsAt) work();
    else this.waiting.add(work);
  }

  private begin(): void {
    this.endsAt = performance.now() + SLICE_MS;
    setImmediate(() => this.goOn());
  }

  private goOn(): void {
    this.endsAt = undefined;
    if (this.waiting.size === 0) return;
    this.begin();
    for (const work of this.waiting) {
      if (performance.now() >= this.endsAt!) return;
      this.waiting.delete(work);
      work();
    }
  }
}
