import type { Config } from '../../config.js';

/** What images in a minute and side by side a caller may have. */
export type AnnotationTier = Config['annotationTier'];

export type BatchJobStatus = 'pending' | 'processing' | 'completed' | 'failed' | 'cancelled';

/** Answer to the start of a job. */
export class BatchJobStarted {
  jobId: string;
  status: BatchJobStatus;
  /** Images, as many as ids were given. */
  total: number;
  tier: AnnotationTier;
  /** Images side by side, as it was applied. */
  concurrency: number;
  /** Images that may start in a minute, as it was applied. */
  rateLimitPerMinute: number;
  /** What the rate alone makes of it; the first minute's worth may start at once. */
  estimatedDurationMinutes: number;
  /** What whoever started it should know; left out when there is nothing. */
  warnings?: string[];
}

export class BatchJobCounts {
  total: number;
  /** successful + failed */
  processed: number;
  successful: number;
  failed: number;
  /** Whole percent, 0 to 100, floored; 100 only when every image is done. */
  percentage: number;
}

/** Why an image failed, after its last try. */
export class BatchJobError {
  itemId: string;
  error: string;
  /** Tries made. */
  attemptNumber: number;
}

/** A job as it is now. Times are ISO 8601. */
export class BatchJobProgress {
  jobId: string;
  status: BatchJobStatus;
  progress: BatchJobCounts;
  /** One for each failed image, in the order of the ids; at most 10,000. */
  errors: BatchJobError[];
  /** Failed images, also those whose errors are not listed here. */
  errorsTotal: number;
  /** The `errorsOffset` of the next ones; left out when these are the last. */
  nextErrorsOffset?: number;
  /** Milliseconds; left out when unknown, and at the end. */
  estimatedTimeRemaining?: number;
  /** Only while it is paused; its status then still reads "processing". */
  paused?: boolean;
  /** Why the whole job failed or was cancelled. */
  reason?: string;
  /** What whoever started it should know; left out when there is nothing. */
  warnings?: string[];
  concurrency: number;
  createdAt: string;
  startedAt?: string;
  completedAt?: string;
}

/** A job in a list. */
export class BatchJob {
  id: string;
  status: BatchJobStatus;
  processedItems: number;
  totalItems: number;
  failedItems: number;
  percentage: number;
  createdAt: string;
  /** When it began, or was made if it did not. */
  startedAt: string;
}

export class ActiveJobsReply {
  /** Newest first. */
  jobs: BatchJob[];
  /** Active jobs, also those not listed here. */
  total: number;
  limit: number;
  offset: number;
  hasMore: boolean;
}

/** Images over all jobs of the tenant. */
export class JobStatsReply {
  activeJobs: number;
  /** Images of active jobs that are not done yet. */
  totalProcessing: number;
  totalSuccessful: number;
  totalFailed: number;
  /** Images of cancelled jobs that were not worked. */
  totalCancelled: number;
}

export class CancelJobReply {
  jobId: string;
  status: BatchJobStatus;
  /** Always has the word "cancelled" in it, also when the job had ended before. */
  message: string;
  /** Whether this call is what ended the job. */
  cancelled: boolean;
}
