import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { IsString, MaxLength, MinLength } from 'class-validator';
import { AppError } from '../../common/app-error.js';
import type { Caller } from '../../common/procedure.js';
import { Database, run, type Statement } from '../../database/sql.js';
import { IsCollectionName } from '../collection-name.js';
import type { DeletedRecords } from '../record.view.js';

/** Removes one record. What a batch keeps to restore of it stays. */
export class DeleteRecord extends Command<DeletedRecords> {
  @IsCollectionName() collection: string;
  @IsString() @MinLength(1) @MaxLength(512) key: string;

  caller: Caller;
}

const DELETE: Statement = {
  name: 'delete-record',
  text: 'DELETE FROM record WHERE tenant = $1 AND collection = $2 AND key = $3 RETURNING 1 AS gone',
};

@CommandHandler(DeleteRecord)
export class DeleteRecordHandler implements ICommandHandler<DeleteRecord> {
  constructor(private readonly database: Database) {}

  /** @throws AppError NOT_FOUND */
  async execute({ collection, key, caller }: DeleteRecord): Promise<DeletedRecords> {
    const gone = await run(this.database.pool, DELETE, [caller.tenant, collection, key]);
    if (gone.length === 0) throw new AppError('NOT_FOUND', `the collection ${collection} has no record ${key}`);
    return { deleted: 1, complete: true };
  }
}
