/** A tenant's collection. */
export interface CollectionOf {
  tenant: string;
  collection: string;
}

/** The batch that writes; an item handler's context is one. */
export interface WritingBatch {
  batchId: string;
  /** Save what its writes replace. */
  keepsBackup: boolean;
}

/**
 * What follows are parts of the statements that write records. $1 is the tenant, $2 the collection, $4 the batch or null, $5 whether
 * it keeps a backup; without one none of this reads or locks anything.
 *
 * The batch's row is held against the rollback, which locks it for itself: a write is either finished before the rollback looks, or
 * comes after the rollback was demanded, and is refused.
 */
export const MAY_WRITE = `
  may_write AS (
    SELECT FROM batch WHERE $5::boolean AND id = $4::text AND (rollback ->> 'runId')::bigint IS DISTINCT FROM run_id FOR KEY SHARE
  )`;

/** The keys of `given`, as an array: that is looked up in the index, where a join may be made by reading the whole collection. */
export const GIVEN_KEYS = 'ANY (ARRAY(SELECT key FROM given))';

/**
 * Saves what `written` (key, updated_at, created) replaced, as `earlier` (key, fields, file_id, updated_at, written_by) had locked
 * it. Of several writes by the same batch the first one's earlier version stays, unless somebody else wrote in between: then theirs
 * is the one to give back.
 */
export const SAVED = `
  saved AS (
    INSERT INTO record_backup AS s (batch_id, collection, key, tenant, fields, file_id, updated_at, written_by, version)
    SELECT $4, $2, w.key, $1, e.fields, e.file_id, e.updated_at, e.written_by, w.updated_at
    FROM written w LEFT JOIN earlier e ON e.key = w.key AND NOT w.created
    WHERE $5::boolean
    ON CONFLICT (batch_id, collection, key) DO UPDATE SET
      fields = CASE WHEN s.version = excluded.updated_at THEN s.fields ELSE excluded.fields END,
      file_id = CASE WHEN s.version = excluded.updated_at THEN s.file_id ELSE excluded.file_id END,
      updated_at = CASE WHEN s.version = excluded.updated_at THEN s.updated_at ELSE excluded.updated_at END,
      written_by = CASE WHEN s.version = excluded.updated_at THEN s.written_by ELSE excluded.written_by END,
      version = excluded.version, outcome = NULL
  )`;

/** A late write of a batch whose changes are being taken back, by a handler that did not stop when it was told to. */
export class WriteRefused extends Error {
  override readonly name = 'WriteRefused';

  constructor(batchId: string | undefined) {
    super(`batch ${batchId} has ended and its changes are taken back: it cannot write any more`);
  }
}
