import { type Connection, run, type Statement } from '../../database/sql.js';
import type { AuditAction } from '../entities/audit-entry.entity.js';

/** What the service does by itself, by a rule that the batch was given. */
export const BY_SERVICE = 'service';

const INSERT: Statement = {
  name: 'insert-audit-entry',
  text: `INSERT INTO audit_entry (batch_id, by, action, details) VALUES ($1, $2, $3, $4)`,
};

export interface AuditEntry {
  batchId: string;
  /** The caller's subject, or null. */
  by: string | null;
  action: AuditAction;
  details: Record<string, unknown>;
}

/** Written in the transaction that does what it tells of. */
export async function appendAudit(connection: Connection, { batchId, by, action, details }: AuditEntry): Promise<void> {
  await run(connection, INSERT, [batchId, by, action, details]);
}
