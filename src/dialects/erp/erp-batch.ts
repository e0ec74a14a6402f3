import type { BatchCounts, BatchStats, BatchView } from '../../batches/batch.view.js';
import type { ErpBatch, ErpStats } from './erp.reply.js';
import type { ErpStatus } from './erp.request.js';
import { nonEmpty } from '../../common/non-empty.js';

type Status = BatchView['status'];

/** The ERP module knows neither time limits of batches nor pauses. */
const ERP_STATUS: Record<Status, ErpStatus> = {
  pending: 'pending',
  running: 'running',
  paused: 'running',
  completed: 'completed',
  failed: 'failed',
  timed_out: 'failed',
  cancelled: 'cancelled',
};

export function toErpStatus(status: Status): ErpStatus {
  return ERP_STATUS[status];
}

/** The engine's statuses that read as this one. */
export function fromErpStatus(status: ErpStatus): Status[] {
  return (Object.keys(ERP_STATUS) as Status[]).filter((own) => ERP_STATUS[own] === status);
}

/** What a view and an event's snapshot both know of a batch. */
export interface BatchFacts {
  id: string;
  operation: string;
  name: string | null;
  description?: string | null;
  status: Status;
  reason: string | null;
  progress: number;
  counts: BatchCounts;
  warnings?: string[];
  createdAt: string;
  startedAt: string | null;
  endedAt: string | null;
}

export function toErpBatch(batch: BatchFacts): ErpBatch {
  const { counts } = batch;
  return {
    id: batch.id,
    operation: batch.operation,
    status: toErpStatus(batch.status),
    paused: batch.status === 'paused' || undefined,
    progress: batch.progress,
    name: batch.name ?? undefined,
    description: batch.description ?? undefined,
    error: batch.reason ?? undefined,
    warnings: nonEmpty(batch.warnings),
    created_at: batch.createdAt,
    started_at: batch.startedAt ?? undefined,
    completed_at: batch.endedAt ?? undefined,
    total_items: counts.total,
    processed_items: counts.succeeded + counts.failed + counts.skipped,
    failed_items: counts.failed,
  };
}

export function toErpStats(stats: BatchStats): ErpStats {
  const byStatus = { pending: 0, running: 0, completed: 0, failed: 0, cancelled: 0 };
  for (const [status, count] of Object.entries(stats.byStatus) as [Status, number][]) byStatus[toErpStatus(status)] += count;
  const completionRate = stats.total === 0 ? 0 : byStatus.completed / stats.total;
  return { total: stats.total, byStatus, byOperation: stats.byOperation, completionRate };
}
