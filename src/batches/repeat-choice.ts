import type { RunStatus } from './batch.state.js';
import { OUTCOME_STATUS } from './entities/outcome.entity.js';

/**
 * What items of an ended batch can be chosen by, to be repeated. `unprocessed`: those without an outcome, which the batch counts as
 * cancelled, for whatever reason their run ended; `cancelled`: of these, those whose run was cancelled; `timed_out`: those whose run
 * ran out of time, and those that failed by their own time limit.
 */
export const REPEATABLE = ['failed', 'cancelled', 'unprocessed', 'timed_out', 'skipped'] as const;

export type Repeatable = (typeof REPEATABLE)[number];

/** How an item's error has to read. */
export interface ErrorChoice {
  kind: string | null;
  message: string | null;
  /** The message may be part of the error, else it is all of it. */
  part: boolean;
}

/** Which items are chosen; all of it has to be true of an item. */
export interface RepeatChoice {
  /** Outcomes of which items are chosen, see OUTCOME_STATUS. */
  outcomes: number[];
  /** Also those that failed by their time limit. */
  timeouts: boolean;
  /** Also items without an outcome, of runs that ended so. */
  unprocessedOf: RunStatus[];
  error: ErrorChoice;
}

const ENDED: RunStatus[] = ['cancelled', 'timed_out', 'failed', 'completed'];

/** An item without an outcome has no error that it could be chosen by. */
export function toRepeatChoice(statuses: readonly Repeatable[], error: ErrorChoice): RepeatChoice {
  const has = (status: Repeatable): boolean => statuses.includes(status);
  const byError = error.kind !== null || error.message !== null;
  const unprocessedOf = ENDED.filter((ending) => has('unprocessed') || ((ending === 'cancelled' || ending === 'timed_out') && has(ending)));
  return {
    outcomes: [...(has('failed') ? [OUTCOME_STATUS.failed] : []), ...(has('skipped') ? [OUTCOME_STATUS.skipped] : [])],
    timeouts: has('timed_out'),
    unprocessedOf: byError ? [] : unprocessedOf,
    error,
  };
}
