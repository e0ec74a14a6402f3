import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { IsString } from 'class-validator';
import type { Caller } from '../../common/procedure.js';
import { FreeSpace } from '../../database/free-space.js';
import { Database } from '../../database/sql.js';
import type { BatchView } from '../batch.view.js';
import { selectBatch } from '../store/lock-batch.js';
import { toBatchView } from '../store/select-batches.js';

/** One batch of the caller's tenant, whichever dialect created it. */
export class GetBatch extends Query<BatchView> {
  @IsString() batchId: string;

  caller: Caller;
}

@QueryHandler(GetBatch)
export class GetBatchHandler implements IQueryHandler<GetBatch> {
  constructor(
    private readonly database: Database,
    private readonly space: FreeSpace,
  ) {}

  async execute({ batchId, caller }: GetBatch): Promise<BatchView> {
    const row = await selectBatch(this.database.pool, caller.tenant, batchId);
    return toBatchView(row, this.space.shortage('database')?.message);
  }
}
