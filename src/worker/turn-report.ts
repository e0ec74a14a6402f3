import type { RunStatus } from '../batches/batch.state.js';
import type { LoopSlices } from './loop-slices.js';

/**
 * Why a turn stops taking items. `drained`: nothing is left to claim, or the one item of the turn is done. `held`: the rate limit has
 * no tokens, or the concurrency has not grown as far as this lane. `made-room`: for a run that the limits over batches left none. `retired`: the batch has fewer lanes now. `lost`: another worker took
 * the lane over.
 */
export type TurnEnd = 'drained' | 'held' | 'made-room' | 'retired' | 'yielded' | 'stopped' | 'shutdown' | 'lost';

export interface TurnReport {
  end: TurnEnd;
  /** The run's state at the last flush. */
  status: RunStatus;
  /** Milliseconds until the run's next retry is due, or null. */
  nextRetryMs: number | null;
  /** Milliseconds until it can go on, of a turn that was held. */
  heldMs: number;
}

export interface TurnSettings {
  leaseMs: number;
  /** Items side by side that the limits over batches leave for the lane. */
  room: number;
  /** The operation is worked in slots: the turn ends with its first item, and the most urgent run gets the slot. */
  oneItem: boolean;
  /** Items that the tenant may start in a minute, over all of its batches. */
  tenantPerMinute: number | undefined;
  /** Shared by all turns of the process. */
  slices: LoopSlices;
  onRecorded: (failed: number) => void;
  hanging: HangingOfTurn;
}

/** Told of calls of the handler that ignore their abort signals. */
export interface HangingOfTurn {
  /** @param isLate its time limit is over; otherwise it was told to stop for another reason, and its batch is not to blame */
  began: (isLate: boolean) => void;
  ended: () => void;
}
