import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import type { Caller } from '../../common/procedure.js';
import { Database, run, type Statement } from '../../database/sql.js';
import { IsCollectionName } from '../collection-name.js';
import type { DeletedRecords } from '../record.view.js';

/** Removes all records of a collection. What batches keep to restore of them stays. */
export class DeleteCollection extends Command<DeletedRecords> {
  @IsCollectionName() collection: string;

  caller: Caller;
}

const SLICE = 5_000;
/** A request is to be answered while its client still waits. */
const TIME_MS = 20_000;

const DELETE_SLICE: Statement = {
  name: 'delete-records',
  text: `
    WITH gone AS (
      DELETE FROM record WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM record WHERE tenant = $1 AND collection = $2 LIMIT ${SLICE}
      )) RETURNING 1
    )
    SELECT count(*)::int AS count FROM gone`,
};

@CommandHandler(DeleteCollection)
export class DeleteCollectionHandler implements ICommandHandler<DeleteCollection> {
  constructor(private readonly database: Database) {}

  /** Slice by slice, so that no lock and no transaction lasts; a collection that is not there has nothing to remove. */
  async execute({ collection, caller }: DeleteCollection): Promise<DeletedRecords> {
    const until = performance.now() + TIME_MS;
    let deleted = 0;
    do {
      const [slice] = await run<{ count: number }>(this.database.pool, DELETE_SLICE, [caller.tenant, collection]);
      deleted += slice!.count;
      if (slice!.count === 0) return { deleted, complete: true };
    } while (performance.now() < until);
    return { deleted, complete: false };
  }
}
