import { Body, Controller, HttpCode, Param, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { CurrentCaller } from '../../access/current-caller.js';
import type { BatchView } from '../../batches/batch.view.js';
import { CancelBatch } from '../../batches/commands/cancel-batch.command.js';
import { PauseBatch } from '../../batches/commands/pause-batch.command.js';
import { ResumeBatch } from '../../batches/commands/resume-batch.command.js';
import { SealBatch } from '../../batches/commands/seal-batch.command.js';
import { StartBatch } from '../../batches/commands/start-batch.command.js';
import { type Caller, Procedures } from '../../common/procedure.js';
import { BatchContents } from '../batch-service/batch-contents.js';
import { BatchResource } from '../batch-service/batch-resource.js';
import { ReasonRequest, StartBatchRequest } from './batches.request.js';
import type { DataReply } from './envelope.js';
import { RepliesWith } from './reply-schema.js';

/** Moves a batch from one state to another. What its state does not allow answers 409. */
@ApiTags('batches')
@Controller('api/batches/:id')
export class BatchMovesController {
  constructor(
    private readonly procedures: Procedures,
    private readonly contents: BatchContents,
  ) {}

  /** Sets a pending batch going. */
  @Post('start')
  @RepliesWith(BatchResource)
  @HttpCode(200)
  async start(
    @Param('id') batchId: string,
    @Body() request: StartBatchRequest,
    @CurrentCaller() caller: Caller,
  ): Promise<DataReply<BatchResource>> {
    return this.toReply(await this.procedures.call(StartBatch, { batchId, ...request }, caller), caller);
  }

  /** No more items or results will come: the batch ends when what it has is done. */
  @Post('seal')
  @RepliesWith(BatchResource)
  @HttpCode(200)
  async seal(@Param('id') batchId: string, @CurrentCaller() caller: Caller): Promise<DataReply<BatchResource>> {
    return this.toReply(await this.procedures.call(SealBatch, { batchId }, caller), caller);
  }

  /** Starts no new item; those in flight finish. */
  @Post('pause')
  @RepliesWith(BatchResource)
  @HttpCode(200)
  async pause(
    @Param('id') batchId: string,
    @Body() request: ReasonRequest,
    @CurrentCaller() caller: Caller,
  ): Promise<DataReply<BatchResource>> {
    return this.toReply(await this.procedures.call(PauseBatch, { batchId, ...request }, caller), caller);
  }

  /** Lets a paused batch go on. */
  @Post('resume')
  @RepliesWith(BatchResource)
  @HttpCode(200)
  async resume(@Param('id') batchId: string, @CurrentCaller() caller: Caller): Promise<DataReply<BatchResource>> {
    return this.toReply(await this.procedures.call(ResumeBatch, { batchId }, caller), caller);
  }

  /** Stops a batch for good; what is done stays done. */
  @Post('cancel')
  @RepliesWith(BatchResource)
  @HttpCode(200)
  async cancel(
    @Param('id') batchId: string,
    @Body() request: ReasonRequest,
    @CurrentCaller() caller: Caller,
  ): Promise<DataReply<BatchResource>> {
    return this.toReply(await this.procedures.call(CancelBatch, { batchId, ...request }, caller), caller);
  }

  private async toReply(view: BatchView, caller: Caller): Promise<DataReply<BatchResource>> {
    return { success: true, data: await this.contents.resourceOf(view, caller) };
  }
}
