import { Module } from '@nestjs/common';
import { Procedures } from '../common/procedure.js';
import { ServiceInProcess } from '../common/running-service.js';
import { ItemHandlersModule } from '../operations/item-handlers.module.js';
import { BatchPlanner } from './batch-planner.js';
import { AddItemsHandler } from './commands/add-items.command.js';
import { CancelBatchHandler } from './commands/cancel-batch.command.js';
import { CleanUpBatchesHandler } from './commands/clean-up-batches.command.js';
import { CreateBatchHandler } from './commands/create-batch.command.js';
import { DeleteBatchHandler } from './commands/delete-batch.command.js';
import { EditItemHandler } from './commands/edit-item.command.js';
import { PauseBatchHandler } from './commands/pause-batch.command.js';
import { RecordMetricsHandler } from './commands/record-metrics.command.js';
import { RecordExternalResultHandler } from './commands/record-external-result.command.js';
import { RecordExternalResultsHandler } from './commands/record-external-results.command.js';
import { ResumeBatchHandler } from './commands/resume-batch.command.js';
import { RetryItemsHandler } from './commands/retry-items.command.js';
import { SealBatchHandler } from './commands/seal-batch.command.js';
import { StartBatchHandler } from './commands/start-batch.command.js';
import { UpdateBatchHandler } from './commands/update-batch.command.js';
import { BatchEventPublisher } from './events/batch-event-publisher.js';
import { ItemPayloads } from './item-payloads.js';
import { CountItemsHandler } from './queries/count-items.query.js';
import { FindOutputsHandler } from './queries/find-outputs.query.js';
import { GetBatchAnalyticsHandler } from './queries/get-batch-analytics.query.js';
import { GetBatchStatsHandler } from './queries/get-batch-stats.query.js';
import { GetBatchTotalsHandler } from './queries/get-batch-totals.query.js';
import { GetRollbackHandler } from './queries/get-rollback.query.js';
import { GetBatchHandler } from './queries/get-batch.query.js';
import { ListAuditHandler } from './queries/list-audit.query.js';
import { GetItemHistoryHandler } from './queries/get-item-history.query.js';
import { ListBatchesHandler } from './queries/list-batches.query.js';
import { ListEventsHandler } from './queries/list-events.query.js';
import { ListItemsHandler } from './queries/list-items.query.js';
import { ListMetricsHandler } from './queries/list-metrics.query.js';
import { ListOutcomesHandler } from './queries/list-outcomes.query.js';
import { PreviewBatchesHandler } from './queries/preview-batches.query.js';

const COMMANDS = [
  AddItemsHandler,
  CancelBatchHandler,
  CleanUpBatchesHandler,
  CreateBatchHandler,
  DeleteBatchHandler,
  EditItemHandler,
  PauseBatchHandler,
  RecordExternalResultHandler,
  RecordExternalResultsHandler,
  RecordMetricsHandler,
  ResumeBatchHandler,
  RetryItemsHandler,
  SealBatchHandler,
  StartBatchHandler,
  UpdateBatchHandler,
];

const QUERIES = [
  CountItemsHandler,
  FindOutputsHandler,
  GetBatchAnalyticsHandler,
  GetBatchHandler,
  GetBatchStatsHandler,
  GetBatchTotalsHandler,
  ListAuditHandler,
  GetRollbackHandler,
  GetItemHistoryHandler,
  ListBatchesHandler,
  ListEventsHandler,
  ListItemsHandler,
  ListMetricsHandler,
  ListOutcomesHandler,
  PreviewBatchesHandler,
];

/** The engine's procedures. Whoever imports it may call them through {@link Procedures}. */
@Module({
  imports: [ItemHandlersModule],
  providers: [Procedures, ServiceInProcess, BatchPlanner, BatchEventPublisher, ItemPayloads, ...COMMANDS, ...QUERIES],
  exports: [Procedures, BatchEventPublisher],
})
export class BatchesModule {}
