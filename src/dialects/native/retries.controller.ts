import { Body, Controller, HttpCode, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { CurrentCaller } from '../../access/current-caller.js';
import { RetryItems } from '../../batches/commands/retry-items.command.js';
import { type Caller, Procedures } from '../../common/procedure.js';
import { Idempotent } from '../../idempotency/idempotency.interceptor.js';
import { BatchContents } from '../batch-service/batch-contents.js';
import { BatchResource } from '../batch-service/batch-resource.js';
import { RetryRequest } from './batches.request.js';
import type { DataReply } from './envelope.js';
import { RepliesWith } from './reply-schema.js';

/** Working items once more. */
@ApiTags('batches')
@Controller('api/batches/:id')
export class RetriesController {
  constructor(
    private readonly procedures: Procedures,
    private readonly contents: BatchContents,
  ) {}

  /** Starts a new run of a batch that has ended, of all its failed items or of those that are chosen. */
  @Post('retry')
  @Idempotent()
  @RepliesWith(BatchResource)
  @HttpCode(200)
  async retry(
    @Param('id') batchId: string,
    @Body() request: RetryRequest,
    @CurrentCaller() caller: Caller,
  ): Promise<DataReply<BatchResource>> {
    const view = await this.procedures.call(RetryItems, { batchId, ...request }, caller);
    return { success: true, data: await this.contents.resourceOf(view, caller) };
  }
}
