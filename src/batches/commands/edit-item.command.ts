import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { IsInt, IsOptional, IsString, Max, MaxLength, Min, MinLength } from 'class-validator';
import { AnyJson } from '../../common/any-json.js';
import { AppError } from '../../common/app-error.js';
import { Opaque } from '../../common/opaque.js';
import type { Caller } from '../../common/procedure.js';
import { FreeSpace } from '../../database/free-space.js';
import { Database } from '../../database/sql.js';
import { assertMove } from '../batch.state.js';
import { ItemHistory } from '../item.view.js';
import { ItemPayloads } from '../item-payloads.js';
import { findItem } from '../store/find-item.js';
import { hasSucceeded, selectHistory } from '../store/item-history.js';
import { lockBatch, selectBatch, selectRunIds } from '../store/lock-batch.js';

/**
 * Gives an item of a batch that has ended, and that did not succeed, another payload: the one that lists show from now on, and that it
 * is repeated with. Earlier ones are kept. The item is named by `key` or by `seq`.
 */
export class EditItem extends Command<ItemHistory> {
  @IsString() batchId: string;
  @IsOptional() @IsString() @MinLength(1) @MaxLength(512) key?: string;
  /** Its position. */
  @IsOptional() @IsInt() @Min(0) @Max(2_000_000_000) seq?: number;
  /** Any JSON that the operation takes. */
  @AnyJson() @Opaque() payload: unknown;

  caller: Caller;
}

@CommandHandler(EditItem)
export class EditItemHandler implements ICommandHandler<EditItem> {
  constructor(
    private readonly database: Database,
    private readonly space: FreeSpace,
    private readonly payloads: ItemPayloads,
  ) {}

  async execute({ batchId, key, seq, payload, caller }: EditItem): Promise<ItemHistory> {
    const { pool } = this.database;
    const batch = await selectBatch(pool, caller.tenant, batchId);
    assertMove('edit items of', batch.status, batchId);
    const runIds = await selectRunIds(pool, batch);
    const item = await findItem(pool, batchId, runIds[0]!, { key, seq });
    const text = this.payloads.check(batch, payload);
    await this.space.assertSpace('database');
    await this.database.transaction(async (connection) => {
      const now = await lockBatch(connection, caller.tenant, batchId);
      assertMove('edit items of', now.status, batchId);
      if (await hasSucceeded(connection, await selectRunIds(connection, now), item.seq)) {
        throw new AppError('CONFLICT', `item ${item.key} of batch ${batchId} has succeeded; only items that can be repeated are edited`);
      }
      await this.payloads.keep(connection, batchId, { seq: item.seq, payload: text, editedBy: caller.subject ?? null });
    });
    return selectHistory(pool, batch, runIds, item);
  }
}
