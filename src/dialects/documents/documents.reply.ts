import type { ProcessingJobStatus } from './documents.request.js';

export class CreatedDocumentJob {
  jobId: string;
  status: ProcessingJobStatus;
  documentCount: number;
  type: string;
  /** What whoever created it should know; left out when there is nothing. */
  warnings?: string[];
}

export class CreatedDocumentJobReply {
  data: CreatedDocumentJob;
  message: string;
}

export class DocumentResult {
  documentId: string;
  success: true;
  /** What was found; its fields depend on the job's type. */
  data: unknown;
  /** Milliseconds of the try that succeeded. */
  processingTime: number | null;
  timestamp: string;
}

export class DocumentError {
  documentId: string;
  error: string;
  /** Tries made. */
  attempts: number;
  timestamp: string;
}

/** A job's options as they are applied; null: none. */
export class DocumentJobOptions {
  maxConcurrent: number;
  timeout: number | null;
  retryAttempts: number;
  retryDelay: number;
}

/** A job without its documents. Times are ISO 8601. */
export class DocumentJobSummary {
  id: string;
  type: string;
  status: ProcessingJobStatus;
  /** Whole percent, 0 to 100; 100 only when every document is done. */
  progress: number;
  createdAt: string;
  startedAt?: string;
  completedAt?: string;
  /** Why it failed, timed out or was cancelled. */
  error?: string;
  /** What whoever created it should know; left out when there is nothing. */
  warnings?: string[];
  options: DocumentJobOptions;
  totalDocuments: number;
  /** Done, however they ended. */
  processedDocuments: number;
  failedDocuments: number;
  /** Milliseconds: mean processing time of those done, times those left. Left out before the first one is done. */
  estimatedTimeRemaining?: number;
}

/** Of each list in the job: how many there are, and where the next page begins. */
export class DocumentJobPagination {
  limit: number;
  offset: number;
  documentIds: number;
  results: number;
  errors: number;
  /** null when all three lists end on this page. */
  nextOffset: number | null;
}

export class DocumentJob extends DocumentJobSummary {
  documentIds: string[];
  /** Of the documents that succeeded, in the order of `documentIds`. */
  results: DocumentResult[];
  /** Of the documents that failed for good, in the order of `documentIds`. */
  errors: DocumentError[];
  pagination: DocumentJobPagination;
}

export class DocumentJobReply {
  data: DocumentJob;
}

export class DocumentJobsPagination {
  total: number;
  limit: number;
  offset: number;
  hasMore: boolean;
}

export class DocumentJobsReply {
  data: DocumentJobSummary[];
  pagination: DocumentJobsPagination;
}

export class CancelledDocumentJobReply {
  message: string;
}
