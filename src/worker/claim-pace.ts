/** A lane holds about this long's worth of items, so that the database works while the handler does. */
const AHEAD_MS = 500;
const MAX_HELD_ITEMS = 2_000;
const MAX_CHUNKS_PER_CLAIM = 40;

/** How much a lane claims at once, by how fast it works. */
export class ClaimPace {
  private readonly startedAt = performance.now();

  get ageMs(): number {
    return performance.now() - this.startedAt;
  }

  /** Items that are worked in a while at the present speed. */
  ahead(settled: number): number {
    return Math.min(MAX_HELD_ITEMS, Math.floor((settled / Math.max(1, this.ageMs)) * AHEAD_MS));
  }

  /**
   * How many chunks to claim: as many as fill the free slots and keep them busy for a while. Slow items are not claimed ahead: another
   * lane may have slots free for them.
   */
  wantedChunks({ settled, waiting, free, batchSize }: { settled: number; waiting: number; free: number; batchSize: number }): number {
    const ahead = this.ahead(settled);
    if (waiting >= free + ahead / 2) return 0;
    return Math.min(MAX_CHUNKS_PER_CLAIM, Math.ceil((free + ahead - waiting) / batchSize));
  }
}
