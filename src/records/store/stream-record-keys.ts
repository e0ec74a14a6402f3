import type { Connection } from '../../database/sql.js';
import { filterSql } from './filter-sql.js';
import type { RecordSelection } from './select-records.js';

const PAGE = 1_000;

/** The keys of all matching records, in order, a page at a time. A record that is written meanwhile may or may not be among them. */
export async function* streamRecordKeys(
  connection: Connection,
  { tenant, collection, conditions }: RecordSelection,
): AsyncGenerator<string> {
  let afterKey = '';
  for (;;) {
    const values: unknown[] = [tenant, collection, afterKey, PAGE];
    const text = `SELECT key FROM record WHERE tenant = $1 AND collection = $2 AND key > $3 AND ${filterSql(conditions, values)} ORDER BY key LIMIT $4`;
    const { rows } = await connection.query<{ key: string }>({ text, values });
    for (const { key } of rows) yield key;
    if (rows.length < PAGE) return;
    afterKey = rows.at(-1)!.key;
  }
}
