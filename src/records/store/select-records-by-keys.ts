import { type Connection, run } from '../../database/sql.js';
import type { Fields } from '../record-fields.js';

export interface StoredRecord {
  key: string;
  fields: Fields;
  fileId: string | null;
  /** Changes with every write. Text, because a Date would lose the microseconds. */
  version: string;
  /** The batch that wrote it last; null when that was not a batch. */
  writtenBy: string | null;
}

const SELECT = {
  name: 'select-records-by-keys',
  text: `
    SELECT key, fields, file_id AS "fileId", written_by AS "writtenBy",
        to_char(updated_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS version
      FROM record WHERE tenant = $1 AND collection = $2 AND key = ANY($3::text[])`,
};

export async function selectRecordsByKeys(
  connection: Connection,
  tenant: string,
  collection: string,
  keys: string[],
): Promise<Map<string, StoredRecord>> {
  const rows = await run<StoredRecord>(connection, SELECT, [tenant, collection, keys]);
  return new Map(rows.map((row) => [row.key, row]));
}
