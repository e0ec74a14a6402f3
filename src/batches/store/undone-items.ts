import { type Connection, run, type Statement } from '../../database/sql.js';
import type { OutcomeView } from '../item.view.js';
import { isTerminal } from '../batch.state.js';
import type { BatchRow } from './select-batches.js';

/**
 * SQL: of a run `r` that was stopped, those of its items in `retry t` that it left undone after they had run into something. That an item was
 * still being worked says something only where the time was up.
 */
export const IS_UNDONE_AFTER_ERROR = `
  t.run_id = r.id AND r.status IN ('stopping', 'failed', 'cancelled', 'timed_out') AND t.error IS NOT NULL
  AND (t.error_kind <> 'interrupted' OR coalesce(r.ends_as, r.status) = 'timed_out')`;

const SELECT_PAGE: Statement = {
  name: 'select-undone-items',
  text: `
    SELECT t.seq, t.key, t.attempt - 1 AS attempts, t.error_kind, t.error, t.failed_at
    FROM run r JOIN retry t ON ${IS_UNDONE_AFTER_ERROR} WHERE r.id = $1 ORDER BY t.seq LIMIT $2 OFFSET $3`,
};

const COUNT: Statement = {
  name: 'count-undone-items',
  text: `SELECT count(*)::int AS total FROM run r JOIN retry t ON ${IS_UNDONE_AFTER_ERROR} WHERE r.id = $1`,
};

const COUNT_ERRORS: Statement = {
  name: 'count-errors-of-undone-items',
  text: `
    SELECT t.error_kind AS kind, t.error AS message, count(*)::int AS count
    FROM run r JOIN retry t ON ${IS_UNDONE_AFTER_ERROR} WHERE r.id = $1 GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 100`,
};

interface UndoneRow {
  seq: number;
  key: string;
  attempts: number;
  error_kind: string;
  error: string;
  failed_at: Date;
}

/** Whether a batch may have such items: it was stopped before it was through. */
export function mayHaveUndone({ status, total, succeeded, failed, skipped }: BatchRow): boolean {
  return (status === 'stopping' || isTerminal(status)) && total > succeeded + failed + skipped;
}

/** Items that the current run of a stopped batch left undone, with what they last ran into, in their order. */
export async function selectUndone(
  connection: Connection,
  { run_id: runId, run_no: runNo }: BatchRow,
  { limit, offset }: { limit: number; offset: number },
): Promise<{ rows: OutcomeView[]; total: number }> {
  const rows = await run<UndoneRow>(connection, SELECT_PAGE, [runId, limit, offset]);
  const [counted] = await run<{ total: number }>(connection, COUNT, [runId]);
  return { rows: rows.map((row) => toView(row, runNo)), total: counted!.total };
}

/** The same counted by what they ran into, the hundred most frequent. */
export function countErrorsOfUndone(connection: Connection, runId: string): Promise<{ kind: string; message: string; count: number }[]> {
  return run(connection, COUNT_ERRORS, [runId]);
}

function toView({ seq, key, attempts, error_kind: kind, error: message, failed_at: at }: UndoneRow, runNo: number): OutcomeView {
  const nothing = { output: null, durationMs: null, quality: null };
  return { seq, run: runNo, key, status: 'cancelled', error: { kind, message }, attempts, recordedAt: at.toISOString(), ...nothing };
}
