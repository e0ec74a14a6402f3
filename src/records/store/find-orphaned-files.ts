import { type Connection, run } from '../../database/sql.js';

/** The batch is made in one transaction with its parameters, so that this never misses one. */
const NO_BATCH = `
  NOT EXISTS (
    SELECT FROM batch b WHERE b.parameters ? 'uploadId' AND b.parameters ->> 'uploadId' = f.upload_id::text AND b.tenant = f.tenant
  )`;

const OF_UPLOAD = { name: 'find-files-of-upload', text: `SELECT f.id FROM file f WHERE f.upload_id = $1 AND ${NO_BATCH}` };

/** An accepted upload has its batch within seconds. One that is still coming in may take hours; after a day its process has died. */
const ORPHANED = {
  name: 'find-orphaned-files',
  text: `
    SELECT f.id FROM file f LEFT JOIN upload u ON u.id = f.upload_id
     WHERE f.upload_id IS NOT NULL
       AND coalesce(u.accepted_at + interval '10 minutes', f.created_at + interval '1 day') < clock_timestamp()
       AND ${NO_BATCH}
     LIMIT 1000`,
};

/** Files of one upload, unless a batch was made of it. @returns their ids */
export async function findFilesWithoutBatch(connection: Connection, uploadId: string): Promise<string[]> {
  return (await run<{ id: string }>(connection, OF_UPLOAD, [uploadId])).map(({ id }) => id);
}

/** Up to a thousand files whose batch is gone, or was never made. @returns their ids */
export async function findOrphanedFiles(connection: Connection): Promise<string[]> {
  return (await run<{ id: string }>(connection, ORPHANED, [])).map(({ id }) => id);
}
