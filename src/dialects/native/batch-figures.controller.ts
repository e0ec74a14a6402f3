import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiBody, ApiTags } from '@nestjs/swagger';
import { CurrentCaller } from '../../access/current-caller.js';
import { AuditView, BatchAnalytics } from '../../batches/batch.view.js';
import { RecordMetrics } from '../../batches/commands/record-metrics.command.js';
import { GetBatch } from '../../batches/queries/get-batch.query.js';
import { GetBatchAnalytics } from '../../batches/queries/get-batch-analytics.query.js';
import { GetBatchTotals } from '../../batches/queries/get-batch-totals.query.js';
import { ListAudit } from '../../batches/queries/list-audit.query.js';
import { ListMetrics } from '../../batches/queries/list-metrics.query.js';
import { type Caller, Procedures } from '../../common/procedure.js';
import { GetWaiting } from '../../waiting/queries/get-waiting.query.js';
import { Waiting } from '../../waiting/waiting.view.js';
import { BatchMetrics, BatchStats, SingleBatchStats } from '../batch-service/batch-stats.types.js';
import { toBatchMetrics, toBatchStats, toSingleBatchStats } from '../batch-service/to-batch-stats.js';
import { RecordedMetrics } from './batches.reply.js';
import { ListItemsQuery, ListMetricsQuery, StatsQuery } from './batches.request.js';
import { type DataReply, type PageReply, toPageReply } from './envelope.js';
import { jsonObject } from './json-object.js';
import { RepliesWith, RepliesWithPage } from './reply-schema.js';

/** Figures of all batches, and what happened to one. */
@ApiTags('batches')
@Controller('api/batches')
export class BatchFiguresController {
  constructor(private readonly procedures: Procedures) {}

  /** The tenant's batches and their items, added up. */
  @Get('stats')
  @RepliesWith(BatchStats)
  async stats(@Query() query: StatsQuery, @CurrentCaller() caller: Caller): Promise<DataReply<BatchStats>> {
    return { success: true, data: toBatchStats(await this.procedures.call(GetBatchTotals, query, caller)) };
  }

  /** One batch in figures: items, success, throughput, durations, errors. */
  @Get(':id/stats')
  @RepliesWith(SingleBatchStats)
  async statsOfBatch(@Param('id') batchId: string, @CurrentCaller() caller: Caller): Promise<DataReply<SingleBatchStats>> {
    const view = await this.procedures.call(GetBatch, { batchId }, caller);
    return { success: true, data: toSingleBatchStats(view, await this.procedures.call(GetBatchAnalytics, { batchId }, caller)) };
  }

  /** Durations, quality, errors, and progress over time. */
  @Get(':id/analytics')
  @RepliesWith(BatchAnalytics)
  async analytics(@Param('id') batchId: string, @CurrentCaller() caller: Caller): Promise<DataReply<BatchAnalytics>> {
    return { success: true, data: await this.procedures.call(GetBatchAnalytics, { batchId }, caller) };
  }

  /** Who changed, paused, resumed or stopped the batch, newest first. */
  @Get(':id/audit')
  @RepliesWithPage(AuditView)
  async audit(
    @Param('id') batchId: string,
    @Query() query: ListItemsQuery,
    @CurrentCaller() caller: Caller,
  ): Promise<PageReply<AuditView>> {
    return toPageReply(await this.procedures.call(ListAudit, { batchId, ...query }, caller));
  }

  /** Why its items wait, and when the next of them may start. */
  @Get(':id/waiting')
  @RepliesWith(Waiting)
  async waiting(@Param('id') batchId: string, @CurrentCaller() caller: Caller): Promise<DataReply<Waiting>> {
    return { success: true, data: await this.procedures.call(GetWaiting, { batchId }, caller) };
  }

  /** What the batch and the processes that worked it needed over time, oldest first. */
  @Get(':id/metrics')
  @RepliesWithPage(BatchMetrics)
  async metrics(
    @Param('id') batchId: string,
    @Query() query: ListMetricsQuery,
    @CurrentCaller() caller: Caller,
  ): Promise<PageReply<BatchMetrics>> {
    const page = await this.procedures.call(ListMetrics, { batchId, ...query }, caller);
    return toPageReply({ ...page, rows: page.rows.map((metric) => toBatchMetrics(batchId, metric)) });
  }

  /** Keeps figures that the caller measured: a JSON object of at most 8 kB. */
  @Post(':id/metrics')
  @RepliesWith(RecordedMetrics)
  @HttpCode(200)
  @ApiBody({ schema: { type: 'object', additionalProperties: true } })
  async recordMetrics(
    @Param('id') batchId: string,
    @Body() body: unknown,
    @CurrentCaller() caller: Caller,
  ): Promise<DataReply<RecordedMetrics>> {
    await this.procedures.call(RecordMetrics, { batchId, metrics: jsonObject(body) }, caller);
    return { success: true, data: { recorded: true } };
  }
}
