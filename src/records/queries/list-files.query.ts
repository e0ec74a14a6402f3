import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { IsInt, IsOptional, IsUUID, Max, Min } from 'class-validator';
import { invalidField } from '../../common/app-error.js';
import type { Caller } from '../../common/procedure.js';
import { Database, run, type Statement } from '../../database/sql.js';
import type { FileEntity } from '../entities/file.entity.js';
import { type FilePage, toFileView } from '../record.view.js';

const DEFAULT_LIMIT = 50;

/** A tenant's stored files, newest first; those of uploads too. */
export class ListFiles extends Query<FilePage> {
  /** Default 50. */
  @IsOptional() @IsInt() @Min(1) @Max(1_000) limit?: number;
  /** The last id of the page before. */
  @IsOptional() @IsUUID() afterId?: string;

  caller: Caller;
}

const COLUMNS = 'id, tenant, name, media_type AS "mediaType", size, sha256, upload_id AS "uploadId", created_at AS "createdAt"';

const SELECT_FILES: Statement = {
  name: 'select-files',
  text: `SELECT ${COLUMNS} FROM file WHERE tenant = $1 ORDER BY created_at DESC, id DESC LIMIT $2`,
};

const SELECT_OLDER: Statement = {
  name: 'select-older-files',
  text: `
    SELECT ${COLUMNS} FROM file WHERE tenant = $1 AND (created_at, id) < (SELECT created_at, id FROM file WHERE tenant = $1 AND id = $3)
    ORDER BY created_at DESC, id DESC LIMIT $2`,
};

const IS_THERE: Statement = { name: 'is-file-there', text: 'SELECT FROM file WHERE tenant = $1 AND id = $2' };

@QueryHandler(ListFiles)
export class ListFilesHandler implements IQueryHandler<ListFiles> {
  constructor(private readonly database: Database) {}

  /** @throws AppError INVALID_INPUT when the file of `afterId` is gone: what comes after it is not known then */
  async execute({ limit = DEFAULT_LIMIT, afterId, caller }: ListFiles): Promise<FilePage> {
    const { pool } = this.database;
    const values = [caller.tenant, limit + 1];
    const rows =
      afterId === undefined
        ? await run<FileEntity>(pool, SELECT_FILES, values)
        : await run<FileEntity>(pool, SELECT_OLDER, [...values, afterId]);
    if (afterId !== undefined && rows.length === 0 && (await run(pool, IS_THERE, [caller.tenant, afterId])).length === 0) {
      throw invalidField('afterId', `names no file ${afterId} (any more); begin with the first page`);
    }
    const page = rows.slice(0, limit).map(toFileView);
    return { rows: page, limit, nextId: rows.length > limit ? page.at(-1)!.id : null };
  }
}
