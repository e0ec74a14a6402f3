import type { RecordedOutcome } from '../batches/store/record-outcomes.js';
import { OUTCOME_STATUS } from '../batches/entities/outcome.entity.js';
import { toStorableJson, toStorableText } from '../common/safe-json.js';
import type { ItemResult } from '../operations/item-handler.js';

const MAX_OUTPUT_CHARACTERS = 262_144;
const MAX_REASON = 2_000;

/** What an item's result makes of its outcome. */
export type Ending = Pick<RecordedOutcome, 'status'> & Partial<RecordedOutcome>;

/** @throws when it cannot be recorded: its output is not JSON or too large, or to look at it throws */
export function readResult({ output, quality, skipped, durationMs }: ItemResult): Ending {
  const text = toStorableJson(output) ?? 'null';
  if (text.length > MAX_OUTPUT_CHARACTERS) {
    throw new Error(`the output has ${text.length} characters; at most ${MAX_OUTPUT_CHARACTERS} are kept`);
  }
  const bounded = quality === undefined ? NaN : Math.min(1, Math.max(0, quality));
  const ending: Ending = { status: OUTCOME_STATUS.succeeded, output: text, quality: Number.isNaN(bounded) ? null : bounded };
  if (durationMs !== undefined && durationMs >= 0 && durationMs < Infinity) ending.durationMs = durationMs;
  if (skipped === undefined) return ending;
  return { ...ending, status: OUTCOME_STATUS.skipped, errorKind: 'skipped', error: toStorableText(skipped.slice(0, MAX_REASON)) };
}
