import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { IsIn, IsNumber, IsOptional, Max, Min } from 'class-validator';
import { DIALECTS, type Caller, type Dialect } from '../../common/procedure.js';
import { Database } from '../../database/sql.js';
import { deleteExpiredBatches } from '../store/delete-batches.js';

const DAY_MS = 86_400_000;

/** Removes the caller's finished batches that ended more than so many days ago. */
export class CleanUpBatches extends Command<{ deleted: number }> {
  @IsNumber() @Min(0) @Max(36_500) olderThanDays: number;
  /** Default: those of every dialect. */
  @IsOptional() @IsIn(DIALECTS) dialect?: Dialect;

  caller: Caller;
}

@CommandHandler(CleanUpBatches)
export class CleanUpBatchesHandler implements ICommandHandler<CleanUpBatches> {
  constructor(private readonly database: Database) {}

  async execute({ olderThanDays, dialect, caller }: CleanUpBatches): Promise<{ deleted: number }> {
    const expiry = { olderThanMs: olderThanDays * DAY_MS, tenant: caller.tenant, dialect };
    let deleted = 0;
    for (;;) {
      const gone = await this.database.transaction((connection) => deleteExpiredBatches(connection, expiry));
      if (gone === 0) return { deleted };
      deleted += gone;
    }
  }
}
