import { type Connection, run, type Statement } from '../../database/sql.js';
import { countEnded } from './ended-totals.js';

const BATCHES = 'ARRAY(SELECT id FROM gone)';
const RUNS = 'ARRAY(SELECT id FROM runs)';
const ENDED = `
  SELECT runs.*, gone.tenant, gone.dialect, gone.operation, gone.options FROM gone JOIN runs ON runs.id = gone.run_id WHERE runs.ended_at IS NOT NULL`;

/**
 * Batches with everything that belongs to their runs. There are no foreign keys that would do it. Rows are named by arrays of ids, which
 * PostgreSQL looks up in indexes, where it would read a table whole to join it with rows whose number it cannot know. The counts have
 * lanes deleted before chunks and these before their items, as everybody locks them: an intake that breaks off deletes some as well.
 */
const DELETE_BATCHES: Statement = {
  name: 'delete-batches',
  text: `
    WITH gone AS (DELETE FROM batch WHERE id = ANY ($1::text[]) RETURNING id, run_id, tenant, dialect, operation, options),
      runs AS (DELETE FROM run WHERE batch_id = ANY (${BATCHES}) RETURNING *),
      uncounted AS (${countEnded(-1, ENDED)}),
      lanes AS (DELETE FROM lane WHERE run_id = ANY (${RUNS}) RETURNING 1),
      chunks AS (DELETE FROM chunk WHERE run_id = ANY (${RUNS}) AND (SELECT count(*) FROM lanes) >= 0 RETURNING 1),
      items AS (DELETE FROM chunk_items WHERE run_id = ANY (${RUNS}) AND (SELECT count(*) FROM chunks) >= 0),
      outcomes AS (DELETE FROM outcome WHERE run_id = ANY (${RUNS})),
      compensations AS (DELETE FROM compensation WHERE run_id = ANY (${RUNS})),
      retries AS (DELETE FROM retry WHERE run_id = ANY (${RUNS})),
      externals AS (DELETE FROM external_result WHERE run_id = ANY (${RUNS})),
      edits AS (DELETE FROM item_edit WHERE batch_id = ANY (${BATCHES})),
      metrics AS (DELETE FROM batch_metric WHERE batch_id = ANY (${BATCHES})),
      turns AS (DELETE FROM rollback_turn WHERE batch_id = ANY (${BATCHES})),
      backups AS (DELETE FROM record_backup WHERE batch_id = ANY (${BATCHES})),
      audits AS (DELETE FROM audit_entry WHERE batch_id = ANY (${BATCHES})),
      events AS (DELETE FROM batch_event WHERE batch_id = ANY (${BATCHES})),
      buckets AS (DELETE FROM rate_bucket WHERE tenant = ANY (ARRAY(SELECT tenant FROM gone)) AND scope = 'batch' AND name = ANY (${BATCHES}))
    SELECT id FROM gone`,
};

/** @returns how many there were */
export async function deleteBatches(connection: Connection, batchIds: string[]): Promise<number> {
  const gone = await run(connection, DELETE_BATCHES, [batchIds]);
  return gone.length;
}

/** The batch's row is locked too: it says which run is the current one, and a new run may begin at this moment. */
const FIND_EXPIRED: Statement = {
  name: 'find-expired-batches',
  text: `
    SELECT b.id, r.total + r.carried_succeeded + r.carried_failed + r.carried_skipped + r.carried_cancelled AS total
    FROM batch b JOIN run r ON r.id = b.run_id
    WHERE r.ended_at < now() - $1 * interval '1 millisecond'
      AND (b.rollback ->> 'status' = 'due' AND (b.rollback ->> 'runId')::bigint = b.run_id) IS NOT TRUE
      AND ($2::text IS NULL OR b.tenant = $2) AND ($3::text IS NULL OR b.dialect = $3)
    LIMIT 100 FOR UPDATE OF r, b SKIP LOCKED`,
};

export interface Expiry {
  olderThanMs: number;
  /** Default: every tenant's. */
  tenant?: string;
  /** Default: every dialect's. */
  dialect?: string;
}

/** Items that one statement deletes at most, unless one batch alone has more: about ten seconds' work. */
const MAX_ITEMS = 500_000;

/** Deletes up to a hundred finished batches that ended before the given time. @returns how many */
export async function deleteExpiredBatches(connection: Connection, expiry: Expiry): Promise<number> {
  const { olderThanMs, tenant = null, dialect = null } = expiry;
  const expired = await run<{ id: string; total: number }>(connection, FIND_EXPIRED, [olderThanMs, tenant, dialect]);
  let items = 0;
  const chosen = expired.filter(({ total }, index) => (items += total) <= MAX_ITEMS || index === 0);
  return chosen.length === 0
    ? 0
    : deleteBatches(
        connection,
        chosen.map((batch) => batch.id),
      );
}
