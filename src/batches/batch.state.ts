import { AppError } from '../common/app-error.js';

/**
 * pending -> running; running <-> paused; running | paused -> stopping -> cancelled | timed_out | failed;
 * running | paused -> completed | failed; pending -> cancelled. Terminal states never change.
 * `stopping` knows what it will end as and turns terminal when its items in flight are recorded or their leases end.
 */
export const RUN_STATUSES = ['pending', 'running', 'paused', 'stopping', 'completed', 'failed', 'cancelled', 'timed_out'] as const;

export type RunStatus = (typeof RUN_STATUSES)[number];

/** Rules by which the service pauses or fails a batch: two of the batch's own, and that calls of its item handler do not end. */
export type ReasonKind = 'canary' | 'failure-threshold' | 'hanging-calls';

export type RunMove =
  | 'start'
  | 'pause'
  | 'resume'
  | 'cancel'
  | 'seal'
  | 'delete'
  | 'add items to'
  | 'record results of'
  | 'retry items of'
  | 'edit items of'
  | 'change settings of';

const MOVES: Record<RunMove, readonly RunStatus[]> = {
  start: ['pending'],
  pause: ['running'],
  resume: ['paused'],
  cancel: ['pending', 'running', 'paused'],
  seal: ['pending', 'running', 'paused'],
  delete: ['pending', 'completed', 'failed', 'cancelled', 'timed_out'],
  'add items to': ['pending', 'running', 'paused'],
  'record results of': ['pending', 'running', 'paused'],
  'change settings of': ['pending', 'running', 'paused'],
  'retry items of': ['completed', 'failed', 'cancelled', 'timed_out'],
  'edit items of': ['completed', 'failed', 'cancelled', 'timed_out'],
};

export function isTerminal(status: RunStatus): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled' || status === 'timed_out';
}

export function mayMove(move: RunMove, from: RunStatus): boolean {
  return MOVES[move].includes(from);
}

/** @throws AppError CONFLICT when the batch's state does not allow the move */
export function assertMove(move: RunMove, from: RunStatus, batchId: string): void {
  if (mayMove(move, from)) return;
  throw new AppError('CONFLICT', `batch ${batchId} is ${from}; you can ${move} only a batch that is ${MOVES[move].join(' or ')}`);
}
