// What the service stores of an item: rows of its table `outcome`, for those who write them without it.
import { copyText } from './copy.mjs';

/** The columns that a worker gives; the time is the database's. */
export const OUTCOME_COLUMNS = 'run_id, seq, status, attempts, duration_ms, quality, key, output';

/** @param name of the table, and what it is */
export function outcomeTable({ name = 'outcome', unlogged = false, primaryKey = true } = {}) {
  return `
    CREATE ${unlogged ? 'UNLOGGED' : ''} TABLE ${name} (
      run_id bigint NOT NULL,
      seq integer NOT NULL,
      status smallint NOT NULL,
      attempts smallint NOT NULL,
      duration_ms real,
      quality real,
      key text NOT NULL,
      error_kind text,
      error text,
      output json,
      recorded_at timestamptz NOT NULL DEFAULT clock_timestamp()
      ${primaryKey ? ', PRIMARY KEY (run_id, seq)' : ''}
    );`;
}

/** @returns the row as text for COPY */
export function outcomeRow(runId, seq, { durationMs, quality, output }) {
  return `${runId}\t${seq}\t1\t1\t${durationMs}\t${quality}\t${seq + 1}\t${copyText(JSON.stringify(output))}\n`;
}
