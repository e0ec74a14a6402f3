import { type Connection, run, type Statement } from '../../database/sql.js';

/**
 * Gives the batch's next records their earlier versions back, with their times, or removes them when they were not there; those that
 * are not as the batch wrote them are left alone. Each backup gets its outcome in the same statement, so each is done once. The
 * caller holds the batch's row. Records are locked in their order, as every write locks them.
 */
const RESTORE: Statement = {
  name: 'restore-records',
  text: `
    WITH next AS (
      SELECT * FROM record_backup
      WHERE batch_id = $1 AND (collection, key) > ($2, $3) AND outcome IS NULL
      ORDER BY collection, key LIMIT $4
    ),
    untouched AS (
      SELECT r.tenant, r.collection, r.key, n.fields, n.file_id, n.updated_at, n.written_by
      FROM record r JOIN next n ON r.tenant = n.tenant AND r.collection = n.collection AND r.key = n.key AND r.updated_at = n.version
      ORDER BY r.collection, r.key FOR UPDATE OF r
    ),
    restored AS (
      UPDATE record r SET fields = u.fields, file_id = u.file_id, updated_at = u.updated_at, written_by = u.written_by
      FROM untouched u WHERE r.tenant = u.tenant AND r.collection = u.collection AND r.key = u.key AND u.fields IS NOT NULL
    ),
    removed AS (
      DELETE FROM record r USING untouched u
      WHERE r.tenant = u.tenant AND r.collection = u.collection AND r.key = u.key AND u.fields IS NULL
    ),
    marked AS (
      UPDATE record_backup b
      SET outcome = CASE WHEN u.key IS NULL THEN 'left alone' WHEN n.fields IS NULL THEN 'removed' ELSE 'restored' END
      FROM next n LEFT JOIN untouched u ON u.collection = n.collection AND u.key = n.key
      WHERE b.batch_id = $1 AND b.collection = n.collection AND b.key = n.key
    )
    SELECT collection, key FROM next ORDER BY collection DESC, key DESC LIMIT 1`,
};

/** Where a batch's backup goes on. */
export interface BackupPosition {
  collection: string;
  key: string;
}

/** @returns the last one's position, or undefined when there are no more */
export async function restoreRecords(
  connection: Connection,
  batchId: string,
  after: BackupPosition,
  limit: number,
): Promise<BackupPosition | undefined> {
  const [last] = await run<BackupPosition>(connection, RESTORE, [batchId, after.collection, after.key, limit]);
  return last;
}
