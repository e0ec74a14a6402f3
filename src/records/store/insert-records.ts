import { toJson } from '../../common/json-value.js';
import { type Connection, run, type Statement } from '../../database/sql.js';
import { type CollectionOf, GIVEN_KEYS, MAY_WRITE, SAVED, type WritingBatch, WriteRefused } from './record-write.js';
import type { NewRecord } from './upsert-records.js';

/** A record that is there and has the same content, its annotation aside, is as good as written: a try that was cut off may have done it. */
const INSERT: Statement = {
  name: 'insert-records',
  text: `
    WITH given AS (SELECT * FROM json_to_recordset($3::json) AS n (key text, fields jsonb, "fileId" uuid)),
    ${MAY_WRITE},
    earlier AS (
      SELECT r.* FROM record r WHERE r.tenant = $1 AND r.collection = $2 AND r.key = ${GIVEN_KEYS}
    ),
    written AS (
      INSERT INTO record (tenant, collection, key, fields, file_id, written_by)
      SELECT $1, $2, n.key, n.fields, n."fileId", $4 FROM given n
      WHERE NOT $5::boolean OR EXISTS (SELECT FROM may_write)
      ORDER BY n.key COLLATE "C"
      ON CONFLICT (tenant, collection, key) DO NOTHING
      RETURNING key, updated_at, true AS created
    ),
    ${SAVED}
    SELECT n.key, CASE
        WHEN w.created THEN 'created'
        WHEN $5::boolean AND NOT EXISTS (SELECT FROM may_write) THEN 'refused'
        WHEN e.fields @> n.fields AND e.file_id IS NOT DISTINCT FROM n."fileId"
          AND e.fields - '{annotation,annotation_status}'::text[] = n.fields - '{annotation,annotation_status}'::text[] THEN 'unchanged'
        ELSE 'exists' END AS result
    FROM given n LEFT JOIN written w ON w.key = n.key LEFT JOIN earlier e ON e.key = n.key`,
};

/** `exists`: a record with other content is there. */
export type Inserted = 'created' | 'unchanged' | 'exists';

/** Writes those records in one statement that are not there yet. @param records each key once */
export async function insertRecords(
  connection: Connection,
  { tenant, collection }: CollectionOf,
  records: NewRecord[],
  batch: WritingBatch | undefined,
): Promise<Map<string, Inserted>> {
  if (records.length === 0) return new Map();
  const values = [tenant, collection, toJson(records, 'records'), batch?.batchId ?? null, batch?.keepsBackup ?? false];
  const rows = await run<{ key: string; result: Inserted | 'refused' }>(connection, INSERT, values);
  return new Map(
    rows.map(({ key, result }) => {
      if (result === 'refused') throw new WriteRefused(batch?.batchId);
      return [key, result];
    }),
  );
}
