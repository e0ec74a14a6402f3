import { Body, Controller, Delete, Get, Headers, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiTags } from '@nestjs/swagger';
import { Readable } from 'node:stream';
import { LimitCreation } from '../../access/creation-limit.js';
import { CurrentCaller } from '../../access/current-caller.js';
import type { BatchAnalytics, BatchView } from '../../batches/batch.view.js';
import { AddItems, type AddedItems } from '../../batches/commands/add-items.command.js';
import { CancelBatch } from '../../batches/commands/cancel-batch.command.js';
import { CreateBatch } from '../../batches/commands/create-batch.command.js';
import { DeleteBatch } from '../../batches/commands/delete-batch.command.js';
import { PauseBatch } from '../../batches/commands/pause-batch.command.js';
import { RecordExternalResult } from '../../batches/commands/record-external-result.command.js';
import { ResumeBatch } from '../../batches/commands/resume-batch.command.js';
import { SealBatch } from '../../batches/commands/seal-batch.command.js';
import { StartBatch } from '../../batches/commands/start-batch.command.js';
import { type ItemSource, itemsFromArray, itemsFromNdjson } from '../../batches/item-source.js';
import { GetBatch } from '../../batches/queries/get-batch.query.js';
import { GetBatchAnalytics } from '../../batches/queries/get-batch-analytics.query.js';
import { ListBatches } from '../../batches/queries/list-batches.query.js';
import { AppError } from '../../common/app-error.js';
import { type Caller, Procedures } from '../../common/procedure.js';
import { readBody } from '../../common/read-body.js';
import { Config } from '../../config.js';
import { toInstant } from '../../common/query-fields.js';
import { AddItemsQuery, CancelBatchRequest, ListBatchesQuery, RecordResultRequest, StartBatchRequest } from './batches.request.js';
import { type DataReply, type PageReply, toPageReply } from './envelope.js';

/** Batches as the engine knows them: every batch of the tenant, whatever interface made it. */
@ApiTags('batches')
@Controller('api/batches')
export class BatchesController {
  constructor(
    private readonly procedures: Procedures,
    private readonly config: Config,
  ) {}

  /** Creates a batch from a list of items, from filters that its operation expands, or open, to be filled. */
  @Post()
  @LimitCreation()
  async create(@Body() input: CreateBatch, @CurrentCaller() caller: Caller): Promise<DataReply<BatchView>> {
    return { success: true, data: await this.procedures.call(CreateBatch, input, caller) };
  }

  /** Finds batches, newest first. */
  @Get()
  async list(@Query() query: ListBatchesQuery, @CurrentCaller() caller: Caller): Promise<PageReply<BatchView>> {
    const { status, createdAfter, createdBefore, ...where } = query;
    const input = {
      ...where,
      status: status && [status],
      createdAfter: createdAfter && toInstant(createdAfter),
      createdBefore: createdBefore && toInstant(createdBefore),
    };
    return toPageReply(await this.procedures.call(ListBatches, input, caller));
  }

  /** One batch as it is now. */
  @Get(':id')
  async get(@Param('id') batchId: string, @CurrentCaller() caller: Caller): Promise<DataReply<BatchView>> {
    return { success: true, data: await this.procedures.call(GetBatch, { batchId }, caller) };
  }

  /** Removes a batch that is not at work, with all its data. */
  @Delete(':id')
  async delete(@Param('id') batchId: string, @CurrentCaller() caller: Caller): Promise<DataReply<{ deleted: true }>> {
    return { success: true, data: await this.procedures.call(DeleteBatch, { batchId }, caller) };
  }

  /** Adds items to an open batch: a JSON list, or NDJSON of any length with one `{ key?, payload? }` a line. */
  @Post(':id/items')
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
    return {
      success: true,
      data: await this.procedures.call(
        AddItems,
        { batchId, source: toItemSource(body, type ?? '', this.config.maxUploadBytes), ...query },
        caller,
      ),
    };
  }

  /** Sets a pending batch going. */
  @Post(':id/start')
  @HttpCode(200)
  async start(
    @Param('id') batchId: string,
    @Body() request: StartBatchRequest,
    @CurrentCaller() caller: Caller,
  ): Promise<DataReply<BatchView>> {
    return { success: true, data: await this.procedures.call(StartBatch, { batchId, ...request }, caller) };
  }

  /** No more items or results will come: the batch ends when what it has is done. */
  @Post(':id/seal')
  @HttpCode(200)
  async seal(@Param('id') batchId: string, @CurrentCaller() caller: Caller): Promise<DataReply<BatchView>> {
    return { success: true, data: await this.procedures.call(SealBatch, { batchId }, caller) };
  }

  /** Starts no new item; those in flight finish. */
  @Post(':id/pause')
  @HttpCode(200)
  async pause(@Param('id') batchId: string, @CurrentCaller() caller: Caller): Promise<DataReply<BatchView>> {
    return { success: true, data: await this.procedures.call(PauseBatch, { batchId }, caller) };
  }

  /** Lets a paused batch go on. */
  @Post(':id/resume')
  @HttpCode(200)
  async resume(@Param('id') batchId: string, @CurrentCaller() caller: Caller): Promise<DataReply<BatchView>> {
    return { success: true, data: await this.procedures.call(ResumeBatch, { batchId }, caller) };
  }

  /** Stops a batch for good; what is done stays done. */
  @Post(':id/cancel')
  @HttpCode(200)
  async cancel(
    @Param('id') batchId: string,
    @Body() request: CancelBatchRequest,
    @CurrentCaller() caller: Caller,
  ): Promise<DataReply<BatchView>> {
    return { success: true, data: await this.procedures.call(CancelBatch, { batchId, ...request }, caller) };
  }

  /** Records one item's result of a batch whose results come from outside. A second result for the same key changes nothing. */
  @Post(':id/results')
  @HttpCode(200)
  async recordResult(
    @Param('id') batchId: string,
    @Body() result: RecordResultRequest,
    @CurrentCaller() caller: Caller,
  ): Promise<DataReply<BatchView>> {
    return { success: true, data: await this.procedures.call(RecordExternalResult, { batchId, ...result }, caller) };
  }

  /** Durations, quality, errors, and progress over time. */
  @Get(':id/analytics')
  async analytics(@Param('id') batchId: string, @CurrentCaller() caller: Caller): Promise<DataReply<BatchAnalytics>> {
    return { success: true, data: await this.procedures.call(GetBatchAnalytics, { batchId }, caller) };
  }
}

const NDJSON = /^application\/(?:x-)?ndjson\b/i;

function toItemSource(body: unknown, type: string, maxBytes: number): ItemSource {
  if (body instanceof Readable) {
    if (NDJSON.test(type)) return itemsFromNdjson(readBody(body, maxBytes));
    throw new AppError('UNSUPPORTED_TYPE', `items are not read as ${type}; send application/json or application/x-ndjson`);
  }
  const { items, ...others } = (body ?? {}) as { items?: unknown };
  if (Array.isArray(items) && Object.keys(others).length === 0) return itemsFromArray(items);
  const message = 'send { "items": [...] } and nothing else, or NDJSON with one item a line';
  throw new AppError('INVALID_INPUT', message, { details: { errors: [{ path: 'items', message, code: 'invalid_type' }] } });
}
