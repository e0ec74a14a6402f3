import { Body, Controller, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { CurrentCaller } from '../../access/current-caller.js';
import { ItemHistory } from '../../batches/item.view.js';
import { EditItem } from '../../batches/commands/edit-item.command.js';
import { RetryItems } from '../../batches/commands/retry-items.command.js';
import { GetItemHistory } from '../../batches/queries/get-item-history.query.js';
import { invalidField } from '../../common/app-error.js';
import { type Caller, Procedures } from '../../common/procedure.js';
import { Idempotent } from '../../idempotency/idempotency.interceptor.js';
import { GetItemWaiting } from '../../waiting/queries/get-item-waiting.query.js';
import { ItemWaiting } from '../../waiting/waiting.view.js';
import { BatchContents } from '../batch-service/batch-contents.js';
import { BatchResource } from '../batch-service/batch-resource.js';
import { EditItemRequest, ItemNameQuery, RetryItemRequest } from './batches.request.js';
import type { DataReply } from './envelope.js';
import { RepliesWith } from './reply-schema.js';

/** One item of a batch, named by its key, or with `?by=seq` by its position. */
@ApiTags('batches')
@Controller('api/batches/:id/items/:key')
export class ItemsController {
  constructor(
    private readonly procedures: Procedures,
    private readonly contents: BatchContents,
  ) {}

  /** Gives an item another payload to be repeated with: 409 while its batch has not ended, and when it has succeeded. */
  @Patch()
  @RepliesWith(ItemHistory)
  async edit(
    @Param('id') batchId: string,
    @Param('key') key: string,
    @Query() query: ItemNameQuery,
    @Body() { payload }: EditItemRequest,
    @CurrentCaller() caller: Caller,
  ): Promise<DataReply<ItemHistory>> {
    return { success: true, data: await this.procedures.call(EditItem, { batchId, ...nameOf(key, query), payload }, caller) };
  }

  /** All payloads that the item had, and what it ended as in each run. */
  @Get('history')
  @RepliesWith(ItemHistory)
  async history(
    @Param('id') batchId: string,
    @Param('key') key: string,
    @Query() query: ItemNameQuery,
    @CurrentCaller() caller: Caller,
  ): Promise<DataReply<ItemHistory>> {
    return { success: true, data: await this.procedures.call(GetItemHistory, { batchId, ...nameOf(key, query) }, caller) };
  }

  /** Why it waits, and when it may start. */
  @Get('waiting')
  @RepliesWith(ItemWaiting)
  async waiting(
    @Param('id') batchId: string,
    @Param('key') key: string,
    @Query() query: ItemNameQuery,
    @CurrentCaller() caller: Caller,
  ): Promise<DataReply<ItemWaiting>> {
    return { success: true, data: await this.procedures.call(GetItemWaiting, { batchId, ...nameOf(key, query) }, caller) };
  }

  /** Works the item once more, whatever it ended as but a success: a new run of a batch that has ended, with a new payload if one is given. */
  @Post('retry')
  @Idempotent()
  @RepliesWith(BatchResource)
  @HttpCode(200)
  async retry(
    @Param('id') batchId: string,
    @Param('key') key: string,
    @Query() query: ItemNameQuery,
    @Body() { payload }: RetryItemRequest,
    @CurrentCaller() caller: Caller,
  ): Promise<DataReply<BatchResource>> {
    const { seq } = nameOf(key, query);
    const name = seq === undefined ? { keys: [key] } : { seqs: [seq] };
    const view = await this.procedures.call(
      RetryItems,
      { batchId, statuses: ['failed', 'skipped', 'unprocessed'], ...name, payload },
      caller,
    );
    return { success: true, data: await this.contents.resourceOf(view, caller) };
  }
}

function nameOf(key: string, { by }: ItemNameQuery): { key?: string; seq?: number } {
  if (by !== 'seq') return { key };
  if (!/^\d{1,10}$/.test(key)) throw invalidField('seq', `${key} is no position; give a whole number from 0`, 'invalid_type');
  return { seq: Number(key) };
}
