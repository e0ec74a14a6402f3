import { Controller, Get, Param, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { CurrentCaller } from '../../access/current-caller.js';
import type { Caller } from '../../common/procedure.js';
import { BatchJobs } from '../batch-service/batch-jobs.js';
import type { BatchJob } from '../batch-service/batch-service.types.js';
import { ListItemsQuery } from './batches.request.js';
import { type PageReply, toPageReply } from './envelope.js';

/** A batch's items as jobs. */
@ApiTags('batches')
@Controller('api/batches')
export class BatchJobsController {
  constructor(private readonly jobs: BatchJobs) {}

  /** Jobs in the order of the batch's data, each with its state and result. */
  @Get(':id/jobs')
  async list(@Param('id') batchId: string, @Query() query: ListItemsQuery, @CurrentCaller() caller: Caller): Promise<PageReply<BatchJob>> {
    return toPageReply(await this.jobs.list(batchId, query, caller));
  }
}
