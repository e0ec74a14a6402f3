import type { BatchView } from '../../batches/batch.view.js';
import type { Batch, BatchStatus } from './batch-service.types.js';

/**
 * A batch over HTTP: every field of the engine's view as it is, and beside them those of the batch service. The status of a batch
 * made with `data` is in the batch service's words.
 */
export type BatchResource = Omit<BatchView, 'status'> & Omit<Batch, keyof BatchView> & { status: BatchView['status'] | BatchStatus };

export function toBatchResource(view: BatchView, batch: Batch): BatchResource {
  return { ...batch, ...view, status: view.dialect === 'batch-service' ? batch.status : view.status };
}
