import type { BatchView, Page } from '../batches/batch.view.js';
import type { OutcomeView } from '../batches/item.view.js';
import { ListOutcomes } from '../batches/queries/list-outcomes.query.js';
import type { Caller, Procedures } from '../common/procedure.js';

/** Which of a batch's outcomes: all or the failed ones, and where among them a page lies. */
interface PageRequest {
  status?: 'failed';
  limit: number;
  offset: number;
}

/**
 * A page of a batch's outcomes, and behind the last of them the items that a stopped batch left undone, with what they last ran into: whoever
 * looks for the reason of a time-out looks among the errors.
 */
export async function listEnded(
  procedures: Procedures,
  batch: BatchView,
  { status, limit, offset }: PageRequest,
  caller: Caller,
): Promise<Page<OutcomeView>> {
  const isEmpty = status === 'failed' && batch.counts.failed === 0;
  const ended = isEmpty
    ? { rows: [], total: 0, limit, offset, hasMore: false }
    : await procedures.call(ListOutcomes, { batchId: batch.id, status, limit, offset }, caller);
  if (!isStopped(batch)) return ended;
  const room = ended.hasMore ? 0 : limit - ended.rows.length;
  const place = { limit: Math.max(1, room), offset: Math.max(0, offset - ended.total) };
  const undone = await procedures.call(ListOutcomes, { batchId: batch.id, status: 'cancelled', ...place }, caller);
  const rows = [...ended.rows, ...undone.rows.slice(0, room)];
  const total = ended.total + undone.total;
  return { rows, total, limit, offset, hasMore: offset + rows.length < total };
}

/** It was ended before it was through. */
function isStopped({ status, stopping, counts }: BatchView): boolean {
  return stopping || counts.cancelled > 0 || status === 'timed_out';
}
