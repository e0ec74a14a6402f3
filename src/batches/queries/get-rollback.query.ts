import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { IsString } from 'class-validator';
import type { Caller } from '../../common/procedure.js';
import { Database } from '../../database/sql.js';
import type { RollbackReport } from '../rollback.view.js';
import { selectBatch } from '../store/lock-batch.js';
import { countCompensations, selectCurrentCompensation, selectFailedCompensations } from '../store/select-compensations.js';

const MAX_FAILURES = 100;

/** How far a batch's rollback has come. Of a batch that is not rolled back: what could be. */
export class GetRollback extends Query<RollbackReport> {
  @IsString() batchId: string;

  caller: Caller;
}

@QueryHandler(GetRollback)
export class GetRollbackHandler implements IQueryHandler<GetRollback> {
  constructor(private readonly database: Database) {}

  async execute({ batchId, caller }: GetRollback): Promise<RollbackReport> {
    const { pool } = this.database;
    const { rollback } = await selectBatch(pool, caller.tenant, batchId);
    const { restored, removed, leftAlone } = rollback ?? { restored: 0, removed: 0, leftAlone: 0 };
    return {
      status: rollback?.status ?? 'none',
      at: rollback && new Date(rollback.at).toISOString(),
      compensations: await countCompensations(pool, batchId),
      current: await selectCurrentCompensation(pool, batchId),
      failures: await selectFailedCompensations(pool, batchId, MAX_FAILURES),
      restored,
      removed,
      leftAlone,
    };
  }
}
