import type { BatchOptionsInput } from '../../batches/batch.options.js';
import { ApiSchema } from '@nestjs/swagger';
import type { BackupStrategy, ConflictResolution } from '../../batches/batch.options.js';
import { RollbackView } from '../../batches/rollback.view.js';
import { AnyJson, AnyJsonList, OptionalAnyJson } from '../../common/any-json.js';

/** `retrying`: nothing is left but items that wait for another try. A batch that ran out of time reads `failed`; its errors say why. */
export type BatchStatus = 'pending' | 'running' | 'completed' | 'failed' | 'paused' | 'cancelled' | 'retrying';

/** `skipped`: there was nothing to do for it, or its batch was stopped before it was done (`error` says so). */
export type JobStatus = 'pending' | 'running' | 'completed' | 'failed' | 'retrying' | 'skipped';

export const BATCH_PRIORITIES = ['low', 'medium', 'high', 'critical'] as const;
export type BatchPriority = (typeof BATCH_PRIORITIES)[number];

export type ErrorSeverity = 'low' | 'medium' | 'high' | 'critical';

/** Which `batch.notification` messages are sent to the tenant's sockets. */
export class NotificationSettings {
  onStart?: boolean;
  onComplete?: boolean;
  onError?: boolean;
  /** Whenever another so many percent are done; null for never. */
  progressInterval?: number | null;
}

export class ResourceLimits {
  /** MB that its items at work in one process may take together; 422 for an operation that does not work in threads. */
  maxMemory?: number | null;
  /** Percent of one core that its items may use in one process, over a longer time; 422 for such an operation too. */
  maxCpu?: number | null;
  /** Seconds that the whole batch may take; null for no limit. */
  timeout?: number | null;
}

/** A batch's settings: as given in a request, and in a reply as they are in effect. */
export class BatchConfig {
  /** Items side by side; more than 1,000 is taken as 1,000. */
  maxConcurrentJobs?: number;
  /** Tries after the first. */
  retryAttempts?: number;
  /** Milliseconds that one try of one item may take. */
  timeoutPerTemplate?: number;
  /** Take back what the batch changed in records when it fails. */
  rollbackOnFailure?: boolean;
  /** auto: records are saved before the batch changes them. */
  backupStrategy?: BackupStrategy;
  /** What happens to a record that is there already, or changes meanwhile; auto: the operation's own way. */
  conflictResolution?: ConflictResolution;
  notificationSettings?: NotificationSettings;
  resourceLimits?: ResourceLimits;
  /** What the operation's item handler wants to know. */
  parameters?: Record<string, unknown>;
}

export interface CreateBatchRequest {
  name: string;
  description?: string;
  /** The operation. Without an item handler for it, or without a type, results are recorded from outside. */
  type?: string;
  /** One item each, any JSON. */
  data: unknown[];
  priority?: BatchPriority;
  config?: BatchConfig;
}

export interface UpdateBatchRequest {
  name?: string;
  /** null: none */
  description?: string | null;
  /** Until the batch has ended. */
  priority?: BatchPriority;
  /**
   * Until the batch has ended; what a run began with (rollback, backup, conflicts) only while it is pending. What it does not name stays
   * as it is.
   */
  config?: BatchConfig;
  /** The same in the service's own words, for settings that `config` has no name for. */
  options?: BatchOptionsInput;
  /** running: start or go on; paused; cancelled; retrying: repeat the failed items of a batch that has ended. */
  status?: BatchStatus;
}

/** One item that failed; or, without a `jobId`, what ended the batch itself. */
export class BatchError {
  jobId?: string;
  /** From 0. */
  itemIndex?: number;
  message: string;
  severity: ErrorSeverity;
  context: { key?: string; attempts?: number; kind: string };
  /** Where a handler threw it, of the first failures. Not in lists, and not shown to the bearer of a token. */
  stack?: string;
  timestamp: Date;
}

export class BatchSummary {
  total: number;
  /** Successful and skipped of the finished items, 0 to 1. */
  successRate: number;
  /** Mean milliseconds of an item; null when none was timed. */
  averageDuration: number | null;
  /** Milliseconds from start to end; of a batch whose failed items were repeated, of the last repeat. */
  duration: number;
  /** Finished items a second; null when failed items were repeated. */
  throughput: number | null;
}

export class BatchOutput {
  jobId: string;
  itemIndex: number;
  key: string;
  @AnyJson() output: unknown;
}

/** What came of a batch that has ended. */
export class BatchResults {
  successful: number;
  failed: number;
  skipped: number;
  /** Not done when the batch was stopped. */
  cancelled: number;
  /** Of the first successful items; a warning says when there are more. */
  outputs: BatchOutput[];
  summary: BatchSummary;
}

export class Batch {
  id: string;
  name: string;
  description?: string;
  type: string;
  status: BatchStatus;
  priority: BatchPriority;
  createdAt: Date;
  startedAt?: Date;
  completedAt?: Date;
  /** Whole percent; 100 only when every item is done. */
  progress: number;
  totalItems: number;
  processedItems: number;
  failedItems: number;
  /** The first items; a warning says when there are more. */
  @AnyJsonList() data: unknown[];
  results?: BatchResults;
  /** Of the first failed items; a warning says when there are more. */
  errors: BatchError[];
  /** What the caller should know about how the batch is worked, and about what is left out here. */
  warnings: string[];
  config: BatchConfig;
  /** Set when what the batch did is taken back, because it failed or somebody asked for it. */
  rollback?: RollbackView;
}

/** One item of a batch. */
@ApiSchema({ name: 'BatchServiceJob' })
export class BatchJob {
  /** `<batch id>:<number of the item, from 1>` */
  id: string;
  batchId: string;
  name: string;
  /** The item's key. */
  key: string;
  status: JobStatus;
  progress: number;
  @AnyJson() data: unknown;
  /** Tries after the first. */
  retryCount: number;
  maxRetries: number;
  @OptionalAnyJson() result?: unknown;
  error?: string;
}

/** A batch as the hook `use-batch-management` reads it: without data and outputs. */
export interface HookBatchJob {
  id: string;
  name: string;
  description?: string;
  type: string;
  status: BatchStatus;
  priority: BatchPriority;
  progress: number;
  totalItems: number;
  processedItems: number;
  successfulItems: number;
  failedItems: number;
  skippedItems: number;
  createdAt: Date;
  startTime?: Date;
  endTime?: Date;
  /** Milliseconds from start to end, or until now. */
  duration?: number;
  /** Milliseconds; left out when unknown. */
  estimatedTimeRemaining?: number;
  errors: BatchError[];
  warnings: string[];
  config: BatchConfig;
}
