import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { IsString } from 'class-validator';
import { selectBatch } from '../../batches/store/lock-batch.js';
import { runningItems, toBatchView } from '../../batches/store/select-batches.js';
import type { Caller } from '../../common/procedure.js';
import { Config } from '../../config.js';
import { Database } from '../../database/sql.js';
import { explainWaiting, waitingItems } from '../explain-waiting.js';
import { Waiting } from '../waiting.view.js';

/** Why a batch's items wait, and when the next of them may start. */
export class GetWaiting extends Query<Waiting> {
  @IsString() batchId: string;

  caller: Caller;
}

@QueryHandler(GetWaiting)
export class GetWaitingHandler implements IQueryHandler<GetWaiting> {
  constructor(
    private readonly database: Database,
    private readonly config: Config,
  ) {}

  async execute({ batchId, caller }: GetWaiting): Promise<Waiting> {
    const { pool } = this.database;
    const batch = await selectBatch(pool, caller.tenant, batchId);
    const { all, some, canMoveAt } = await explainWaiting(pool, this.config, batch);
    return {
      batchId,
      run: batch.run_no,
      status: toBatchView(batch).status,
      running: runningItems(batch),
      waiting: waitingItems(batch),
      gates: [...all, ...some],
      canMoveAt,
    };
  }
}
