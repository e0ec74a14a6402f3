import { Module } from '@nestjs/common';
import { BatchesModule } from '../../batches/batches.module.js';
import { ItemHandlersModule } from '../../operations/item-handlers.module.js';
import { BatchChanges } from './batch-changes.js';
import { BatchContents } from './batch-contents.js';
import { BatchJobs } from './batch-jobs.js';
import { BatchProcessingService } from './batch-processing-service.js';

/** The BatchProcessingService, for code in this process; over HTTP it is the native interface. */
@Module({
  imports: [BatchesModule, ItemHandlersModule],
  providers: [BatchProcessingService, BatchChanges, BatchContents, BatchJobs],
  exports: [BatchProcessingService, BatchChanges, BatchContents, BatchJobs],
})
export class BatchServiceModule {}
