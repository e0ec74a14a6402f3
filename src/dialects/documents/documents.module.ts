import { Module } from '@nestjs/common';
import { BatchesModule } from '../../batches/batches.module.js';
import { DocumentJobEvents } from './document-job-events.js';
import { DocumentProcessingQueueService } from './document-processing-queue.facade.js';
import { DocumentsController } from './documents.controller.js';

/** The interface of the document system: `/api/v1/documents/batch-process`, and `DocumentProcessingQueueService` for code in this process. */
@Module({
  imports: [BatchesModule],
  controllers: [DocumentsController],
  providers: [DocumentProcessingQueueService, DocumentJobEvents],
  exports: [DocumentProcessingQueueService],
})
export class DocumentsModule {}
