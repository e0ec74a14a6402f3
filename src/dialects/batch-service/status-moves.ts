import type { BatchView } from '../../batches/batch.view.js';
import { AppError } from '../../common/app-error.js';
import type { BatchStatus } from './batch-service.types.js';
import { toBatchStatus } from './to-batch.js';

export type StatusMove = 'start' | 'pause' | 'resume' | 'cancel' | 'repeat';

/** What has to be done so that a batch in one state (of the engine) reads another. Every other status comes by itself. */
const MOVES: Partial<Record<BatchStatus, Partial<Record<BatchView['status'], StatusMove>>>> = {
  running: { pending: 'start', paused: 'resume' },
  paused: { running: 'pause' },
  cancelled: { pending: 'cancel', running: 'cancel', paused: 'cancel' },
  retrying: { completed: 'repeat', failed: 'repeat', cancelled: 'repeat', timed_out: 'repeat' },
};

function moveTo(wanted: BatchStatus, { status, counts }: BatchView): StatusMove | undefined {
  const move = MOVES[wanted]?.[status];
  return move === 'repeat' && counts.failed === 0 ? undefined : move;
}

/**
 * @returns undefined when the batch reads so already
 * @throws AppError CONFLICT or UNPROCESSABLE that says what is possible
 */
export function statusMove(batch: BatchView, wanted: BatchStatus): StatusMove | undefined {
  const present = toBatchStatus(batch);
  if (wanted === present || (wanted === 'running' && batch.status === 'running')) return undefined;
  const move = moveTo(wanted, batch);
  if (move) return move;
  const possible = (Object.keys(MOVES) as BatchStatus[]).filter((status) => moveTo(status, batch));
  const remedy = possible.length > 0 ? `its status can be set to ${possible.join(' or ')}` : 'no item has failed, so create a new batch';
  const message = `batch ${batch.id} is ${present}; ${remedy}`;
  if (MOVES[wanted]) throw new AppError('CONFLICT', message);
  const why = `status: no batch can be set to ${wanted}, it comes by itself; ${message}`;
  throw new AppError('UNPROCESSABLE', why, { details: { errors: [{ path: 'status', message: why, code: 'custom' }] } });
}
