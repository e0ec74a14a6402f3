import { IsInt, IsNumber, Max, Min } from 'class-validator';
import { errorOf, fieldError } from '../common/app-error.js';
import { Nullable } from '../common/nullable.js';

/** What a batch's items at work may use of one worker process. Kept for operations that work in threads; see docs/threads.md. */
export class ThreadLimits {
  /** MB, of all of them together. */
  maxMemoryMb?: number;
  /** Percent of one core, over a longer time. */
  maxCpuPercent?: number;
}

/** null, when the settings of a batch change: none */
export class ThreadLimitsInput {
  /** A thread with less than 16 MB could not work at all. */
  @Nullable() @IsInt() @Min(16) @Max(1_048_576) maxMemoryMb?: number | null;
  @Nullable() @IsNumber() @Min(1) @Max(10_000) maxCpuPercent?: number | null;
}

/** Limits with what a caller gave over them. @returns null when none is left */
export function changedLimits(limits: ThreadLimits | null | undefined, given: ThreadLimitsInput | null | undefined): ThreadLimits | null {
  if (given === null) return null;
  const left = Object.entries({ ...limits, ...given }).filter(([, value]) => value !== undefined && value !== null);
  return left.length > 0 ? Object.fromEntries(left) : null;
}

/**
 * @param why the batch cannot be held to limits; undefined when it can
 * @throws AppError UNPROCESSABLE that names every limit that is asked for and cannot be kept
 */
export function assertLimitsCanBeKept(given: ThreadLimitsInput | null | undefined, why: string | undefined): void {
  const asked = changedLimits(null, given);
  if (!asked || why === undefined) return;
  const errors = Object.keys(asked).map((name) => fieldError(`options.resourceLimits.${name}`, why));
  throw errorOf('UNPROCESSABLE', errors);
}
