/** A circuit as processes look at it. Times left are by the database's clock; null: there is no such time. */
export const CIRCUIT = `
  tenant, provider, forced, failed, opened_at IS NOT NULL AS open,
  greatest(0, extract(epoch FROM open_until - clock_timestamp())::float8 * 1000) AS open_left_ms,
  greatest(0, extract(epoch FROM probe_until - clock_timestamp())::float8 * 1000) AS probe_left_ms`;

export interface CircuitRow {
  tenant: string;
  provider: string;
  forced: 'open' | 'closed' | null;
  failed: number;
  /** Open or half open. */
  open: boolean;
  open_left_ms: number | null;
  probe_left_ms: number | null;
}

export interface CircuitKey {
  tenant: string;
  provider: string;
}
