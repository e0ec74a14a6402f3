import { OUTCOME_STATUS } from '../batches/entities/outcome.entity.js';
import type { DeferredItem, RecordedOutcome } from '../batches/store/record-outcomes.js';

/** What came of one try: an outcome to record, or a retry to defer. */
export type Settlement = { outcome: RecordedOutcome } | { deferred: DeferredItem };

export function isFailure(settlement: Settlement): boolean {
  return 'deferred' in settlement || settlement.outcome.status === OUTCOME_STATUS.failed;
}
