import { Body, Controller, Get, Headers, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiTags } from '@nestjs/swagger';
import { CurrentCaller } from '../../access/current-caller.js';
import { ItemView, OutcomeView } from '../../batches/item.view.js';
import { AddItems, AddedItems } from '../../batches/commands/add-items.command.js';
import { RecordExternalResult } from '../../batches/commands/record-external-result.command.js';
import { RecordExternalResults, RecordedExternalResults } from '../../batches/commands/record-external-results.command.js';
import { BatchEventRecord } from '../../batches/events/batch.events.js';
import { ListEvents } from '../../batches/queries/list-events.query.js';
import { ListItems } from '../../batches/queries/list-items.query.js';
import { ListOutcomes } from '../../batches/queries/list-outcomes.query.js';
import { type Caller, Procedures } from '../../common/procedure.js';
import { Config } from '../../config.js';
import { Idempotent } from '../../idempotency/idempotency.interceptor.js';
import { BatchContents } from '../batch-service/batch-contents.js';
import { BatchResource } from '../batch-service/batch-resource.js';
import {
  AddItemsQuery,
  ListEventsQuery,
  ListBatchItemsQuery,
  ListResultsQuery,
  RecordResultRequest,
  RecordResultsRequest,
} from './batches.request.js';
import { type DataReply, type PageReply, toPageReply } from './envelope.js';
import { itemSourceOf } from './item-source-of-body.js';
import { RepliesWith, RepliesWithList, RepliesWithPage } from './reply-schema.js';

/** What a batch consists of: its items, their results, its events. */
@ApiTags('batches')
@Controller('api/batches/:id')
export class BatchContentsController {
  constructor(
    private readonly procedures: Procedures,
    private readonly contents: BatchContents,
    private readonly config: Config,
  ) {}

  /** Items in their order, each with its state. */
  @Get('items')
  @RepliesWithPage(ItemView)
  async items(
    @Param('id') batchId: string,
    @Query() query: ListBatchItemsQuery,
    @CurrentCaller() caller: Caller,
  ): Promise<PageReply<ItemView>> {
    return toPageReply(await this.procedures.call(ListItems, { batchId, ...query }, caller));
  }

  /** Adds items to an open batch: a JSON list, or NDJSON of any length with one `{ key?, payload? }` a line. */
  @Post('items')
  @Idempotent()
  @RepliesWith(AddedItems)
  @HttpCode(200)
  @ApiConsumes('application/json', 'application/x-ndjson')
  @ApiBody({ schema: { type: 'object', properties: { items: { type: 'array', items: {} } } } })
  async addItems(
    @Param('id') batchId: string,
    @Body() body: unknown,
    @Headers('content-type') type: string | undefined,
    @Query() query: AddItemsQuery,
    @CurrentCaller() caller: Caller,
  ): Promise<DataReply<AddedItems>> {
    const source = itemSourceOf(body, type ?? '', this.config.maxUploadBytes);
    return { success: true, data: await this.procedures.call(AddItems, { batchId, source, ...query }, caller) };
  }

  /** What the finished items ended as. */
  @Get('results')
  @RepliesWithPage(OutcomeView)
  async results(
    @Param('id') batchId: string,
    @Query() query: ListResultsQuery,
    @CurrentCaller() caller: Caller,
  ): Promise<PageReply<OutcomeView>> {
    return toPageReply(await this.procedures.call(ListOutcomes, { batchId, ...query }, caller));
  }

  /**
   * Records one item's result of a batch whose results come from outside. A second result for the same key changes nothing. The
   * reply shows as much of the batch's data as a list does.
   */
  @Post('results')
  @RepliesWith(BatchResource)
  @HttpCode(200)
  async recordResult(
    @Param('id') batchId: string,
    @Body() result: RecordResultRequest,
    @CurrentCaller() caller: Caller,
  ): Promise<DataReply<BatchResource>> {
    const view = await this.procedures.call(RecordExternalResult, { batchId, ...result }, caller);
    return { success: true, data: (await this.contents.resourcesOf([view], caller))[0]! };
  }

  /** Records many results at once: all of them, or none. A key that has a result already keeps it. */
  @Post('results/bulk')
  @RepliesWith(RecordedExternalResults)
  @HttpCode(200)
  async recordResults(
    @Param('id') batchId: string,
    @Body() body: RecordResultsRequest,
    @CurrentCaller() caller: Caller,
  ): Promise<DataReply<RecordedExternalResults>> {
    return { success: true, data: await this.procedures.call(RecordExternalResults, { batchId, ...body }, caller) };
  }

  /** The batch's event log, oldest first: what a client missed while its socket was away. */
  @Get('events')
  @RepliesWithList(BatchEventRecord)
  async events(
    @Param('id') batchId: string,
    @Query() query: ListEventsQuery,
    @CurrentCaller() caller: Caller,
  ): Promise<DataReply<BatchEventRecord[]>> {
    return { success: true, data: await this.procedures.call(ListEvents, { batchId, ...query }, caller) };
  }
}
