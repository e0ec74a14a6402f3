import { toJson } from '../../common/json-value.js';
import { type Connection, run, type Statement } from '../../database/sql.js';
import type { Fields } from '../record-fields.js';
import { type CollectionOf, GIVEN_KEYS, MAY_WRITE, SAVED, type WritingBatch, WriteRefused } from './record-write.js';

export interface NewRecord {
  key: string;
  fields: Fields;
  fileId?: string | null;
}

export type Upserted = 'created' | 'updated' | 'unchanged';

export interface Upsert {
  /** A record that is there is replaced (default), or the fields are written over its own and the others stay. */
  onConflict?: 'overwrite' | 'merge';
  batch?: WritingBatch;
}

const WITHOUT_ANNOTATION = `r.fields - '{annotation,annotation_status}'::text[]`;

const CHANGES = {
  overwrite: {
    fields: 'excluded.fields',
    fileId: 'excluded.file_id',
    differs: `NOT r.fields @> excluded.fields OR ${WITHOUT_ANNOTATION} <> excluded.fields - '{annotation,annotation_status}'::text[]
      OR r.file_id IS DISTINCT FROM excluded.file_id`,
  },
  merge: {
    fields: `(${WITHOUT_ANNOTATION}) || excluded.fields`,
    fileId: 'coalesce(excluded.file_id, r.file_id)',
    differs: `r.fields || excluded.fields <> r.fields OR excluded.file_id <> r.file_id OR (excluded.file_id IS NOT NULL AND r.file_id IS NULL)`,
  },
};

/**
 * A record whose content is the same keeps its annotation and its time; one whose content changed loses the annotation, which was
 * about the old content. Rows are locked in the order of their keys, so that two chunks with the same keys cannot block each other.
 *
 * For a backup the records are locked first, to know what is replaced. A record that appears between that look and the write
 * is `missed`: it stays as it is, and the next statement sees it.
 */
const upsertStatement = (how: keyof typeof CHANGES): Statement => ({
  name: `upsert-records-${how}`,
  text: `
    WITH given AS (SELECT * FROM json_to_recordset($3::json) AS n (key text, fields jsonb, "fileId" uuid)),
    ${MAY_WRITE},
    earlier AS (
      SELECT r.key, r.fields, r.file_id, r.updated_at, r.written_by FROM record r
      WHERE $5::boolean AND EXISTS (SELECT FROM may_write)
        AND r.tenant = $1 AND r.collection = $2 AND r.key = ${GIVEN_KEYS}
      ORDER BY r.key FOR UPDATE OF r
    ),
    written AS (
      INSERT INTO record AS r (tenant, collection, key, fields, file_id, written_by)
      SELECT $1, $2, n.key, n.fields, n."fileId", $4 FROM given n
      -- The count has all of them locked before the first is written.
      WHERE NOT $5::boolean OR (EXISTS (SELECT FROM may_write) AND (SELECT count(*) FROM earlier) >= 0)
      ORDER BY n.key COLLATE "C"
      ON CONFLICT (tenant, collection, key) DO UPDATE
        SET fields = ${CHANGES[how].fields}, file_id = ${CHANGES[how].fileId}, written_by = excluded.written_by, updated_at = clock_timestamp()
      WHERE (${CHANGES[how].differs}) AND (NOT $5::boolean OR r.key IN (SELECT key FROM earlier))
      RETURNING r.key, r.updated_at, r.xmax = 0 AS created
    ),
    ${SAVED}
    SELECT n.key, CASE
        WHEN w.created THEN 'created' WHEN w.key IS NOT NULL THEN 'updated'
        WHEN NOT $5::boolean OR e.key IS NOT NULL THEN 'unchanged'
        WHEN EXISTS (SELECT FROM may_write) THEN 'missed' ELSE 'refused' END AS result
    FROM given n LEFT JOIN written w ON w.key = n.key LEFT JOIN earlier e ON e.key = n.key`,
});

const UPSERT = { overwrite: upsertStatement('overwrite'), merge: upsertStatement('merge') };

/**
 * Writes records by key in one statement. @param records each key once
 * @throws WriteRefused when the batch's changes are being taken back
 */
export async function upsertRecords(
  connection: Connection,
  place: CollectionOf,
  records: NewRecord[],
  { onConflict = 'overwrite', batch }: Upsert = {},
): Promise<Map<string, Upserted>> {
  const results = new Map<string, Upserted>();
  for (let left = records; left.length > 0; left = left.filter(({ key }) => !results.has(key))) {
    const values = [place.tenant, place.collection, toJson(left, 'records'), batch?.batchId ?? null, batch?.keepsBackup ?? false];
    const rows = await run<{ key: string; result: Upserted | 'missed' | 'refused' }>(connection, UPSERT[onConflict], values);
    for (const { key, result } of rows) {
      if (result === 'refused') throw new WriteRefused(batch?.batchId);
      if (result !== 'missed') results.set(key, result);
    }
  }
  return results;
}
