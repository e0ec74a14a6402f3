import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { CurrentCaller } from '../../access/current-caller.js';
import type { ItemView, OutcomeView } from '../../batches/batch.view.js';
import type { BatchEventRecord } from '../../batches/events/batch.events.js';
import { ListEvents } from '../../batches/queries/list-events.query.js';
import { ListItems } from '../../batches/queries/list-items.query.js';
import { ListOutcomes } from '../../batches/queries/list-outcomes.query.js';
import { type Caller, Procedures } from '../../common/procedure.js';
import { ListEventsQuery, ListItemsQuery, ListResultsQuery } from './batches.request.js';
import { type DataReply, type PageReply, toPageReply } from './envelope.js';

/** What a batch consists of: its items, their results, its events. */
@ApiTags('batches')
@Controller('api/batches/:id')
export class BatchContentsController {
  constructor(private readonly procedures: Procedures) {}

  /** Items in their order, each with its state. */
  @Get('items')
  async items(@Param('id') batchId: string, @Query() query: ListItemsQuery, @CurrentCaller() caller: Caller): Promise<PageReply<ItemView>> {
    return toPageReply(await this.procedures.call(ListItems, { batchId, ...query }, caller));
  }

  /** What the finished items ended as. */
  @Get('results')
  async results(
    @Param('id') batchId: string,
    @Query() query: ListResultsQuery,
    @CurrentCaller() caller: Caller,
  ): Promise<PageReply<OutcomeView>> {
    return toPageReply(await this.procedures.call(ListOutcomes, { batchId, ...query }, caller));
  }

  /** The batch's event log, oldest first: what a client missed while its socket was away. */
  @Get('events')
  async events(
    @Param('id') batchId: string,
    @Query() query: ListEventsQuery,
    @CurrentCaller() caller: Caller,
  ): Promise<DataReply<BatchEventRecord[]>> {
    return { success: true, data: await this.procedures.call(ListEvents, { batchId, ...query }, caller) };
  }
}
