import { type Connection, run } from '../../database/sql.js';
import type { Fields } from '../record-fields.js';

export interface NewRecord {
  key: string;
  fields: Fields;
  fileId?: string | null;
}

export type Upserted = 'created' | 'updated' | 'unchanged';

/**
 * A record whose content is the same keeps its annotation and its time; one whose content changed loses the annotation, which was
 * about the old content. Rows are locked in the order of their keys, so that two chunks with the same keys cannot block each other.
 */
const UPSERT = {
  name: 'upsert-records',
  text: `
    INSERT INTO record AS r (tenant, collection, key, fields, file_id)
    SELECT $1, $2, n.key, n.fields, n."fileId"
      FROM json_to_recordset($3::json) AS n(key text, fields jsonb, "fileId" uuid)
     ORDER BY n.key COLLATE "C"
    ON CONFLICT (tenant, collection, key) DO UPDATE
       SET fields = excluded.fields, file_id = excluded.file_id, updated_at = clock_timestamp()
     WHERE NOT r.fields @> excluded.fields
        OR r.fields - '{annotation,annotation_status}'::text[] <> excluded.fields - '{annotation,annotation_status}'::text[]
        OR r.file_id IS DISTINCT FROM excluded.file_id
    RETURNING r.key, r.xmax = 0 AS created`,
};

/** Writes records by key in one statement. @param records each key once */
export async function upsertRecords(
  connection: Connection,
  tenant: string,
  collection: string,
  records: NewRecord[],
): Promise<Map<string, Upserted>> {
  if (records.length === 0) return new Map();
  const written = await run<{ key: string; created: boolean }>(connection, UPSERT, [tenant, collection, JSON.stringify(records)]);
  const results = new Map<string, Upserted>(records.map(({ key }) => [key, 'unchanged']));
  for (const { key, created } of written) results.set(key, created ? 'created' : 'updated');
  return results;
}
