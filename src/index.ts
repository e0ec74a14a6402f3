/** What other code may use of this package: everything else may change without notice. */

// The engine inside an application, or a whole service.
export { BatchwiseModule, type BatchwiseSettings } from './batchwise.module.js';
export { Config, loadConfig } from './config.js';
export { startService, type RunningService, type ServiceOptions } from './service.js';

// Procedures: hand one of the classes below to `Procedures.call`, with its input and who calls; or to `toProcedure`, for CQRS's buses.
export { type Caller, type Dialect, type InputOf, type OutputOf, type Procedure, Procedures, toProcedure } from './common/procedure.js';
export { AppError, type ErrorCode, type FieldError } from './common/app-error.js';
export { ProblemFilter } from './common/problem.filter.js';

export { AddItems, type AddedItems } from './batches/commands/add-items.command.js';
export { CancelBatch } from './batches/commands/cancel-batch.command.js';
export { CleanUpBatches } from './batches/commands/clean-up-batches.command.js';
export { CreateBatch } from './batches/commands/create-batch.command.js';
export { DeleteBatch } from './batches/commands/delete-batch.command.js';
export { PauseBatch } from './batches/commands/pause-batch.command.js';
export { RecordExternalResult } from './batches/commands/record-external-result.command.js';
export { ExternalResult, type RecordedExternalResults, RecordExternalResults } from './batches/commands/record-external-results.command.js';
export { RecordMetrics } from './batches/commands/record-metrics.command.js';
export { ResumeBatch } from './batches/commands/resume-batch.command.js';
export { Idempotency, type KeyedRequest } from './idempotency/idempotency.js';
export { EditItem } from './batches/commands/edit-item.command.js';
export { RetryItems } from './batches/commands/retry-items.command.js';
export { SealBatch } from './batches/commands/seal-batch.command.js';
export { StartBatch } from './batches/commands/start-batch.command.js';
export { UpdateBatch } from './batches/commands/update-batch.command.js';
export { CountItems } from './batches/queries/count-items.query.js';
export { GetBatch } from './batches/queries/get-batch.query.js';
export { GetBatchAnalytics } from './batches/queries/get-batch-analytics.query.js';
export { GetBatchStats } from './batches/queries/get-batch-stats.query.js';
export { GetBatchTotals } from './batches/queries/get-batch-totals.query.js';
export { GetRollback } from './batches/queries/get-rollback.query.js';
export { ListBatches } from './batches/queries/list-batches.query.js';
export { ListEvents } from './batches/queries/list-events.query.js';
export { ListItems } from './batches/queries/list-items.query.js';
export { ListMetrics } from './batches/queries/list-metrics.query.js';
export { ListOutcomes } from './batches/queries/list-outcomes.query.js';
export { UpdateBreaker } from './breakers/commands/update-breaker.command.js';
export { GetBreaker } from './breakers/queries/get-breaker.query.js';
export { ListBreakers } from './breakers/queries/list-breakers.query.js';
export { ImportRecords, type ImportReceipt } from './records/commands/import-records.command.js';
export { PutRecord } from './records/commands/put-record.command.js';
export { RestoreBatch, type RestoreReport } from './records/commands/restore-batch.command.js';
export { DeleteCollection } from './records/commands/delete-collection.command.js';
export { DeleteFile, type DeletedFile } from './records/commands/delete-file.command.js';
export { DeleteRecord } from './records/commands/delete-record.command.js';
export { UploadFile } from './records/commands/upload-file.command.js';
export { UploadFiles } from './records/commands/upload-files.command.js';
export { GetFile } from './records/queries/get-file.query.js';
export { GetRecord } from './records/queries/get-record.query.js';
export { ListCollections } from './records/queries/list-collections.query.js';
export { ListFiles } from './records/queries/list-files.query.js';
export { ListRecords } from './records/queries/list-records.query.js';
export { ReadFile, type ReadableFile } from './records/queries/read-file.query.js';

// What they take and give.
export type { BreakerView } from './breakers/breaker.view.js';
export type { BatchOptions, BatchOptionsInput } from './batches/batch.options.js';
export type { BatchAnalytics, BatchCounts, BatchStats, BatchView, ItemTotals, Page } from './batches/batch.view.js';
export type { ItemView, OutcomeView } from './batches/item.view.js';
export type { RollbackReport } from './batches/rollback.view.js';
export { type ItemSource, itemsFromArray, itemsFromGenerator, itemsFromNdjson } from './batches/item-source.js';
export type { CollectionPage, CollectionView, DeletedRecords, FilePage, FileView, RecordPage, RecordView } from './records/record.view.js';

// Events, for `@EventsHandler`.
export * from './batches/events/batch.events.js';

// Item handlers, the records that they may write, and circuit breakers for the providers that they ask.
export * from './operations/item-handler.js';
export { Threads, type ThreadUser, type ThreadWork } from './threads/threads.js';
export { ThreadsModule } from './threads/threads.module.js';
export { RecordStore } from './records/record-store.js';
export { BreakersModule } from './breakers/breakers.module.js';
export { CircuitBreakers } from './breakers/circuit-breakers.js';
export { ProviderFailure } from './breakers/provider-failure.js';
export { UnusableAnswer } from './breakers/unusable-answer.js';
export { StoresModule } from './records/stores.module.js';

// The documented services. `ServiceInProcess` is for what is made with `new`, where several services run in one process.
export { ServiceInProcess } from './common/running-service.js';
export { BatchProcessor } from './dialects/annotations/batch-processor.facade.js';
export { createRateLimiter } from './dialects/annotations/rate-limiter.js';
export { BatchProcessingService } from './dialects/batch-service/batch-processing-service.js';
export { DocumentProcessingQueueService } from './dialects/documents/document-processing-queue.facade.js';
export { ProcessingJobType } from './dialects/documents/documents.request.js';
export { BatchProcessingFacade } from './dialects/erp/batch-processing.facade.js';

// For tRPC clients.
export type { AppRouter } from './rpc/router.js';
