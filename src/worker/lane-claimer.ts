import { type Claim, claimLane } from '../batches/store/claim-lane.js';
import { claimWithinLimits, type ConcurrencyLimits } from '../batches/store/claim-within-limits.js';
import type { Config } from '../config.js';
import type { Database } from '../database/sql.js';

/** Claims lanes within the limits over batches that the service is configured with; without any, nothing is counted. */
export class LaneClaimer {
  private readonly limits: ConcurrencyLimits;
  private readonly isLimited: boolean;

  constructor(
    private readonly database: Database,
    private readonly config: Config,
  ) {
    const { maxConcurrency, tenantConcurrency, tenantConcurrencyOf, operationConcurrencyOf } = config;
    this.limits = {
      total: maxConcurrency ?? Infinity,
      ofTenant: (tenant) => tenantConcurrencyOf.get(tenant) ?? tenantConcurrency ?? Infinity,
      ofOperation: (operation) => operationConcurrencyOf.get(operation) ?? Infinity,
    };
    this.isLimited = (maxConcurrency ?? tenantConcurrency) !== undefined || tenantConcurrencyOf.size + operationConcurrencyOf.size > 0;
  }

  /** @returns also how many items the lane may work side by side, or that there is no room for any */
  async claim(runId: string, slotted: string[]): Promise<Claim & { room: number; isFull: boolean }> {
    const where = { runId, leaseMs: this.config.leaseMs, slotted };
    if (!this.isLimited) return { ...(await claimLane(this.database.pool, { ...where, room: Infinity })), room: Infinity, isFull: false };
    const claim = await claimWithinLimits(this.database, where, this.limits);
    // What the lane does not use of it now is somebody else's.
    return { ...claim, room: Math.min(claim.room, claim.lane?.width ?? 0) };
  }
}
