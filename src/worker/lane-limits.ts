import { rampedWidth, rampWaitMs } from '../batches/ramp-up.js';
import type { ClaimedLane } from '../batches/store/claim-lane.js';

/** How many items a turn may work side by side, and for how long each. Both follow the batch's settings while it runs. */
export class LaneLimits {
  width = 0;
  timeoutMs = 0;
  private readonly startedAt = performance.now();
  private room: number;

  constructor(
    private readonly lane: ClaimedLane,
    private readonly settings: { oneItem: boolean; room: number },
  ) {
    this.room = settings.room;
    this.refresh();
  }

  /** The limits over batches have granted less than the lane is wide. */
  get isNarrow(): boolean {
    return this.room < this.lane.width;
  }

  /** They have granted more than that; Infinity: there are none. */
  get isSpacious(): boolean {
    return this.room > this.lane.width && this.room < Infinity;
  }

  /** Items that may start by now, or as soon as the concurrency has grown. */
  get most(): number {
    return Math.min(this.lane.width, this.room);
  }

  setRoom(room: number): void {
    this.room = room;
    this.refresh();
  }

  /** Never more than the limits over batches have granted, and less while the batch's concurrency still grows. */
  refresh(): void {
    const { options, no, width } = this.lane;
    const ramped = options.rampUp ? rampedWidth(options, no, this.elapsedMs) : width;
    this.width = Math.min(this.settings.oneItem ? 1 : width, ramped, this.room);
    this.timeoutMs = options.timeout;
  }

  /** The batch has fewer lanes now. */
  get isRetired(): boolean {
    return this.lane.width === 0;
  }

  /** Milliseconds until the growing concurrency reaches this lane. */
  get waitMs(): number {
    return Math.max(0, rampWaitMs(this.lane.options, this.lane.no, this.elapsedMs));
  }

  private get elapsedMs(): number {
    return this.lane.elapsed_ms + performance.now() - this.startedAt;
  }
}
