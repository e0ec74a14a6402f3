import { OUTCOME_STATUS } from '../batches/entities/outcome.entity.js';
import type { Flush, RecordedOutcome } from '../batches/store/record-outcomes.js';
import type { Tally } from '../batches/tally.js';

/** Counts a flush's outcomes by status, and adds what they tell to the lane's tally. */
export function countOutcomes(outcomes: RecordedOutcome[], tally: Tally): Flush['counts'] {
  const counts = { succeeded: 0, failed: 0, skipped: 0 };
  for (const { status, durationMs, quality, errorKind, error } of outcomes) {
    if (durationMs !== null) tally.addDuration(durationMs);
    if (quality !== null) tally.addQuality(quality);
    if (status === OUTCOME_STATUS.succeeded) counts.succeeded += 1;
    else if (status === OUTCOME_STATUS.skipped) counts.skipped += 1;
    else {
      counts.failed += 1;
      tally.addError(errorKind!, error!);
    }
  }
  return counts;
}
