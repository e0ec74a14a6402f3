import type { RecordedOutcome } from '../batches/store/record-outcomes.js';
import { OUTCOME_STATUS } from '../batches/entities/outcome.entity.js';
import { toStorableJson, toStorableText } from '../common/safe-json.js';
import type { ItemResult } from '../operations/item-handler.js';

const MAX_OUTPUT_CHARACTERS = 262_144;
const MAX_COMPENSATION_CHARACTERS = 16_384;
const MAX_REASON = 2_000;

/** What an item's result makes of its outcome. */
export type Ending = Pick<RecordedOutcome, 'status'> & Partial<RecordedOutcome>;

/** @throws when it cannot be recorded: its output or compensation is not JSON or too large, or to look at it throws */
export function readResult({ output, quality, skipped, durationMs, compensation }: ItemResult): Ending {
  const text = toBoundedJson('output', output, MAX_OUTPUT_CHARACTERS) ?? 'null';
  const bounded = quality === undefined ? NaN : Math.min(1, Math.max(0, quality));
  const ending: Ending = { status: OUTCOME_STATUS.succeeded, output: text, quality: Number.isNaN(bounded) ? null : bounded };
  if (compensation !== undefined) ending.compensation = toBoundedJson('compensation', compensation, MAX_COMPENSATION_CHARACTERS) ?? null;
  if (durationMs !== undefined && durationMs >= 0 && durationMs < Infinity) ending.durationMs = durationMs;
  if (skipped === undefined) return ending;
  return { ...ending, status: OUTCOME_STATUS.skipped, errorKind: 'skipped', error: toStorableText(skipped.slice(0, MAX_REASON)) };
}

function toBoundedJson(field: string, value: unknown, maxCharacters: number): string | undefined {
  const text = toStorableJson(value, field);
  if (text !== undefined && text.length > maxCharacters) {
    throw new Error(`the ${field} has ${text.length} characters; at most ${maxCharacters} are kept`);
  }
  return text;
}
