import { Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { CurrentCaller } from '../../access/current-caller.js';
import { AppError } from '../../common/app-error.js';
import type { Caller } from '../../common/procedure.js';
import { Idempotent } from '../../idempotency/idempotency.interceptor.js';
import { BatchJobs } from '../batch-service/batch-jobs.js';
import { BatchJob } from '../batch-service/batch-service.types.js';
import { ListItemsQuery } from './batches.request.js';
import { type DataReply, type PageReply, toPageReply } from './envelope.js';
import { RepliesWith, RepliesWithPage } from './reply-schema.js';

/** A batch's items as jobs. */
@ApiTags('batches')
@Controller('api/batches')
export class BatchJobsController {
  constructor(private readonly jobs: BatchJobs) {}

  /** Jobs in the order of the batch's data, each with its state and result. */
  @Get(':id/jobs')
  @RepliesWithPage(BatchJob)
  async list(@Param('id') batchId: string, @Query() query: ListItemsQuery, @CurrentCaller() caller: Caller): Promise<PageReply<BatchJob>> {
    return toPageReply(await this.jobs.list(batchId, query, caller));
  }

  /** Tries one failed job once more: 409 when it has not failed, has no tries left, or its batch has not ended. */
  @Post('jobs/:jobId/retry')
  @Idempotent()
  @RepliesWith(BatchJob)
  @HttpCode(200)
  async retry(@Param('jobId') jobId: string, @CurrentCaller() caller: Caller): Promise<DataReply<BatchJob>> {
    return { success: true, data: await this.jobs.retry(await this.jobs.find(jobId, caller), caller) };
  }

  /** The same, below its batch. */
  @Post(':id/jobs/:jobId/retry')
  @Idempotent()
  @RepliesWith(BatchJob)
  @HttpCode(200)
  async retryOfBatch(
    @Param('id') batchId: string,
    @Param('jobId') jobId: string,
    @CurrentCaller() caller: Caller,
  ): Promise<DataReply<BatchJob>> {
    const job = await this.jobs.find(jobId, caller);
    if (job.batchId !== batchId) throw new AppError('NOT_FOUND', `job ${jobId} is not one of batch ${batchId}`);
    return { success: true, data: await this.jobs.retry(job, caller) };
  }
}
