import type { BatchPriority, BatchStatus } from './batch-service.types.js';

/** Over all batches made through this service, unless said otherwise. */
export class BatchStats {
  total: number;
  byStatus: Record<BatchStatus, number>;
  byPriority: Record<BatchPriority, number>;
  /** The hundred most frequent. */
  byType: Record<string, number>;
  totalItems: number;
  processedItems: number;
  successfulItems: number;
  failedItems: number;
  skippedItems: number;
  /** Mean milliseconds from start to end of the batches that have ended; null when none has. */
  averageDuration: number | null;
  /** Finished items a second of the batches that have ended, over the time they took; null when none has. */
  throughput: number | null;
  /** Successful and skipped of the finished items, 0 to 1; null when none is finished. */
  successRate: number | null;
}

/** Figures of one batch. Times are milliseconds. */
export class SingleBatchStats {
  batchId: string;
  status: BatchStatus;
  progress: number;
  totalItems: number;
  processedItems: number;
  successfulItems: number;
  failedItems: number;
  skippedItems: number;
  successRate: number | null;
  /** Finished items a second since the start; null before it, and when failed items were repeated. */
  throughput: number | null;
  averageDuration: number;
  p50Duration: number;
  p95Duration: number;
  p99Duration: number;
  estimatedTimeRemaining: number | null;
  /** Most frequent first. */
  errors: { message: string; kind: string; count: number }[];
}

/**
 * Figures at one moment. Those of source `worker` are of the process named, whatever else it does at the time; figures of source
 * `caller` are what `recordMetrics` was given, with any further fields.
 */
export class BatchMetrics {
  batchId: string;
  timestamp: Date;
  source: 'worker' | 'caller';
  /** Resident memory, MB. */
  memoryUsage?: number;
  /** Percent of one core, since the process was measured last. */
  cpuUsage?: number;
  /** Percent in use of the file system that holds the data directory. */
  diskUsage?: number;
  /** Finished items of the batch a second, since its last sample by the process. */
  throughput?: number;
  processedItems?: number;
  failedItems?: number;
  /** `host:pid` */
  process?: string;
  [field: string]: unknown;
}
