import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { LimitCreation } from '../../access/creation-limit.js';
import { CurrentCaller } from '../../access/current-caller.js';
import { CountItems } from '../../batches/queries/count-items.query.js';
import { ListBatches } from '../../batches/queries/list-batches.query.js';
import { type Caller, Procedures } from '../../common/procedure.js';
import { Config } from '../../config.js';
import { AnnotationJobs } from './annotation-jobs.js';
import { ActiveJobsReply, BatchJobProgress, BatchJobStarted, CancelJobReply, JobStatsReply } from './annotations.reply.js';
import { ActiveJobsQuery, CreateBatchJobRequest, JobStatusQuery } from './annotations.request.js';
import { toBatchJob, toJobStats } from './batch-job.js';

const MAX_ACTIVE = 100;

/** Jobs that annotate images. The list and the figures show the jobs made here; an id finds any batch of the tenant. */
@ApiTags('image annotations')
@Controller('api/batch/annotations')
export class AnnotationsController {
  constructor(
    private readonly jobs: AnnotationJobs,
    private readonly procedures: Procedures,
    private readonly config: Config,
  ) {}

  /** Starts a job over the images. */
  @Post('start')
  @LimitCreation()
  start(@Body() request: CreateBatchJobRequest, @CurrentCaller('annotations') caller: Caller): Promise<BatchJobStarted> {
    return this.jobs.start(request, this.config.annotationTier, caller);
  }

  /** Jobs that have not ended, newest first. */
  @Get('active')
  async active(@Query() query: ActiveJobsQuery, @CurrentCaller('annotations') caller: Caller): Promise<ActiveJobsReply> {
    const limit = Math.min(query.limit ?? MAX_ACTIVE, MAX_ACTIVE);
    const where = { dialect: 'annotations' as const, status: ['pending' as const, 'running' as const, 'paused' as const] };
    const { rows, ...page } = await this.procedures.call(ListBatches, { ...where, limit, offset: query.offset }, caller);
    return { jobs: rows.map(toBatchJob), ...page };
  }

  /** Images over all jobs, by what became of them. */
  @Get('stats')
  async stats(@CurrentCaller('annotations') caller: Caller): Promise<JobStatsReply> {
    return toJobStats(await this.procedures.call(CountItems, { dialect: 'annotations' }, caller));
  }

  /** One job as it is now. */
  @Get(':jobId/status')
  status(
    @Param('jobId') jobId: string,
    @Query() query: JobStatusQuery,
    @CurrentCaller('annotations') caller: Caller,
  ): Promise<BatchJobProgress> {
    return this.jobs.progress(jobId, query, caller);
  }

  /** Stops a job for good; what is done stays done. One that has ended stays as it ended, and the message says so. */
  @Post(':jobId/cancel')
  @HttpCode(200)
  cancel(@Param('jobId') jobId: string, @CurrentCaller('annotations') caller: Caller): Promise<CancelJobReply> {
    return this.jobs.cancel(jobId, caller);
  }
}
