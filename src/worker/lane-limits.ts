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
    private readonly most: { oneItem: boolean; room: number },
  ) {
    this.room = most.room;
    this.refresh();
  }

  /** What the limits over batches have granted is more or less than the lane is wide. Infinity: there are none. */
  isMisfit(busy: number): boolean {
    const { width } = this.lane;
    return this.room < width || (this.room > width && this.room < Infinity && busy <= width);
  }

  setRoom(room: number): void {
    this.room = room;
    this.refresh();
  }

  /** Never more than the limits over batches have granted, and less while the batch's concurrency still grows. */
  refresh(): void {
    const { options, no, width } = this.lane;
    const ramped = options.rampUp ? rampedWidth(options, no, this.elapsedMs) : width;
    this.width = Math.min(this.most.oneItem ? 1 : width, ramped, this.room);
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
