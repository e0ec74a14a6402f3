import { type Connection, run, type Statement } from '../../database/sql.js';

const GROUP = 'tenant, dialect, operation, status, priority';
const FIGURES = ['batches', 'total', 'succeeded', 'failed', 'skipped', 'timed', 'duration_us', 'processed'];
const COLUMNS = `${GROUP}, ${FIGURES.join(', ')}`;

/**
 * Part of a statement by which batches come to be counted as ended (1), or are so no more (-1).
 * @param ended runs that have ended, the current ones of their batches: their columns and the batch's tenant, dialect, operation and options
 */
export function countEnded(sign: 1 | -1, ended: string): string {
  const figures = [
    '1',
    'e.total + e.carried_succeeded + e.carried_failed + e.carried_skipped + e.carried_cancelled',
    'e.succeeded + e.carried_succeeded',
    'e.failed + e.carried_failed',
    'e.skipped + e.carried_skipped',
    '(e.started_at IS NOT NULL)::int',
    'coalesce(extract(epoch FROM e.ended_at - e.started_at) * 1000000, 0)::bigint',
    'CASE WHEN e.started_at IS NOT NULL THEN e.succeeded + e.failed + e.skipped ELSE 0 END',
  ].map((figure) => `${sign} * (${figure})`);
  return `
    INSERT INTO ended_total (${COLUMNS})
    SELECT e.tenant, e.dialect, e.operation, e.status, e.options ->> 'priority', ${figures.join(', ')} FROM (${ended}) e`;
}

/**
 * All batches of `$1` (a tenant) and `$2` (a dialect, or null): rows of those that have ended, added up as far as they are, and one of each
 * other. Until a run has ended its counts are the sums over its lanes. `active`: pending, running or paused.
 */
export const TOTALS = `
  SELECT dialect, operation, status, priority, batches, total, succeeded, failed, skipped, timed, duration_us, processed,
    false AS active, 0 AS carried_cancelled, NULL::bigint AS running_run
  FROM ended_total WHERE tenant = $1 AND ($2::text IS NULL OR dialect = $2)
  UNION ALL
  SELECT b.dialect, b.operation, CASE r.status WHEN 'stopping' THEN r.ends_as ELSE r.status END, b.options ->> 'priority', 1,
    r.total + r.carried_succeeded + r.carried_failed + r.carried_skipped + r.carried_cancelled,
    done.succeeded + r.carried_succeeded, done.failed + r.carried_failed, done.skipped + r.carried_skipped, 0, 0, 0,
    r.status <> 'stopping', r.carried_cancelled, CASE r.status WHEN 'running' THEN r.id END
  FROM run r JOIN batch b ON b.run_id = r.id
  CROSS JOIN LATERAL (
    SELECT coalesce(sum(l.succeeded), 0) AS succeeded, coalesce(sum(l.failed), 0) AS failed, coalesce(sum(l.skipped), 0) AS skipped
    FROM lane l WHERE l.run_id = r.id
  ) done
  WHERE r.status IN ('pending', 'running', 'paused', 'stopping') AND b.tenant = $1 AND ($2::text IS NULL OR b.dialect = $2)`;

/** Rows that a group may have before they are made one. */
const MAX_ROWS = 20;

const FOLD: Statement = {
  name: 'fold-ended-totals',
  text: `
    WITH many AS (SELECT ${GROUP} FROM ended_total GROUP BY ${GROUP} HAVING count(*) > ${MAX_ROWS}),
      chosen AS (SELECT t.id FROM ended_total t JOIN many USING (${GROUP}) FOR UPDATE OF t SKIP LOCKED),
      taken AS (DELETE FROM ended_total WHERE id = ANY (ARRAY(SELECT id FROM chosen)) RETURNING *)
    INSERT INTO ended_total (${COLUMNS})
    SELECT ${GROUP}, ${FIGURES.map((figure) => `sum(${figure})`).join(', ')} FROM taken GROUP BY ${GROUP}`,
};

/** Adds up what has been added one by one. The sums stay the same at any moment, for whoever looks. */
export async function foldEndedTotals(connection: Connection): Promise<void> {
  await run(connection, FOLD, []);
}
