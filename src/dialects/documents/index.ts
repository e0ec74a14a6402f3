/** The document processing queue for code in the same process: its methods, events and types. */
export { DocumentProcessingQueueService } from './document-processing-queue.facade.js';
export { type ProcessingJobOptions, type ProcessingJobStatus, ProcessingJobType } from './documents.request.js';
export type { DocumentError, DocumentJob, DocumentJobSummary, DocumentResult } from './documents.reply.js';
export type * from './document-job-events.js';
