import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { IsInt, IsOptional, IsString, Max, Min } from 'class-validator';
import type { Caller } from '../../common/procedure.js';
import { Database, run, type Statement } from '../../database/sql.js';
import type { AuditView, Page } from '../batch.view.js';
import { selectBatch } from '../store/lock-batch.js';

const DEFAULT_LIMIT = 100;

/** Who did what to a batch, newest first. */
export class ListAudit extends Query<Page<AuditView>> {
  @IsString() batchId: string;
  /** Default 100. */
  @IsOptional() @IsInt() @Min(1) @Max(1_000) limit?: number;
  @IsOptional() @IsInt() @Min(0) @Max(1_000_000) offset?: number;

  caller: Caller;
}

const SELECT_AUDIT: Statement = {
  name: 'select-audit',
  text: `SELECT at, by, action, details FROM audit_entry WHERE batch_id = $1 ORDER BY id DESC LIMIT $2 OFFSET $3`,
};

const COUNT_AUDIT: Statement = {
  name: 'count-audit',
  text: `SELECT count(*)::int AS total FROM audit_entry WHERE batch_id = $1`,
};

@QueryHandler(ListAudit)
export class ListAuditHandler implements IQueryHandler<ListAudit> {
  constructor(private readonly database: Database) {}

  async execute({ batchId, limit = DEFAULT_LIMIT, offset = 0, caller }: ListAudit): Promise<Page<AuditView>> {
    const { pool } = this.database;
    await selectBatch(pool, caller.tenant, batchId);
    const found = await run<AuditView & { at: Date }>(pool, SELECT_AUDIT, [batchId, limit, offset]);
    const [counted] = await run<{ total: number }>(pool, COUNT_AUDIT, [batchId]);
    const rows = found.map((entry) => ({ ...entry, at: entry.at.toISOString() }));
    return { rows, total: counted!.total, limit, offset, hasMore: offset + rows.length < counted!.total };
  }
}
