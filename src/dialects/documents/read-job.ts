import type { BatchView } from '../../batches/batch.view.js';
import { GetBatch } from '../../batches/queries/get-batch.query.js';
import { ListItems } from '../../batches/queries/list-items.query.js';
import { ListOutcomes } from '../../batches/queries/list-outcomes.query.js';
import type { Caller, Procedures } from '../../common/procedure.js';
import { listEnded } from '../ended-items.js';
import { toDocumentJob } from './document-job.js';
import type { DocumentJob } from './documents.reply.js';

/** Of each list of a job, on one page. */
export const MAX_LISTED = 1_000;

/** @throws AppError NOT_FOUND */
export async function readJob(
  procedures: Procedures,
  { jobId, limit = MAX_LISTED, offset = 0 }: { jobId: string; limit?: number; offset?: number },
  caller: Caller,
): Promise<DocumentJob> {
  const page = { batchId: jobId, limit: Math.min(limit, MAX_LISTED), offset };
  const batch: BatchView = await procedures.call(GetBatch, { batchId: jobId }, caller);
  const [items, succeeded, failed] = await Promise.all([
    procedures.call(ListItems, page, caller),
    procedures.call(ListOutcomes, { ...page, status: 'succeeded' }, caller),
    listEnded(procedures, batch, { ...page, status: 'failed' }, caller),
  ]);
  return toDocumentJob(batch, { items, succeeded, failed });
}
