import type { ClaimedLane } from '../batches/store/claim-lane.js';
import { type Flush, type Flushed, type LaneFence, recordOutcomes } from '../batches/store/record-outcomes.js';
import { Tally } from '../batches/tally.js';
import type { Connection } from '../database/sql.js';
import { countOutcomes } from './count-outcomes.js';
import type { HeldChunks } from './held-chunks.js';
import type { ItemRunner } from './item-runner.js';
import { whenThereIsSpace } from './when-there-is-space.js';

/** Progress that items report is shown this often at most. */
const PROGRESS_MS = 500;
/** How many items are at work, in a lane where nothing else happens. */
const BUSY_MS = 200;

export interface Recorded extends Flushed {
  /** Milliseconds, by performance.now(), when the lease was asked to be renewed. */
  sentAt: number;
  outcomes: number;
  failed: number;
}

/** Writes what came of a lane's items, with its counts, and claims the next chunks: one statement each time. */
export class LaneRecorder {
  /** The lane is given back, or is about to be: nobody needs to renew its lease. */
  released = false;
  private readonly tally: Tally;
  private recordedAt = 0;
  private shownReports = 0;
  private shownBusy: number | null;

  constructor(
    private readonly connection: Connection,
    private readonly lane: ClaimedLane,
    private readonly runner: ItemRunner,
    private readonly leaseMs: number,
    /** Whether the lane is worth waiting for space in the database. */
    private readonly mayWait: () => boolean,
  ) {
    this.tally = Tally.from(lane.tally);
    // As the claim has left it.
    this.shownBusy = lane.options.rateLimitPerMinute || lane.options.rateLimitPool ? 0 : null;
  }

  get fence(): LaneFence {
    return { runId: this.lane.run_id, no: this.lane.no, fence: this.lane.fence };
  }

  /** Items that report how far they are, in a lane where nothing else happens. */
  get hasNewProgress(): boolean {
    return this.runner.reports !== this.shownReports && performance.now() - this.recordedAt >= PROGRESS_MS;
  }

  /** What is shown as being at work is not so any more. */
  isBehind(busy: number | null): boolean {
    return busy !== this.shownBusy && performance.now() - this.recordedAt >= BUSY_MS;
  }

  /**
   * @param giveBack release the lane, unless there is too much for one statement
   * @param all also results that came a moment ago
   * @param claim how many chunks to claim, if the lane is kept
   * @param busy see Flush
   */
  async record(chunks: HeldChunks, how: { giveBack: boolean; all: boolean; claim: number; busy: number | null }): Promise<Recorded> {
    const { outcomes, deferred, moved, release } = chunks.gather(how.all, how.giveBack);
    this.released = release;
    const counts = countOutcomes(outcomes, this.tally);
    const flush: Flush = {
      release,
      leaseMs: this.leaseMs,
      counts,
      tally: outcomes.length > 0 ? JSON.stringify(this.tally) : null,
      itemProgress: this.runner.progress.size > 0 ? Object.fromEntries(this.runner.progress) : null,
      busy: how.busy,
      outcomes,
      deferred,
      moved,
      claim: release ? 0 : how.claim,
    };
    this.shownReports = this.runner.reports;
    this.shownBusy = how.busy;
    let sentAt: number;
    const flushed = await whenThereIsSpace(() => {
      sentAt = this.recordedAt = performance.now();
      return recordOutcomes(this.connection, this.fence, flush);
    }, this.mayWait);
    return { ...flushed, sentAt: sentAt!, outcomes: outcomes.length, failed: counts.failed };
  }
}
