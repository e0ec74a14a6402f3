import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import { LimitCreation } from '../../access/creation-limit.js';
import { CurrentCaller } from '../../access/current-caller.js';
import { CancelBatch } from '../../batches/commands/cancel-batch.command.js';
import { CleanUpBatches } from '../../batches/commands/clean-up-batches.command.js';
import { CreateBatch } from '../../batches/commands/create-batch.command.js';
import { GetBatch } from '../../batches/queries/get-batch.query.js';
import { GetBatchAnalytics } from '../../batches/queries/get-batch-analytics.query.js';
import { GetBatchStats } from '../../batches/queries/get-batch-stats.query.js';
import { ListBatches } from '../../batches/queries/list-batches.query.js';
import { type Caller, Procedures } from '../../common/procedure.js';
import { toInstant } from '../../common/query-fields.js';
import { Config } from '../../config.js';
import { fromErpStatus, toErpBatch, toErpStats } from './erp-batch.js';
import { inErpWords, toCreateInput } from './erp-create.js';
import { listEnded } from '../ended-items.js';
import { toErpResults, toErpVisualization } from './erp-results.js';
import {
  ErpBatchReply,
  ErpCleanupReply,
  ErpCreatedReply,
  ErpHistoryReply,
  ErpMessageReply,
  ErpResultsReply,
  ErpStatsReply,
  ErpVisualizationReply,
} from './erp.reply.js';
import { CreateErpBatchRequest, ErpCleanupQuery, ErpCleanupRequest, ErpHistoryQuery, ErpResultsQuery } from './erp.request.js';
import { nonEmpty } from '../../common/non-empty.js';

const HISTORY_LIMIT = 50;
const MAX_HISTORY_LIMIT = 100;
const MAX_RESULTS = 10_000;

/** Batches as the ERP module knows them. Lists and counts show the batches made here; an id finds any batch of the tenant. */
@ApiTags('ERP batches')
@Controller('api/batch')
export class ErpBatchController {
  constructor(
    private readonly procedures: Procedures,
    private readonly config: Config,
  ) {}

  /** Creates a batch. It starts by itself; with `options.externalResults` by its first recorded result. `warnings` names what has no effect. */
  @Post('create')
  @LimitCreation()
  async create(@Body() request: CreateErpBatchRequest, @CurrentCaller('erp') caller: Caller): Promise<ErpCreatedReply> {
    const batch = await inErpWords(() => this.procedures.call(CreateBatch, toCreateInput(request), caller));
    return { success: true, batch: toErpBatch(batch), warnings: nonEmpty(batch.warnings) };
  }

  /** Finds batches, newest first. */
  @Get('history')
  async history(@Query() query: ErpHistoryQuery, @CurrentCaller('erp') caller: Caller): Promise<ErpHistoryReply> {
    const { limit = HISTORY_LIMIT, offset = 0, ...where } = query;
    const filter = { ...where, limit: Math.min(limit, MAX_HISTORY_LIMIT), offset };
    const input = {
      ...filter,
      dialect: 'erp' as const,
      status: query.status && fromErpStatus(query.status),
      createdAfter: query.createdAfter && toInstant(query.createdAfter),
      createdBefore: query.createdBefore && toInstant(query.createdBefore),
    };
    const page = await this.procedures.call(ListBatches, input, caller);
    const batches = page.rows.map(toErpBatch);
    return { success: true, batches, count: batches.length, total: page.total, hasMore: page.hasMore, filter };
  }

  /** Counts batches by status and operation. */
  @Get('stats')
  async stats(@CurrentCaller('erp') caller: Caller): Promise<ErpStatsReply> {
    return { success: true, stats: toErpStats(await this.procedures.call(GetBatchStats, { dialect: 'erp' }, caller)) };
  }

  /** Removes finished batches older than a number of days, given in the body, in the query, or by the service's retention time. */
  @Delete('cleanup')
  async cleanUp(
    @Body() request: ErpCleanupRequest,
    @Query() query: ErpCleanupQuery,
    @CurrentCaller('erp') caller: Caller,
  ): Promise<ErpCleanupReply> {
    const daysToKeep = request.daysToKeep ?? query.daysToKeep ?? this.config.batchRetentionDays;
    const { deleted } = await this.procedures.call(CleanUpBatches, { olderThanDays: daysToKeep, dialect: 'erp' }, caller);
    return { success: true, deleted, daysToKeep };
  }

  /** One batch as it is now. */
  @Get(':id')
  async get(@Param('id') batchId: string, @CurrentCaller('erp') caller: Caller): Promise<ErpBatchReply> {
    return { success: true, batch: toErpBatch(await this.procedures.call(GetBatch, { batchId }, caller)) };
  }

  /** A batch's results so far, with a summary of all of them. */
  @Get(':id/results')
  async results(
    @Param('id') batchId: string,
    @Query() query: ErpResultsQuery,
    @CurrentCaller('erp') caller: Caller,
  ): Promise<ErpResultsReply> {
    const batch = await this.procedures.call(GetBatch, { batchId }, caller);
    const analytics = await this.procedures.call(GetBatchAnalytics, { batchId }, caller);
    const limit = Math.min(query.limit ?? MAX_RESULTS, MAX_RESULTS);
    const { rows, ...pagination } = await listEnded(this.procedures, batch, { limit, offset: query.offset ?? 0 }, caller);
    return { success: true, batch: toErpResults(batch, rows, analytics), pagination };
  }

  /** Figures for charts: errors, quality, durations, progress over time. */
  @Get(':id/viz')
  async visualization(@Param('id') batchId: string, @CurrentCaller('erp') caller: Caller): Promise<ErpVisualizationReply> {
    return { success: true, visualization: toErpVisualization(await this.procedures.call(GetBatchAnalytics, { batchId }, caller)) };
  }

  /** Stops a batch for good; what is done stays done. A batch that has ended answers 409. */
  @Post(':id/cancel')
  @HttpCode(200)
  async cancel(@Param('id') batchId: string, @CurrentCaller('erp') caller: Caller): Promise<ErpMessageReply> {
    await this.procedures.call(CancelBatch, { batchId }, caller);
    return { success: true, message: 'Batch cancelled successfully' };
  }
}
