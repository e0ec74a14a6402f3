import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { LimitCreation } from '../../access/creation-limit.js';
import { CurrentCaller } from '../../access/current-caller.js';
import { CancelBatch } from '../../batches/commands/cancel-batch.command.js';
import { ListBatches } from '../../batches/queries/list-batches.query.js';
import { type Caller, Procedures } from '../../common/procedure.js';
import { createJob } from './create-job.js';
import { fromJobStatus, toJobSummary } from './document-job.js';
import { CancelledDocumentJobReply, CreatedDocumentJobReply, DocumentJobReply, DocumentJobsReply } from './documents.reply.js';
import { CreateDocumentJobRequest, DocumentJobQuery, ListDocumentJobsQuery } from './documents.request.js';
import { readJob } from './read-job.js';

/** Jobs that read documents. The list shows the jobs made here; an id finds any batch of the tenant. */
@ApiTags('Document jobs')
@Controller('api/v1/documents/batch-process')
export class DocumentsController {
  constructor(private readonly procedures: Procedures) {}

  /** Creates a job; it starts by itself. */
  @Post()
  @LimitCreation()
  async create(@Body() request: CreateDocumentJobRequest, @CurrentCaller('documents') caller: Caller): Promise<CreatedDocumentJobReply> {
    return { data: await createJob(this.procedures, request, caller), message: 'Batch processing job created successfully' };
  }

  /** The jobs, newest first. */
  @Get()
  async list(@Query() query: ListDocumentJobsQuery, @CurrentCaller('documents') caller: Caller): Promise<DocumentJobsReply> {
    const { status, limit, offset } = query;
    const input = { dialect: 'documents' as const, status: status && fromJobStatus(status), limit, offset };
    const { rows, ...pagination } = await this.procedures.call(ListBatches, input, caller);
    return { data: rows.map(toJobSummary), pagination };
  }

  /** One job as it is now, with its results and errors so far. */
  @Get(':jobId')
  async get(
    @Param('jobId') jobId: string,
    @Query() query: DocumentJobQuery,
    @CurrentCaller('documents') caller: Caller,
  ): Promise<DocumentJobReply> {
    return { data: await readJob(this.procedures, { jobId, ...query }, caller) };
  }

  /** Stops a job for good: documents in work finish, the others never start. A job that has ended answers 409. */
  @Post(':jobId/cancel')
  @HttpCode(200)
  async cancel(@Param('jobId') jobId: string, @CurrentCaller('documents') caller: Caller): Promise<CancelledDocumentJobReply> {
    await this.procedures.call(CancelBatch, { batchId: jobId }, caller);
    return { message: 'Job cancelled successfully' };
  }
}
