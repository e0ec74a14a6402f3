/**
 * Holds a batch to a share of the processor. What its threads were busy is its debt, which is paid with time: `percent` of each
 * millisecond. While it has any, nothing of it may start, so that over a longer time it is busy no more than its share.
 */
export class CpuShare {
  private debtMs = 0;
  private paidAt = performance.now();

  /** Of one core; undefined for no limit. */
  percent?: number;

  charge(busyMs: number): void {
    if (this.percent === undefined) return;
    this.pay();
    this.debtMs += busyMs;
  }

  /** Milliseconds until the debt is paid; 0 when there is none. */
  get paidInMs(): number {
    if (this.percent === undefined) return 0;
    this.pay();
    return this.debtMs / (this.percent / 100);
  }

  private pay(): void {
    const now = performance.now();
    this.debtMs = Math.max(0, this.debtMs - ((now - this.paidAt) * this.percent!) / 100);
    this.paidAt = now;
  }
}
