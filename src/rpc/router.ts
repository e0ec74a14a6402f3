import { CancelBatch } from '../batches/commands/cancel-batch.command.js';
import { CleanUpBatches } from '../batches/commands/clean-up-batches.command.js';
import { CreateBatch } from '../batches/commands/create-batch.command.js';
import { DeleteBatch } from '../batches/commands/delete-batch.command.js';
import { EditItem } from '../batches/commands/edit-item.command.js';
import { PauseBatch } from '../batches/commands/pause-batch.command.js';
import { RecordExternalResult } from '../batches/commands/record-external-result.command.js';
import { RecordExternalResults } from '../batches/commands/record-external-results.command.js';
import { RecordMetrics } from '../batches/commands/record-metrics.command.js';
import { ResumeBatch } from '../batches/commands/resume-batch.command.js';
import { RetryItems } from '../batches/commands/retry-items.command.js';
import { SealBatch } from '../batches/commands/seal-batch.command.js';
import { StartBatch } from '../batches/commands/start-batch.command.js';
import { UpdateBatch } from '../batches/commands/update-batch.command.js';
import { CountItems } from '../batches/queries/count-items.query.js';
import { GetBatchAnalytics } from '../batches/queries/get-batch-analytics.query.js';
import { GetBatchStats } from '../batches/queries/get-batch-stats.query.js';
import { GetBatchTotals } from '../batches/queries/get-batch-totals.query.js';
import { GetBatch } from '../batches/queries/get-batch.query.js';
import { ListAudit } from '../batches/queries/list-audit.query.js';
import { GetRollback } from '../batches/queries/get-rollback.query.js';
import { GetItemHistory } from '../batches/queries/get-item-history.query.js';
import { ListBatches } from '../batches/queries/list-batches.query.js';
import { ListEvents } from '../batches/queries/list-events.query.js';
import { ListItems } from '../batches/queries/list-items.query.js';
import { ListMetrics } from '../batches/queries/list-metrics.query.js';
import { ListOutcomes } from '../batches/queries/list-outcomes.query.js';
import { UpdateBreaker } from '../breakers/commands/update-breaker.command.js';
import { GetBreaker } from '../breakers/queries/get-breaker.query.js';
import { ListBreakers } from '../breakers/queries/list-breakers.query.js';
import { DeleteCollection } from '../records/commands/delete-collection.command.js';
import { DeleteFile } from '../records/commands/delete-file.command.js';
import { DeleteRecord } from '../records/commands/delete-record.command.js';
import { ImportRecords } from '../records/commands/import-records.command.js';
import { PutRecord } from '../records/commands/put-record.command.js';
import { RestoreBatch } from '../records/commands/restore-batch.command.js';
import { GetFile } from '../records/queries/get-file.query.js';
import { GetRecord } from '../records/queries/get-record.query.js';
import { ListCollections } from '../records/queries/list-collections.query.js';
import { ListFiles } from '../records/queries/list-files.query.js';
import { ListRecords } from '../records/queries/list-records.query.js';
import { GetItemWaiting } from '../waiting/queries/get-item-waiting.query.js';
import { GetWaiting } from '../waiting/queries/get-waiting.query.js';
import { additionOfItems, creation, mutation, onceMutation, query, router, subscription } from './rpc.js';

/** The whole typed interface: each line is a command or query, whose class says what goes in and what comes out. */
export const appRouter = router({
  batch: router({
    create: creation(CreateBatch),
    addItems: additionOfItems,
    start: mutation(StartBatch),
    seal: mutation(SealBatch),
    pause: mutation(PauseBatch),
    resume: mutation(ResumeBatch),
    cancel: mutation(CancelBatch),
    update: mutation(UpdateBatch),
    retryItems: onceMutation(RetryItems),
    editItem: mutation(EditItem),
    restore: onceMutation(RestoreBatch),
    recordResult: mutation(RecordExternalResult),
    recordResults: mutation(RecordExternalResults),
    recordMetrics: mutation(RecordMetrics),
    delete: mutation(DeleteBatch),
    cleanUp: mutation(CleanUpBatches),
    get: query(GetBatch),
    list: query(ListBatches),
    items: query(ListItems),
    itemHistory: query(GetItemHistory),
    outcomes: query(ListOutcomes),
    events: query(ListEvents),
    audit: query(ListAudit),
    waiting: query(GetWaiting),
    itemWaiting: query(GetItemWaiting),
    analytics: query(GetBatchAnalytics),
    metrics: query(ListMetrics),
    stats: query(GetBatchStats),
    totals: query(GetBatchTotals),
    countItems: query(CountItems),
    rollback: query(GetRollback),
    onEvent: subscription,
  }),
  breakers: router({
    list: query(ListBreakers),
    get: query(GetBreaker),
    update: mutation(UpdateBreaker),
  }),
  records: router({
    import: creation(ImportRecords),
    put: mutation(PutRecord),
    get: query(GetRecord),
    list: query(ListRecords),
    delete: mutation(DeleteRecord),
    collections: query(ListCollections),
    deleteCollection: mutation(DeleteCollection),
  }),
  files: router({
    get: query(GetFile),
    list: query(ListFiles),
    delete: mutation(DeleteFile),
  }),
});

/** For clients: `import type { AppRouter }`. */
export type AppRouter = typeof appRouter;
