import { Controller, Get, Param, Post, Query, Req, UseGuards } from '@nestjs/common';
import { ApiBody, ApiConsumes, ApiTags } from '@nestjs/swagger';
import type { FastifyRequest } from 'fastify';
import { LimitCreation } from '../../access/creation-limit.js';
import { CurrentCaller } from '../../access/current-caller.js';
import type { ItemView, OutcomeView } from '../../batches/item.view.js';
import { GetBatch } from '../../batches/queries/get-batch.query.js';
import { ListBatches } from '../../batches/queries/list-batches.query.js';
import { ListItems } from '../../batches/queries/list-items.query.js';
import { ListOutcomes } from '../../batches/queries/list-outcomes.query.js';
import { type Caller, Procedures } from '../../common/procedure.js';
import { ReceiveUpload } from '../../records/commands/receive-upload.command.js';
import { formParts } from './form-parts.js';
import { fromUploadStatus, toUploadDetails, toUploadJob } from './upload-job.js';
import { UploadsEnabledGuard } from './uploads-enabled.guard.js';
import { AcceptedUploadReply, UploadJobReply, UploadJobsReply } from './uploads.reply.js';
import { UploadJobsQuery } from './uploads.request.js';
import { nonEmpty } from '../../common/non-empty.js';

const MAX_FILES_SHOWN = 1_000;

const FORM = {
  type: 'object',
  required: ['file'],
  properties: {
    file: { type: 'array', items: { type: 'string', format: 'binary' } },
    priority: { type: 'string', enum: ['high', 'normal', 'low'], default: 'normal' },
    user_id: { type: 'string' },
  },
};

/** Uploads of many files, and how far they are read. The list shows the uploads made here; an id finds any batch of the tenant. */
@ApiTags('uploads')
@Controller('api/batch')
@UseGuards(UploadsEnabledGuard)
export class UploadsController {
  constructor(private readonly procedures: Procedures) {}

  /** Takes PDF, Excel (.xlsx, .xlsm) and CSV files in the repeated field `file`, and starts to read them. All of them or none. */
  @Post('upload')
  @LimitCreation()
  @ApiConsumes('multipart/form-data')
  @ApiBody({ schema: FORM })
  async upload(@Req() request: FastifyRequest, @CurrentCaller('uploads') caller: Caller): Promise<AcceptedUploadReply> {
    const { batch, files } = await this.procedures.call(ReceiveUpload, { parts: formParts(request), address: request.ip }, caller);
    const accepted = files.map(({ id, name, size }) => ({ id, filename: name, fileSize: size, status: 'pending' as const }));
    const data = {
      batchId: batch.id,
      totalFiles: files.length,
      status: 'pending' as const,
      files: accepted,
      warnings: nonEmpty(batch.warnings),
    };
    return { success: true, data };
  }

  /** Finds uploads, newest first. */
  @Get('jobs')
  async list(@Query() query: UploadJobsQuery, @CurrentCaller('uploads') caller: Caller): Promise<UploadJobsReply> {
    const { limit, offset, userId } = query;
    const status = query.status && fromUploadStatus(query.status);
    const page = await this.procedures.call(ListBatches, { dialect: 'uploads', status, createdBy: userId, limit, offset }, caller);
    const { rows, ...pagination } = page;
    return { success: true, data: rows.map(toUploadJob), pagination };
  }

  /** One upload with its files as they are now, and what was read in those that are done. */
  @Get('jobs/:id')
  async get(@Param('id') batchId: string, @CurrentCaller('uploads') caller: Caller): Promise<UploadJobReply> {
    // In this order: what is read later is as far as the batch, or farther.
    const batch = await this.procedures.call(GetBatch, { batchId }, caller);
    const items = await this.items(batchId, caller);
    const outcomes = await this.outcomes(batchId, items, caller);
    return { success: true, data: toUploadDetails(batch, items, outcomes) };
  }

  /** A page ends early when its payloads are large; the next one goes on. */
  private async items(batchId: string, caller: Caller): Promise<ItemView[]> {
    const items: ItemView[] = [];
    for (let more = true; more && items.length < MAX_FILES_SHOWN;) {
      const limit = MAX_FILES_SHOWN - items.length;
      const { rows, hasMore } = await this.procedures.call(ListItems, { batchId, offset: items.length, limit }, caller);
      items.push(...rows);
      more = hasMore && rows.length > 0;
    }
    return items;
  }

  private async outcomes(batchId: string, items: ItemView[], caller: Caller): Promise<OutcomeView[]> {
    const outcomes: OutcomeView[] = [];
    for (let more = items.length > 0; more && outcomes.length < MAX_FILES_SHOWN;) {
      const limit = MAX_FILES_SHOWN - outcomes.length;
      const { rows, hasMore } = await this.procedures.call(ListOutcomes, { batchId, offset: outcomes.length, limit }, caller);
      outcomes.push(...rows);
      more = hasMore && rows.length > 0;
    }
    return outcomes;
  }
}
