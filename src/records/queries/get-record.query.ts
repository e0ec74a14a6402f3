import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { IsString } from 'class-validator';
import { AppError } from '../../common/app-error.js';
import type { Caller } from '../../common/procedure.js';
import { Database } from '../../database/sql.js';
import { IsCollectionName } from '../collection-name.js';
import { problemOfKey } from '../record-fields.js';
import { type RecordView, toRecordView } from '../record.view.js';
import { selectRecord } from '../store/select-record.js';

export class GetRecord extends Query<RecordView> {
  @IsCollectionName() collection: string;
  @IsString() key: string;

  caller: Caller;
}

@QueryHandler(GetRecord)
export class GetRecordHandler implements IQueryHandler<GetRecord> {
  constructor(private readonly database: Database) {}

  /** @throws AppError NOT_FOUND */
  async execute({ collection, key, caller }: GetRecord): Promise<RecordView> {
    const record = problemOfKey(key) ? null : await selectRecord(this.database.pool, caller.tenant, collection, key);
    if (!record) throw new AppError('NOT_FOUND', `record ${key} not found in collection ${collection}`);
    return toRecordView(record);
  }
}
