import { Type } from 'class-transformer';
import {
  IsBoolean,
  IsIn,
  IsInt,
  IsNumber,
  IsObject,
  IsOptional,
  IsString,
  Max,
  MaxLength,
  Min,
  MinLength,
  ValidateNested,
} from 'class-validator';
import { Nullable, nullableFields } from '../common/nullable.js';
import { Canary, FailureThreshold, RampUp } from './caution.options.js';
import { ThreadLimits, ThreadLimitsInput } from './resource-limits.options.js';

export const PRIORITIES = ['critical', 'high', 'normal', 'low'] as const;
export type Priority = (typeof PRIORITIES)[number];

export const BACKOFFS = ['none', 'fixed', 'linear', 'exponential'] as const;
export type Backoff = (typeof BACKOFFS)[number];

export const CONFLICT_RESOLUTIONS = ['auto', 'overwrite', 'skip', 'merge', 'fail'] as const;
/** What an operation does with a record that is there already; `auto` is the operation's own way, see docs/records.md. */
export type ConflictResolution = (typeof CONFLICT_RESOLUTIONS)[number];

export const BACKUP_STRATEGIES = ['none', 'auto'] as const;
/** `auto`: before the batch writes a record, the record's earlier version is saved. */
export type BackupStrategy = (typeof BACKUP_STRATEGIES)[number];

/** A batch's settings, complete: what the caller did not give is filled from the dialect's defaults. Times are milliseconds. */
export class BatchOptions {
  /** Items in a chunk: the unit of claiming and of database traffic. */
  batchSize: number;
  /** Items side by side. */
  concurrency: number;
  /** Items that one of its lanes works side by side, at most; lanes may be on different machines. Decided by the service. */
  laneWidth?: number;
  /** Tries after the first. */
  retryAttempts: number;
  retryBackoff: Backoff;
  retryDelay: number;
  retryMaxDelay: number;
  /** Spread each delay over 50 to 100 % of its length, so that items that failed together do not return together. */
  retryJitter: boolean;
  /** Time limit of one item's try. */
  timeout: number;
  /** Time limit of the whole run, from its start; null for none. */
  batchTimeout: number | null;
  /** Whether an item that ran into its time limit is tried again like any other that failed. */
  retryTimeouts: boolean;
  priority: Priority;
  /** Items of this batch that may start in a minute, as a token bucket that is full at the beginning; null for no limit. */
  rateLimitPerMinute: number | null;
  /** The same for all batches of the tenant that name this pool. */
  rateLimitPool: RateLimitPool | null;
  /** Stops a run of which too many items fail; null: never. */
  failureThreshold: FailureThreshold | null;
  /** The first items are worked before the others, which go on only if they went well; null for none. Of the first run only. */
  canary: Canary | null;
  /** Begins each run with a smaller concurrency; null: at once with the whole. */
  rampUp: RampUp | null;
  /** Send `batch.notification` to the tenant's sockets when a run starts. */
  notifyOnStart: boolean;
  /** The same when a run ends, however. */
  notifyOnComplete: boolean;
  /** The same when a run fails. */
  notifyOnError: boolean;
  /** The same whenever another so many percent are done; null for never. */
  notifyProgressInterval: number | null;
  conflictResolution: ConflictResolution;
  backupStrategy: BackupStrategy;
  /** Take back what the batch changed when it ends as failed or timed out. Needs a backup, and so makes one. */
  rollbackOnFailure: boolean;
  /** What the batch's items may use of each process that works them; null for no limit. Batches of an older release have none. */
  resourceLimits?: ThreadLimits | null;
}

/** Whether the earlier versions of the records that the batch writes are saved. */
export function keepsBackup({ backupStrategy, rollbackOnFailure }: BatchOptions): boolean {
  return backupStrategy === 'auto' || rollbackOnFailure;
}

/** A rate that several batches share. */
export class RateLimitPool {
  @IsString() @MinLength(1) @MaxLength(100) name: string;
  /** Items that may start in a minute. */
  @IsInt() @Min(1) @Max(1_000_000) perMinute: number;
}

const DAY_MS = 86_400_000;

/** The options a caller may give. */
export class BatchOptionsInput implements Partial<Omit<BatchOptions, 'resourceLimits'>> {
  @IsOptional() @IsInt() @Min(1) @Max(10_000) batchSize?: number;
  @IsOptional() @IsInt() @Min(1) @Max(1_000) concurrency?: number;
  @IsOptional() @IsInt() @Min(0) @Max(100) retryAttempts?: number;
  @IsOptional() @IsIn(BACKOFFS) retryBackoff?: Backoff;
  @IsOptional() @IsNumber() @Min(0) @Max(DAY_MS) retryDelay?: number;
  @IsOptional() @IsNumber() @Min(0) @Max(DAY_MS) retryMaxDelay?: number;
  @IsOptional() @IsBoolean() retryJitter?: boolean;
  @IsOptional() @IsInt() @Min(1) @Max(DAY_MS) timeout?: number;
  /** null, when the settings of a batch change: none */
  @Nullable() @IsInt() @Min(1) @Max(30 * DAY_MS) batchTimeout?: number | null;
  @IsOptional() @IsBoolean() retryTimeouts?: boolean;
  @IsOptional() @IsIn(PRIORITIES) priority?: Priority;
  /** null, when the settings of a batch change: none */
  @Nullable() @IsInt() @Min(1) @Max(1_000_000) rateLimitPerMinute?: number | null;
  /** null, when the settings of a batch change: none */
  @Nullable() @IsObject() @ValidateNested() @Type(() => RateLimitPool) rateLimitPool?: RateLimitPool | null;
  /** null, when the settings of a batch change: none */
  @Nullable() @IsObject() @ValidateNested() @Type(() => FailureThreshold) failureThreshold?: FailureThreshold | null;
  @IsOptional() @IsObject() @ValidateNested() @Type(() => Canary) canary?: Canary;
  /** null, when the settings of a batch change: none */
  @Nullable() @IsObject() @ValidateNested() @Type(() => RampUp) rampUp?: RampUp | null;
  @IsOptional() @IsBoolean() notifyOnStart?: boolean;
  @IsOptional() @IsBoolean() notifyOnComplete?: boolean;
  @IsOptional() @IsBoolean() notifyOnError?: boolean;
  /** null, when the settings of a batch change: never */
  @Nullable() @IsInt() @Min(1) @Max(100) notifyProgressInterval?: number | null;
  @IsOptional() @IsIn(CONFLICT_RESOLUTIONS) conflictResolution?: ConflictResolution;
  @IsOptional() @IsIn(BACKUP_STRATEGIES) backupStrategy?: BackupStrategy;
  @IsOptional() @IsBoolean() rollbackOnFailure?: boolean;
  /** null, when the settings of a batch change: none */
  @Nullable() @IsObject() @ValidateNested() @Type(() => ThreadLimitsInput) resourceLimits?: ThreadLimitsInput | null;
}

/** Those that a caller gave. null is as if it were not given, but where it means "none". */
export function givenOptions(options: BatchOptionsInput): BatchOptionsInput {
  const nullable = nullableFields(BatchOptionsInput.prototype);
  return Object.fromEntries(
    Object.entries(options).filter(([name, value]) => value !== undefined && (value !== null || nullable.includes(name))),
  );
}
