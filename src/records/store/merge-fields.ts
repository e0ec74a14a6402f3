import { toJson } from '../../common/json-value.js';
import { type Connection, run, type Statement } from '../../database/sql.js';
import type { Fields } from '../record-fields.js';
import { type CollectionOf, GIVEN_KEYS, MAY_WRITE, SAVED, type WritingBatch } from './record-write.js';

export interface FieldsPatch {
  key: string;
  /** Written over the record's fields of the same names; the others stay. */
  patch: Fields;
  /** The version that the patch was made from, as {@link ./select-records-by-keys} gave it. */
  version: string;
}

export interface Merge {
  /** Write also into records that have changed since. */
  anyVersion?: boolean;
  batch?: WritingBatch;
}

/** Locks in the order of keys, as the upsert does. A record that changed since the patch was made is left as it is. */
const MERGE: Statement = {
  name: 'merge-fields',
  text: `
    WITH given AS (SELECT * FROM json_to_recordset($3::json) AS p (key text, patch jsonb, version text)),
    ${MAY_WRITE},
    earlier AS (
      SELECT r.key, r.fields, r.file_id, r.updated_at, r.written_by, p.patch
        FROM record r JOIN given p ON p.key = r.key
       WHERE (NOT $5::boolean OR EXISTS (SELECT FROM may_write))
         AND r.tenant = $1 AND r.collection = $2 AND r.key = ${GIVEN_KEYS} AND ($6::boolean OR r.updated_at = p.version::timestamptz)
       ORDER BY r.key
         FOR UPDATE OF r
    ),
    written AS (
      UPDATE record r SET fields = r.fields || e.patch, written_by = $4, updated_at = clock_timestamp()
        FROM earlier e
       WHERE r.tenant = $1 AND r.collection = $2 AND r.key = e.key
      RETURNING r.key, r.updated_at, false AS created
    ),
    ${SAVED}
    SELECT key FROM written`,
};

/** Writes patches into many records in one statement. Resolves to the keys that were written. */
export async function mergeFields(
  connection: Connection,
  { tenant, collection }: CollectionOf,
  patches: FieldsPatch[],
  { anyVersion = false, batch }: Merge = {},
): Promise<Set<string>> {
  if (patches.length === 0) return new Set();
  const values = [tenant, collection, toJson(patches, 'records'), batch?.batchId ?? null, batch?.keepsBackup ?? false, anyVersion];
  const rows = await run<{ key: string }>(connection, MERGE, values);
  return new Set(rows.map(({ key }) => key));
}
