import { type Connection, run } from '../../database/sql.js';

/** Whose uploads are counted together. */
export interface Uploader {
  tenant: string;
  /** What tells users apart: "user:17", "address:10.0.0.1". */
  userKey: string;
}

const WAIT = {
  name: 'wait-for-upload',
  text: `
    SELECT (extract(epoch FROM accepted_at + interval '1 hour' - clock_timestamp()) * 1000)::float8 AS ms
      FROM upload
     WHERE tenant = $1 AND user_key = $2 AND accepted_at > clock_timestamp() - interval '1 hour'
     ORDER BY accepted_at DESC OFFSET $3 LIMIT 1`,
};

const LOCK = { name: 'lock-uploader', text: `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))` };

const INSERT = { name: 'insert-upload', text: `INSERT INTO upload (id, tenant, user_key) VALUES ($1, $2, $3)` };

const DELETE = { name: 'delete-upload', text: `DELETE FROM upload WHERE id = $1` };

const FORGET = {
  name: 'forget-uploads',
  text: `
    DELETE FROM upload u
     WHERE accepted_at < clock_timestamp() - interval '1 hour' AND NOT EXISTS (SELECT FROM file f WHERE f.upload_id = u.id)`,
};

/** Milliseconds until the user may upload again; 0 for now. */
export async function msUntilUpload(connection: Connection, { tenant, userKey }: Uploader, perHour: number): Promise<number> {
  const [row] = await run<{ ms: number }>(connection, WAIT, [tenant, userKey, perHour - 1]);
  return Math.max(0, row?.ms ?? 0);
}

/**
 * Counts an upload, in the caller's transaction: one that runs at the same time for the same user waits for its end.
 * @returns 0 when it was counted, else the milliseconds to wait
 */
export async function spendUpload(connection: Connection, uploadId: string, uploader: Uploader, perHour: number): Promise<number> {
  await run(connection, LOCK, [`upload:${uploader.tenant}:${uploader.userKey}`]);
  const wait = await msUntilUpload(connection, uploader, perHour);
  if (wait === 0) await run(connection, INSERT, [uploadId, uploader.tenant, uploader.userKey]);
  return wait;
}

/** Takes an upload back that came to nothing. */
export async function giveUploadBack(connection: Connection, uploadId: string): Promise<void> {
  await run(connection, DELETE, [uploadId]);
}

/** Removes uploads that count no more and whose files are gone. */
export async function forgetUploads(connection: Connection): Promise<void> {
  await run(connection, FORGET, []);
}
