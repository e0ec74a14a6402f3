import type { Connection } from '../../database/sql.js';
import { filterSql } from './filter-sql.js';
import type { RecordSelection } from './select-records.js';

export async function countRecords(connection: Connection, { tenant, collection, conditions }: RecordSelection): Promise<number> {
  const values: unknown[] = [tenant, collection];
  const text = `SELECT count(*)::integer AS count FROM record WHERE tenant = $1 AND collection = $2 AND ${filterSql(conditions, values)}`;
  const { rows } = await connection.query<{ count: number }>({ text, values });
  return rows[0]!.count;
}
