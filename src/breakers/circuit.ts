import type { CircuitKey, CircuitRow } from './store/circuit-row.js';
import type { Verdicts } from './store/record-verdicts.js';
import type { Verdict } from './verdict.js';

/** What this process knows of one circuit, and what it has seen since it wrote last. Times are performance.now() values. */
export class Circuit implements CircuitKey {
  readAt = -Infinity;
  usedAt = 0;
  /** This process is asking for the probe. */
  claiming = false;
  /** The write that takes what is noted now, and the one under way. */
  nextWrite?: Promise<void>;
  currentWrite?: Promise<void>;
  private row?: CircuitRow;
  private wroteAt = -Infinity;
  private news: Verdicts = nothing();

  constructor(
    readonly tenant: string,
    readonly provider: string,
  ) {}

  get forced(): CircuitRow['forced'] {
    return this.row?.forced ?? null;
  }

  /** Open or half open. */
  get open(): boolean {
    return this.row?.open ?? false;
  }

  /** Failures in a row. */
  get failed(): number {
    return (this.row?.failed ?? 0) + this.news.failed;
  }

  /** Milliseconds until somebody may try. */
  get openLeftMs(): number {
    return this.left(this.row?.open_left_ms);
  }

  /** Milliseconds that somebody else's try is certain to be given. */
  get probeLeftMs(): number {
    return this.left(this.row?.probe_left_ms);
  }

  /** Whether it lets everything through. */
  get closed(): boolean {
    return this.forced === 'closed' || (this.forced === null && !this.open);
  }

  /**
   * @param startedAt when the reading began: what a write has answered since is newer
   * @returns whether somebody else has closed it
   */
  read(row: CircuitRow | undefined, startedAt: number): boolean {
    const wasClosed = this.closed;
    this.readAt = performance.now();
    if (this.wroteAt < startedAt) this.row = row;
    return this.closed && !wasClosed;
  }

  /** @param row as a write has left it; undefined: it is not as this process thought */
  wrote(row: CircuitRow | undefined): void {
    this.wroteAt = performance.now();
    this.readAt = row ? this.wroteAt : -Infinity;
    this.row = row ?? this.row;
  }

  note(verdict: Verdict): void {
    if (verdict.verdict === 'answered') this.news = { ...nothing(), answered: true };
    if (verdict.verdict === 'failed') this.news = { ...this.news, failed: this.news.failed + 1, lastError: verdict.error };
  }

  takeNews(): Verdicts {
    const { news } = this;
    this.news = nothing();
    return news;
  }

  private left(ms: number | null | undefined): number {
    return Math.max(0, (ms ?? 0) - (performance.now() - this.readAt));
  }
}

function nothing(): Verdicts {
  return { answered: false, failed: 0, lastError: null };
}
