import { Body, Controller, Delete, Get, Param, Patch, Post, Query } from '@nestjs/common';
import { ApiBody, ApiExtraModels, ApiTags, getSchemaPath } from '@nestjs/swagger';
import { LimitCreation } from '../../access/creation-limit.js';
import { CurrentCaller } from '../../access/current-caller.js';
import type { BatchView } from '../../batches/batch.view.js';
import { CreateBatch } from '../../batches/commands/create-batch.command.js';
import { DeleteBatch } from '../../batches/commands/delete-batch.command.js';
import { GetBatch } from '../../batches/queries/get-batch.query.js';
import { ListBatches } from '../../batches/queries/list-batches.query.js';
import { invalidField } from '../../common/app-error.js';
import { type Caller, type Dialect, Procedures } from '../../common/procedure.js';
import { toInstant } from '../../common/query-fields.js';
import { BatchChanges } from '../batch-service/batch-changes.js';
import { BatchContents } from '../batch-service/batch-contents.js';
import { BatchResource } from '../batch-service/batch-resource.js';
import { CreateBatchOfDataRequest, UpdateBatchOfDataRequest } from '../batch-service/batch-service.request.js';
import { DeletedBatch } from './batches.reply.js';
import { ListBatchesQuery } from './batches.request.js';
import { readCreateBody } from './create-body.js';
import { type DataReply, type PageReply, toPageReply } from './envelope.js';
import { RepliesWith, RepliesWithPage } from './reply-schema.js';

/** Batches as the engine knows them, and as the batch service does: every batch of the tenant, whatever interface made it. */
@ApiTags('batches')
@Controller('api/batches')
export class BatchesController {
  constructor(
    private readonly procedures: Procedures,
    private readonly changes: BatchChanges,
    private readonly contents: BatchContents,
  ) {}

  /**
   * Creates a batch. With `operation`: from a list of items, from filters that the operation expands, or open, to be filled; it starts
   * by itself. With `data`: one item for each data item; it waits to be started.
   */
  @Post()
  @RepliesWith(BatchResource, 201)
  @LimitCreation()
  @ApiExtraModels(CreateBatch, CreateBatchOfDataRequest)
  @ApiBody({ schema: { oneOf: [{ $ref: getSchemaPath(CreateBatch) }, { $ref: getSchemaPath(CreateBatchOfDataRequest) }] } })
  async create(@Body() body: unknown, @CurrentCaller() caller: Caller): Promise<DataReply<BatchResource>> {
    const input = readCreateBody(body);
    const view =
      'ofData' in input
        ? await this.changes.create(input.ofData, caller)
        : await this.procedures.call(CreateBatch, input.ofOperation, caller);
    return this.toReply(view, caller);
  }

  /** Finds batches, newest first. */
  @Get()
  @RepliesWithPage(BatchResource)
  async list(@Query() query: ListBatchesQuery, @CurrentCaller() caller: Caller): Promise<PageReply<BatchResource>> {
    const { status, type, createdAfter, createdBefore, ...where } = query;
    if (type !== undefined && where.operation !== undefined) throw invalidField('type', 'is another word for operation; give one of them');
    const input = {
      ...where,
      operation: where.operation ?? type,
      status: status && statusesThatRead(status, where.dialect),
      createdAfter: createdAfter && toInstant(createdAfter),
      createdBefore: createdBefore && toInstant(createdBefore),
    };
    const page = await this.procedures.call(ListBatches, input, caller);
    return toPageReply({ ...page, rows: await this.contents.resourcesOf(page.rows, caller) });
  }

  /** One batch as it is now. */
  @Get(':id')
  @RepliesWith(BatchResource)
  async get(@Param('id') batchId: string, @CurrentCaller() caller: Caller): Promise<DataReply<BatchResource>> {
    return this.toReply(await this.procedures.call(GetBatch, { batchId }, caller), caller);
  }

  /** Changes the name and description, priority, config and options until it has ended, and the status. */
  @Patch(':id')
  @RepliesWith(BatchResource)
  async update(
    @Param('id') batchId: string,
    @Body() updates: UpdateBatchOfDataRequest,
    @CurrentCaller() caller: Caller,
  ): Promise<DataReply<BatchResource>> {
    return this.toReply(await this.changes.update(batchId, updates, caller), caller);
  }

  /** Removes a batch that is not at work, with all its data. */
  @Delete(':id')
  @RepliesWith(DeletedBatch)
  async delete(@Param('id') batchId: string, @CurrentCaller() caller: Caller): Promise<DataReply<DeletedBatch>> {
    return { success: true, data: await this.procedures.call(DeleteBatch, { batchId }, caller) };
  }

  private async toReply(view: BatchView, caller: Caller): Promise<DataReply<BatchResource>> {
    return { success: true, data: await this.contents.resourceOf(view, caller) };
  }
}

/** A batch of data that ran out of time reads failed. */
function statusesThatRead(status: BatchView['status'], dialect: Dialect | undefined): BatchView['status'][] {
  return dialect === 'batch-service' && status === 'failed' ? ['failed', 'timed_out'] : [status];
}
