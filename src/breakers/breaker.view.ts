/** A tenant's circuit to one provider as JSON. Times are ISO 8601. */
export class BreakerView {
  provider: string;
  /** `half_open`: one item at a time tries whether the provider is back. Forced or not. */
  state: 'closed' | 'open' | 'half_open';
  /** How it is whatever happens, because somebody said so. */
  forced: 'open' | 'closed' | null;
  /** Failures in a row that open it. */
  failures: number;
  /** Milliseconds that it stays open before one item may try. */
  openMs: number;
  /** Failures in a row until now; while it is open, those that opened it. */
  failed: number;
  lastError: string | null;
  /** Since when it is not closed. */
  since: string | null;
  /** When an item may try at the latest: the end of the open time, or of the lease of the item that tries. null: not open, or until somebody says so. */
  until: string | null;
  /** Who set failures, openMs or forced last, and when; null when nobody has. */
  changedBy: string | null;
  changedAt: string | null;
}

/** A circuit that keeps items waiting. */
export interface OpenBreaker {
  provider: string;
  since: Date;
  /** When an item may try at the latest; null: when somebody says so. */
  until: Date | null;
  why: string;
}
