import { type Claim, claimLane } from '../batches/store/claim-lane.js';
import { claimWithinLimits, type ConcurrencyLimits, concurrencyLimitsOf, type Room } from '../batches/store/claim-within-limits.js';
import type { Config } from '../config.js';
import type { Database } from '../database/sql.js';

/** Which lane it is, and how many more it wants, is known when it has been claimed. */
const FIRST_CHUNKS = 1;

/** Claims lanes within the limits over batches that the service is configured with; without any, nothing is counted. */
export class LaneClaimer {
  private readonly limits?: ConcurrencyLimits;

  constructor(
    private readonly database: Database,
    private readonly config: Config,
  ) {
    this.limits = concurrencyLimitsOf(config);
  }

  /** @returns also how many items the lane may work side by side, or which limit leaves no room for any */
  async claim(runId: string, slotted: string[]): Promise<Claim & { room: number; full?: Room }> {
    const where = { runId, leaseMs: this.config.leaseMs, slotted, chunks: FIRST_CHUNKS };
    if (!this.limits) return { ...(await claimLane(this.database.pool, { ...where, room: Infinity })), room: Infinity };
    const claim = await claimWithinLimits(this.database, where, this.limits);
    // What the lane does not use of it now is somebody else's.
    return { ...claim, room: Math.min(claim.room, claim.lane?.width ?? 0) };
  }
}
