import { type Connection, run, type Statement } from '../../database/sql.js';
import type { FileEntity } from '../entities/file.entity.js';

const LIST: Statement = {
  name: 'list-stored-file',
  text: `
    WITH counted AS (
      INSERT INTO tenant_files AS t (tenant, bytes) SELECT $2, $5::bigint WHERE $8::bigint = 0 OR $5::bigint <= $8::bigint
      ON CONFLICT (tenant) DO UPDATE SET bytes = t.bytes + excluded.bytes WHERE $8::bigint = 0 OR t.bytes + excluded.bytes <= $8::bigint
      RETURNING 1
    )
    INSERT INTO file (id, tenant, name, media_type, size, sha256, upload_id) SELECT $1, $2, $3, $4, $5, $6, $7 FROM counted
    RETURNING id, tenant, name, media_type AS "mediaType", size, sha256, upload_id AS "uploadId", created_at AS "createdAt"`,
};

const BYTES_OF: Statement = { name: 'bytes-of-files', text: 'SELECT bytes FROM tenant_files WHERE tenant = $1' };

const UNLIST: Statement = {
  name: 'unlist-stored-files',
  text: `
    WITH gone AS (DELETE FROM file WHERE id = ANY ($1::uuid[]) RETURNING tenant, size),
      freed AS (SELECT tenant, sum(size) AS bytes FROM gone GROUP BY tenant ORDER BY tenant)
    UPDATE tenant_files t SET bytes = t.bytes - freed.bytes FROM freed WHERE t.tenant = freed.tenant`,
};

const KEEP: Statement = { name: 'keep-files-of-form', text: 'UPDATE file SET upload_id = NULL WHERE upload_id = $1' };

/** The files of a form are complete: from now on they stay until somebody deletes them. */
export async function keepFilesOfForm(connection: Connection, formId: string): Promise<void> {
  await run(connection, KEEP, [formId]);
}

/**
 * Writes down that a file is stored, and counts its bytes.
 * @param maxBytes of all of the tenant's files; 0 for no bound
 * @returns undefined when it would be too many
 */
export async function listFile(
  connection: Connection,
  file: Omit<FileEntity, 'createdAt'>,
  maxBytes: number,
): Promise<FileEntity | undefined> {
  const { id, tenant, name, mediaType, size, sha256, uploadId } = file;
  const [listed] = await run<FileEntity>(connection, LIST, [id, tenant, name, mediaType, size, sha256, uploadId, maxBytes]);
  return listed;
}

/** Bytes of all of a tenant's files. */
export async function bytesOfFiles(connection: Connection, tenant: string): Promise<number> {
  const [found] = await run<{ bytes: string }>(connection, BYTES_OF, [tenant]);
  return Number(found?.bytes ?? 0);
}

export async function unlistFiles(connection: Connection, ids: string[]): Promise<void> {
  await run(connection, UNLIST, [ids]);
}
