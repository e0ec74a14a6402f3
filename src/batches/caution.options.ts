import { IsIn, IsInt, IsNumber, IsOptional, Max, Min } from 'class-validator';
import { unprocessable } from '../common/app-error.js';

const MAX_ITEMS = 2_000_000_000;
const DAY_MS = 86_400_000;
/** Finished items before which a percentage of failures is not looked at, unless the threshold says otherwise. */
export const DEFAULT_MIN_ITEMS = 20;

/** How many items may fail before the batch is stopped. It counts what failed for good since the batch was started or last resumed. */
export class FailureThreshold {
  /** Stops at so many failed items. */
  @IsOptional() @IsInt() @Min(1) @Max(MAX_ITEMS) count?: number;
  /** Stops when so many of a hundred finished items have failed. */
  @IsOptional() @IsNumber() @Min(0.001) @Max(100) percent?: number;
  /** The percentage is not looked at before so many items are finished. Default 20. */
  @IsOptional() @IsInt() @Min(1) @Max(MAX_ITEMS) minItems?: number;
  /** `pause` (default): somebody looks at it and resumes or cancels; `fail`: the batch ends as failed. */
  @IsOptional() @IsIn(['pause', 'fail']) action?: 'pause' | 'fail';
}

/** The first items of a batch, by position, are worked before all others. */
export class Canary {
  /** So many, or */
  @IsOptional() @IsInt() @Min(1) @Max(MAX_ITEMS) items?: number;
  /** so many of a hundred. */
  @IsOptional() @IsNumber() @Min(0.001) @Max(100) percent?: number;
  /** `continue` (default): goes on by itself if no more than `maxFailedPercent` failed, else pauses; `confirm`: pauses until somebody resumes it. */
  @IsOptional() @IsIn(['continue', 'confirm']) then?: 'continue' | 'confirm';
  /** Default 0: a single failure pauses the batch. */
  @IsOptional() @IsNumber() @Min(0) @Max(100) maxFailedPercent?: number;
}

/** The concurrency grows evenly to that of the batch. */
export class RampUp {
  /** Items side by side at the start. Default 1. */
  @IsOptional() @IsInt() @Min(1) @Max(1_000) from?: number;
  /** Milliseconds from the start of the run until the batch has its whole concurrency. */
  @IsInt() @Min(1) @Max(DAY_MS) overMs: number;
}

interface Caution {
  failureThreshold?: FailureThreshold | null;
  canary?: Canary | null;
}

/** @throws AppError UNPROCESSABLE for a threshold or a canary that says nothing, or two things */
export function assertCaution({ failureThreshold, canary }: Caution): void {
  if (failureThreshold && failureThreshold.count === undefined && failureThreshold.percent === undefined) {
    throw unprocessable('options.failureThreshold', 'give count, percent, or both');
  }
  if (canary && (canary.items === undefined) === (canary.percent === undefined)) {
    throw unprocessable('options.canary', 'give either items or percent');
  }
}

/** @throws AppError UNPROCESSABLE when nobody can know what the canary's percentage is of */
export function assertCanaryOfKnown(total: 'known' | 'open', { canary }: Caution): void {
  if (total === 'open' && canary?.percent !== undefined) {
    throw unprocessable('options.canary.percent', 'how many items come is not known while the batch is open; give canary.items');
  }
}
