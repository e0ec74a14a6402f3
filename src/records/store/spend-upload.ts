import { type Connection, run } from '../../database/sql.js';

/** Whose uploads are counted together. */
export interface Uploader {
  tenant: string;
  /** What tells users apart: "user:17", "address:10.0.0.1". */
  userKey: string;
  /** What the user's program shows, and may show for many users: "subject:key:5f2a9c01", "address:10.0.0.1". */
  credentialKey: string;
}

/** Uploads of an hour. */
export interface UploadLimits {
  perUser: number;
  perCredential: number;
}

/** How long an uploader has to wait, and for which of the limits; 0 for now. */
export interface UploadWait {
  ms: number;
  limit: keyof UploadLimits;
}

const WAIT = {
  perUser: { name: 'wait-for-upload', text: waitBy('user_key') },
  perCredential: { name: 'wait-for-upload-of-credential', text: waitBy('credential_key') },
};

function waitBy(column: string): string {
  return `
    SELECT (extract(epoch FROM accepted_at + interval '1 hour' - clock_timestamp()) * 1000)::float8 AS ms
      FROM upload
     WHERE tenant = $1 AND ${column} = $2 AND accepted_at > clock_timestamp() - interval '1 hour'
     ORDER BY accepted_at DESC OFFSET $3 LIMIT 1`;
}

const LOCK = { name: 'lock-uploader', text: `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))` };

const INSERT = { name: 'insert-upload', text: `INSERT INTO upload (id, tenant, user_key, credential_key) VALUES ($1, $2, $3, $4)` };

const DELETE = { name: 'delete-upload', text: `DELETE FROM upload WHERE id = $1` };

const FORGET = {
  name: 'forget-uploads',
  text: `
    DELETE FROM upload u
     WHERE accepted_at < clock_timestamp() - interval '1 hour' AND NOT EXISTS (SELECT FROM file f WHERE f.upload_id = u.id)`,
};

/** Whichever limit makes it wait longer. */
export async function msUntilUpload(connection: Connection, { tenant, ...keys }: Uploader, limits: UploadLimits): Promise<UploadWait> {
  const wait = async (limit: keyof UploadLimits, key: string): Promise<UploadWait> => {
    const [row] = await run<{ ms: number }>(connection, WAIT[limit], [tenant, key, limits[limit] - 1]);
    return { ms: Math.max(0, row?.ms ?? 0), limit };
  };
  const ofUser = await wait('perUser', keys.userKey);
  const ofCredential = await wait('perCredential', keys.credentialKey);
  return ofCredential.ms > ofUser.ms ? ofCredential : ofUser;
}

/**
 * Counts an upload, in the caller's transaction: one that runs at the same time for the same user or credential waits for its end.
 * @returns a wait of 0 when it was counted
 */
export async function spendUpload(connection: Connection, uploadId: string, uploader: Uploader, limits: UploadLimits): Promise<UploadWait> {
  const { tenant, userKey, credentialKey } = uploader;
  // Always in this order, so that two of them never wait for each other.
  await run(connection, LOCK, [`upload-credential:${tenant}:${credentialKey}`]);
  await run(connection, LOCK, [`upload:${tenant}:${userKey}`]);
  const wait = await msUntilUpload(connection, uploader, limits);
  if (wait.ms === 0) await run(connection, INSERT, [uploadId, tenant, userKey, credentialKey]);
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
