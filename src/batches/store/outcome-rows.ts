import type { OutcomeView } from '../item.view.js';
import { OUTCOME_STATUS } from '../entities/outcome.entity.js';

/** Of `outcome o`, with the size of its output in bytes. */
export const OUTCOME_COLUMNS = `
  o.run_id, o.seq, o.key, o.status, o.output, o.error_kind, o.error, o.attempts, o.duration_ms, o.quality, o.recorded_at,
  coalesce(octet_length(o.output::text), 0) AS size`;

export interface OutcomeRow {
  seq: number;
  /** Number of the run. */
  run: number;
  key: string;
  status: number;
  output: unknown;
  error_kind: string | null;
  error: string | null;
  attempts: number;
  duration_ms: number | null;
  quality: number | null;
  recorded_at: Date;
}

const STATUS_NAMES = Object.fromEntries(Object.entries(OUTCOME_STATUS).map(([name, number]) => [number, name])) as Record<
  number,
  OutcomeView['status']
>;

export function toOutcomeView(row: OutcomeRow): OutcomeView {
  return {
    seq: row.seq,
    run: row.run,
    key: row.key,
    status: STATUS_NAMES[row.status]!,
    output: row.output,
    error: row.error === null ? null : { kind: row.error_kind!, message: row.error },
    attempts: row.attempts,
    durationMs: row.duration_ms,
    quality: row.quality,
    recordedAt: row.recorded_at.toISOString(),
  };
}
