import { type Connection, run, type Statement } from '../../database/sql.js';

/** Batches with everything that belongs to their runs. There are no foreign keys that would do it. */
const DELETE_BATCHES: Statement = {
  name: 'delete-batches',
  text: `
    WITH gone AS (DELETE FROM batch WHERE id = ANY ($1::text[]) RETURNING id, tenant),
      runs AS (DELETE FROM run r USING gone WHERE r.batch_id = gone.id RETURNING r.id),
      lanes AS (DELETE FROM lane x USING runs WHERE x.run_id = runs.id),
      chunks AS (DELETE FROM chunk x USING runs WHERE x.run_id = runs.id),
      items AS (DELETE FROM chunk_items x USING runs WHERE x.run_id = runs.id),
      outcomes AS (DELETE FROM outcome x USING runs WHERE x.run_id = runs.id),
      compensations AS (DELETE FROM compensation x USING runs WHERE x.run_id = runs.id),
      retries AS (DELETE FROM retry x USING runs WHERE x.run_id = runs.id),
      externals AS (DELETE FROM external_result x USING runs WHERE x.run_id = runs.id),
      edits AS (DELETE FROM item_edit x USING gone WHERE x.batch_id = gone.id),
      metrics AS (DELETE FROM batch_metric x USING gone WHERE x.batch_id = gone.id),
      turns AS (DELETE FROM rollback_turn x USING gone WHERE x.batch_id = gone.id),
      backups AS (DELETE FROM record_backup x USING gone WHERE x.batch_id = gone.id),
      audits AS (DELETE FROM audit_entry x USING gone WHERE x.batch_id = gone.id),
      events AS (DELETE FROM batch_event x USING gone WHERE x.batch_id = gone.id),
      buckets AS (DELETE FROM rate_bucket x USING gone WHERE x.tenant = gone.tenant AND x.scope = 'batch' AND x.name = gone.id)
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
