import type { ClaimedLane } from '../batches/store/claim-lane.js';
import { holdRun, putBackTokens, type RateBucket, rateBucketsOf, takeTokens } from '../batches/store/take-tokens.js';
import type { Connection } from '../database/sql.js';

/** Tokens taken ahead go back after this long: kept, they would allow more than a bucketful at once later. */
const GOOD_FOR_MS = 1_000;
/** A lane that got less than it wanted asks again after this long at the earliest. */
const ASK_AGAIN_MS = 50;
/** A lane without tokens waits this long for the next one; for a later one it is given back. */
const WAIT_MS = 250;
/** A lane that gets none for this long, because others are faster, is given back too. */
const PATIENCE_MS = 1_000;

/** A turn's tokens for starts of items under the batch's rate limits, taken in bulk. Without limits there are always enough. */
export class StartTokens {
  /** Items that may start now. Whoever starts one takes one off. */
  left: number;
  /** Too old to start with: they go back with the next take. */
  private unused = 0;
  /** performance.now() values */
  private takenAt = performance.now();
  private nextAt = 0;

  constructor(
    private readonly connection: Connection,
    private readonly lane: ClaimedLane,
    private readonly tenantPerMinute: number | undefined,
  ) {
    this.left = this.areLimited ? 0 : Infinity;
  }

  /** Read anew each time: the batch's settings may change. */
  private get buckets(): RateBucket[] {
    return rateBucketsOf(this.lane.batch_id, this.lane.options, this.tenantPerMinute);
  }

  /** The batch's rate limits may be others now: what was taken under the old ones is still used. */
  settingsChanged(): void {
    if (!this.areLimited) this.left = Infinity;
    else if (this.left === Infinity) this.left = 0;
    this.nextAt = 0;
  }

  get areLimited(): boolean {
    return this.buckets.length > 0;
  }

  /** Whether it may help to ask for so many. */
  areWanted(count: number): boolean {
    return this.left < count && performance.now() >= this.nextAt;
  }

  async take(count: number): Promise<void> {
    const [want, unused] = [count - this.left, this.unused];
    const { tenant } = this.lane;
    const { granted, nextMs } = await takeTokens(this.connection, { tenant, buckets: this.buckets, want, unused });
    const now = performance.now();
    this.unused -= unused;
    this.left += granted;
    if (granted > 0) this.takenAt = now;
    this.nextAt = granted < want ? now + Math.max(nextMs, ASK_AGAIN_MS) : 0;
  }

  /** There is none, and the wait is too long for a lane. */
  get areOut(): boolean {
    const now = performance.now();
    return this.left === 0 && (this.nextAt - now > WAIT_MS || (this.nextAt > now && now - this.takenAt > PATIENCE_MS));
  }

  /** Lets the run alone until the next token. @returns milliseconds until then */
  async hold(): Promise<number> {
    const ms = Math.max(ASK_AGAIN_MS, this.nextAt - performance.now());
    await holdRun(this.connection, this.lane.run_id, ms);
    return ms;
  }

  /** Called several times a second. */
  expire(now: number): void {
    if (this.areLimited && this.left > 0 && now - this.takenAt > GOOD_FOR_MS) this.setAside();
  }

  /** What the turn did not need. */
  async putBack(): Promise<void> {
    if (this.areLimited) this.setAside();
    if (this.unused === 0) return;
    const { tenant, run_id: runId } = this.lane;
    await putBackTokens(this.connection, runId, { tenant, buckets: this.buckets, unused: this.unused });
    this.unused = 0;
  }

  private setAside(): void {
    this.unused += this.left;
    this.left = 0;
    this.nextAt = 0;
  }
}
