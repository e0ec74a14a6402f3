import type { BatchView } from '../../batches/batch.view.js';
import { AppError, unprocessable } from '../../common/app-error.js';
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
  const standing = `batch ${batch.id} is ${present}`;
  const noWay = 'no item has failed, so create a new batch';
  if (MOVES[wanted]) {
    throw new AppError('CONFLICT', `${standing}; ${possible.length > 0 ? `its status can be set to ${possible.join(' or ')}` : noWay}`);
  }
  const remedy = possible.length > 0 ? `it can be set to ${possible.join(' or ')}` : noWay;
  throw unprocessable('status', `no batch can be set to ${wanted}, it comes by itself; ${standing}; ${remedy}`);
}
