import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { IsInt, IsOptional, IsString, Max, MaxLength, Min, MinLength } from 'class-validator';
import type { Caller } from '../../common/procedure.js';
import { Database } from '../../database/sql.js';
import { ItemHistory } from '../item.view.js';
import { findItem } from '../store/find-item.js';
import { selectHistory } from '../store/item-history.js';
import { selectBatch, selectRunIds } from '../store/lock-batch.js';

/** One item's payloads and what it ended as in each run. It is named by `key` or by `seq`. */
export class GetItemHistory extends Query<ItemHistory> {
  @IsString() batchId: string;
  @IsOptional() @IsString() @MinLength(1) @MaxLength(512) key?: string;
  /** Its position. */
  @IsOptional() @IsInt() @Min(0) @Max(2_000_000_000) seq?: number;

  caller: Caller;
}

@QueryHandler(GetItemHistory)
export class GetItemHistoryHandler implements IQueryHandler<GetItemHistory> {
  constructor(private readonly database: Database) {}

  async execute({ batchId, key, seq, caller }: GetItemHistory): Promise<ItemHistory> {
    const { pool } = this.database;
    const batch = await selectBatch(pool, caller.tenant, batchId);
    const runIds = await selectRunIds(pool, batch);
    return selectHistory(pool, batch, runIds, await findItem(pool, batchId, runIds[0]!, { key, seq }));
  }
}
