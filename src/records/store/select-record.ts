import { type Connection, run } from '../../database/sql.js';
import type { RecordRow } from '../record.view.js';

const SELECT = {
  name: 'select-record',
  text: `
    SELECT collection, key, fields, file_id AS "fileId", created_at AS "createdAt", updated_at AS "updatedAt"
      FROM record WHERE tenant = $1 AND collection = $2 AND key = $3`,
};

export async function selectRecord(
  connection: Connection,
  tenant: string,
  collection: string,
  key: string,
): Promise<RecordRow | undefined> {
  const [row] = await run<RecordRow>(connection, SELECT, [tenant, collection, key]);
  return row;
}
