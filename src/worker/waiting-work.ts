import type { ClaimedChunk, ClaimedWork } from '../batches/store/claim-chunks.js';
import { claimDueRetries } from '../batches/store/claim-due-retries.js';
import type { ClaimedLane } from '../batches/store/claim-lane.js';
import type { LaneFence } from '../batches/store/record-outcomes.js';
import type { Connection } from '../database/sql.js';

/** While chunks are left, retries that are due wait this long to be pooled into full chunks. */
const POOL_RETRIES_MS = 1_000;
/** A lane holds about this long's worth of items, so that the database works while the handler does. */
const AHEAD_MS = 500;
const MAX_HELD_ITEMS = 2_000;
const MAX_CHUNKS_PER_CLAIM = 40;

/** What a turn knows of its run's work that nobody has taken yet, and how much of it it wants. */
export class WaitingWork {
  private readonly startedAt = performance.now();
  private none = false;
  /** performance.now() value */
  private retryDueAt: number | null = null;

  constructor(
    private readonly connection: Connection,
    private readonly lane: ClaimedLane,
    private readonly fence: LaneFence,
  ) {}

  /** Milliseconds since the turn began. */
  get ageMs(): number {
    return performance.now() - this.startedAt;
  }

  /** As far as it knows, nothing can be claimed now. */
  get isNone(): boolean {
    return this.none;
  }

  /** Milliseconds until the next retry is due, or null when none waits. */
  get nextRetryMs(): number | null {
    return this.retryDueAt === null ? null : this.retryDueAt - performance.now();
  }

  /** Items that are worked in a while at the present speed. */
  ahead(settled: number): number {
    return Math.min(MAX_HELD_ITEMS, Math.floor((settled / Math.max(1, this.ageMs)) * AHEAD_MS));
  }

  /**
   * How many chunks to claim, for a turn that has settled so many items, holds so many that wait, and has so many slots free: as many as
   * fill the slots and keep them busy for a while. Slow items are not claimed ahead: another lane may have slots free for them.
   */
  wantedChunks(settled: number, waiting: number, free: number): number {
    const ahead = this.ahead(settled);
    if (this.none || waiting >= free + ahead / 2) return 0;
    return Math.min(MAX_CHUNKS_PER_CLAIM, Math.ceil((free + ahead - waiting) / this.lane.options.batchSize));
  }

  /** @param asked for chunks @returns retries that are due, as a chunk claimed by the lane */
  async learn({ nextRetryMs, more }: ClaimedWork, asked: boolean): Promise<ClaimedChunk | undefined> {
    this.retryDueAt = nextRetryMs === null ? null : performance.now() + nextRetryMs;
    if (!asked) return undefined;
    const isDue = nextRetryMs !== null && -nextRetryMs >= (more ? POOL_RETRIES_MS : 0);
    const chunk = isDue ? await claimDueRetries(this.connection, this.fence, this.lane.options.batchSize) : undefined;
    this.none = !more && !chunk;
    return chunk;
  }

  /** Something may have come. */
  nudge(): void {
    this.none = false;
  }

  tick(now: number): void {
    if (this.retryDueAt !== null && now >= this.retryDueAt) this.none = false;
  }
}
