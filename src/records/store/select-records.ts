import type { Connection } from '../../database/sql.js';
import type { RecordCondition } from '../record-filter.js';
import type { RecordRow } from '../record.view.js';
import { filterSql } from './filter-sql.js';

export interface RecordSelection {
  tenant: string;
  collection: string;
  conditions: RecordCondition[];
}

/** One page of the matching records in the order of their keys, after the given key. */
export async function selectRecords(
  connection: Connection,
  { tenant, collection, conditions }: RecordSelection,
  limit: number,
  afterKey = '',
): Promise<RecordRow[]> {
  const values: unknown[] = [tenant, collection, afterKey, limit];
  const text = `
    SELECT collection, key, fields, file_id AS "fileId", created_at AS "createdAt", updated_at AS "updatedAt"
      FROM record
     WHERE tenant = $1 AND collection = $2 AND key > $3 AND ${filterSql(conditions, values)}
     ORDER BY key LIMIT $4`;
  return (await connection.query<RecordRow>({ text, values })).rows;
}
