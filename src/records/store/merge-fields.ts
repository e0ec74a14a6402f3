import { type Connection, run } from '../../database/sql.js';
import type { Fields } from '../record-fields.js';

export interface FieldsPatch {
  key: string;
  /** Written over the record's fields of the same names; the others stay. */
  patch: Fields;
  /** The version that the patch was made from, as {@link ./select-records-by-keys} gave it. */
  version: string;
}

/** Locks in the order of keys, as the upsert does. A record that changed since the patch was made is left as it is. */
const MERGE = {
  name: 'merge-fields',
  text: `
    WITH patch AS (SELECT * FROM json_to_recordset($3::json) AS p(key text, patch jsonb, version text)),
    locked AS (
      SELECT r.key, p.patch
        FROM record r JOIN patch p ON p.key = r.key
       WHERE r.tenant = $1 AND r.collection = $2 AND r.updated_at = p.version::timestamptz
       ORDER BY r.key
         FOR UPDATE OF r)
    UPDATE record r
       SET fields = r.fields || locked.patch, updated_at = clock_timestamp()
      FROM locked
     WHERE r.tenant = $1 AND r.collection = $2 AND r.key = locked.key
    RETURNING r.key`,
};

/** Writes patches into many records in one statement. Resolves to the keys that were written. */
export async function mergeFields(
  connection: Connection,
  tenant: string,
  collection: string,
  patches: FieldsPatch[],
): Promise<Set<string>> {
  if (patches.length === 0) return new Set();
  const rows = await run<{ key: string }>(connection, MERGE, [tenant, collection, JSON.stringify(patches)]);
  return new Set(rows.map(({ key }) => key));
}
