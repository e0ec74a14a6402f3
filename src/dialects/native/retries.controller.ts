import { Body, Controller, HttpCode, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { IsArray, IsOptional } from 'class-validator';
import { CurrentCaller } from '../../access/current-caller.js';
import { RetryItems } from '../../batches/commands/retry-items.command.js';
import { type Caller, Procedures } from '../../common/procedure.js';
import { BatchContents } from '../batch-service/batch-contents.js';
import type { BatchResource } from '../batch-service/batch-resource.js';
import type { DataReply } from './envelope.js';

/** Neither of both: every failed item. */
export class RetryRequest {
  /** Keys of failed items, at most 10,000. */
  @IsOptional() @IsArray() keys?: string[];
  /** Positions of failed items, at most 10,000. */
  @IsOptional() @IsArray() seqs?: number[];
}

/** Working failed items once more. */
@ApiTags('batches')
@Controller('api/batches/:id')
export class RetriesController {
  constructor(
    private readonly procedures: Procedures,
    private readonly contents: BatchContents,
  ) {}

  /** Starts a new run of a batch that has ended, of all its failed items or of those named. */
  @Post('retry')
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
