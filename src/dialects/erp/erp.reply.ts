import type { ErpStatus } from './erp.request.js';

/** The batch of the ERP module. Times are ISO 8601. */
export class ErpBatch {
  id: string;
  operation: string;
  status: ErpStatus;
  /** Only while it is paused; its status then still reads "running". */
  paused?: boolean;
  /** Whole percent, 0 to 100; 100 only when every item is done. */
  progress: number;
  name?: string;
  description?: string;
  /** Why it failed or was cancelled. */
  error?: string;
  /** What whoever created it should know; left out when there is nothing, and by events. */
  warnings?: string[];
  created_at: string;
  started_at?: string;
  completed_at?: string;
  total_items: number;
  processed_items: number;
  failed_items: number;
}

export class ErpBatchReply {
  success: true;
  batch: ErpBatch;
}

export class ErpCreatedReply extends ErpBatchReply {
  /** What the caller should know about how the batch will be worked. */
  warnings?: string[];
}

export class ErpItemResult {
  nodeId: string;
  success: boolean;
  result?: Record<string, unknown>;
  error?: string;
  /** Tries after the first. */
  retries: number;
  durationMs?: number;
  /** 0 to 1 */
  qualityScore?: number;
  createdAt: string;
}

export class ErpThroughput {
  /** milliseconds */
  averageDuration: number;
  /** Sum of all durations, milliseconds. */
  totalDuration: number;
  requestsPerMinute: number;
}

export class ErpSummary {
  total: number;
  successful: number;
  failed: number;
  /** Mean of the scored items, 0 to 1; left out when none was scored. */
  qualityScore?: number;
  performanceMetrics: ErpThroughput;
}

export class ErpPagination {
  total: number;
  limit: number;
  offset: number;
  hasMore: boolean;
}

export class ErpResults {
  id: string;
  operation: string;
  status: ErpStatus;
  progress: number;
  results: ErpItemResult[];
  summary: ErpSummary;
}

export class ErpResultsReply {
  success: true;
  batch: ErpResults;
  /** Of `batch.results`. */
  pagination: ErpPagination;
}

export class ErpOverview {
  total: number;
  successful: number;
  failed: number;
  pending: number;
  /** Successful of the finished items, 0 to 1. */
  successRate: number;
  averageDuration: number;
}

export class ErpErrorShare {
  error: string;
  count: number;
  /** Of the failures, 0 to 100. */
  percentage: number;
}

export class ErpQualityShare {
  /** "0.8-1.0" */
  range: string;
  count: number;
  /** Of all items, 0 to 100. */
  percentage: number;
}

export class ErpDurations {
  averageDuration: number;
  p50Duration: number;
  p95Duration: number;
  p99Duration: number;
}

export class ErpTimelinePoint {
  at: string;
  processed: number;
  failed: number;
  progress: number;
}

export class ErpVisualization {
  batchId: string;
  overview: ErpOverview;
  /** Most frequent first. */
  errorDistribution: ErpErrorShare[];
  /** Best first; empty ranges are left out. */
  qualityDistribution: ErpQualityShare[];
  performanceMetrics: ErpDurations;
  /** Progress over time, oldest first. */
  timeline: ErpTimelinePoint[];
}

export class ErpVisualizationReply {
  success: true;
  visualization: ErpVisualization;
}

export class ErpHistoryFilter {
  operation?: string;
  status?: ErpStatus;
  name?: string;
  createdAfter?: string;
  createdBefore?: string;
  /** As it was applied. */
  limit: number;
  offset: number;
}

export class ErpHistoryReply {
  success: true;
  batches: ErpBatch[];
  /** Batches in this reply. */
  count: number;
  /** Batches that the filter matches. */
  total: number;
  hasMore: boolean;
  filter: ErpHistoryFilter;
}

export class ErpMessageReply {
  success: true;
  message: string;
}

export class ErpCleanupReply {
  success: true;
  deleted: number;
  daysToKeep: number;
}

export class ErpStats {
  total: number;
  byStatus: Record<ErpStatus, number>;
  byOperation: Record<string, number>;
  /** Completed of all, 0 to 1. */
  completionRate: number;
}

export class ErpStatsReply {
  success: true;
  stats: ErpStats;
}
