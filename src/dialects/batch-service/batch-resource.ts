import { ApiProperty, IntersectionType, OmitType } from '@nestjs/swagger';
import { BatchView } from '../../batches/batch.view.js';
import { Batch, type BatchStatus } from './batch-service.types.js';

const STATUSES = ['pending', 'running', 'paused', 'completed', 'failed', 'cancelled', 'timed_out', 'retrying'];
const IN_BOTH = ['id', 'name', 'description', 'status', 'progress', 'createdAt', 'startedAt', 'rollback'] as const;

/**
 * A batch over HTTP: every field of the engine's view as it is, and beside them those of the batch service. The status of a batch
 * made with `data` is in the batch service's words.
 */
export class BatchResource extends IntersectionType(OmitType(BatchView, ['status', 'warnings']), OmitType(Batch, IN_BOTH)) {
  /** `timed_out` of other batches than those made with `data`, `retrying` only of those. */
  @ApiProperty({ enum: STATUSES }) status: BatchView['status'] | BatchStatus;
}

export function toBatchResource(view: BatchView, batch: Batch): BatchResource {
  return { ...batch, ...view, status: view.dialect === 'batch-service' ? batch.status : view.status, warnings: batch.warnings };
}
