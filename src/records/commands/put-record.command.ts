import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { IsOptional, IsString, MaxLength } from 'class-validator';
import { invalidField } from '../../common/app-error.js';
import { problemOfJson } from '../../common/json-value.js';
import { Opaque } from '../../common/opaque.js';
import type { Caller } from '../../common/procedure.js';
import { FreeSpace } from '../../database/free-space.js';
import { Database } from '../../database/sql.js';
import { IsCollectionName } from '../collection-name.js';
import { FileStore } from '../file-store.js';
import { RecordBound } from '../record-bound.js';
import { type Fields, problemOfFields, problemOfKey } from '../record-fields.js';
import { type RecordView, toRecordView } from '../record.view.js';
import { selectRecord } from '../store/select-record.js';
import { upsertRecords } from '../store/upsert-records.js';

/** Writes one record: all of its fields, and the file that belongs to it. */
export class PutRecord extends Command<RecordView> {
  @IsCollectionName() collection: string;
  @IsString() key: string;
  @Opaque() fields: Fields;
  @IsOptional() @IsString() @MaxLength(100) fileId?: string;

  caller: Caller;
}

@CommandHandler(PutRecord)
export class PutRecordHandler implements ICommandHandler<PutRecord> {
  constructor(
    private readonly database: Database,
    private readonly space: FreeSpace,
    private readonly files: FileStore,
    private readonly bound: RecordBound,
  ) {}

  /** @throws AppError INVALID_INPUT for fields that cannot be stored, NOT_FOUND for an unknown file, TOO_LARGE beyond TENANT_RECORDS_BYTES */
  async execute({ collection, key, fields, fileId, caller }: PutRecord): Promise<RecordView> {
    const wrongKey = problemOfKey(key);
    if (wrongKey) throw invalidField('key', wrongKey);
    const notJson = problemOfJson(fields, 'fields');
    if (notJson) throw invalidField(notJson.path, notJson.message);
    const wrongFields = problemOfFields(fields);
    if (wrongFields) throw invalidField('fields', wrongFields);
    if (fileId !== undefined) await this.files.find(caller.tenant, fileId);
    await this.space.assertSpace('database');
    const place = { tenant: caller.tenant, collection };
    await this.bound.within(caller.tenant, (connection) => upsertRecords(connection, place, [{ key, fields, fileId }]));
    return toRecordView((await selectRecord(this.database.pool, caller.tenant, collection, key))!);
  }
}
