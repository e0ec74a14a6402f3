import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
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
import {
  BACKUP_STRATEGIES,
  type BackupStrategy,
  BatchOptionsInput,
  CONFLICT_RESOLUTIONS,
  type ConflictResolution,
} from '../../batches/batch.options.js';
import { AnyJsonList } from '../../common/any-json.js';
import { Nullable } from '../../common/nullable.js';
import { Opaque } from '../../common/opaque.js';
import { BATCH_PRIORITIES, type BatchPriority, type BatchStatus } from './batch-service.types.js';

const DAY_MS = 86_400_000;
const STATUSES: BatchStatus[] = ['pending', 'running', 'completed', 'failed', 'paused', 'cancelled', 'retrying'];

export class NotificationSettingsInput {
  @IsOptional() @IsBoolean() onStart?: boolean;
  @IsOptional() @IsBoolean() onComplete?: boolean;
  @IsOptional() @IsBoolean() onError?: boolean;
  /** Percent; null for never. */
  @IsOptional() @IsInt() @Min(1) @Max(100) progressInterval?: number | null;
}

export class ResourceLimitsInput {
  /** MB that its items at work in one process may take together; null for no limit. Kept by operations that work in threads. */
  @IsOptional() @IsInt() @Min(16) @Max(1_048_576) maxMemory?: number | null;
  /** Percent of one core that its items may use in one process, over a longer time; null for no limit. Kept by such operations too. */
  @IsOptional() @IsNumber() @Min(1) @Max(10_000) maxCpu?: number | null;
  /** Seconds, for the whole batch; null for no limit. */
  @IsOptional() @IsNumber() @Min(0.001) @Max((30 * DAY_MS) / 1000) timeout?: number | null;
}

export class BatchConfigInput {
  /** More than 1,000 is taken as 1,000. */
  @IsOptional() @IsInt() @Min(1) maxConcurrentJobs?: number;
  /** Tries after the first. */
  @IsOptional() @IsInt() @Min(0) @Max(100) retryAttempts?: number;
  /** Milliseconds, for one try of one item. */
  @IsOptional() @IsInt() @Min(1) @Max(DAY_MS) timeoutPerTemplate?: number;
  /** Take back what the batch changed in records when it fails. */
  @IsOptional() @IsBoolean() rollbackOnFailure?: boolean;
  /** auto: records are saved before the batch changes them. */
  @IsOptional() @IsIn(BACKUP_STRATEGIES) backupStrategy?: BackupStrategy;
  /** What happens to a record that is there already, or changes meanwhile; auto: the operation's own way. */
  @IsOptional() @IsIn(CONFLICT_RESOLUTIONS) conflictResolution?: ConflictResolution;
  @IsOptional() @IsObject() @ValidateNested() @Type(() => NotificationSettingsInput) notificationSettings?: NotificationSettingsInput;
  @IsOptional() @IsObject() @ValidateNested() @Type(() => ResourceLimitsInput) resourceLimits?: ResourceLimitsInput;
  /** What the operation's item handler wants to know. Cannot be changed. */
  @IsOptional() @IsObject() parameters?: Record<string, unknown>;
}

/** A batch of data items. It is not started: `PATCH` its status to `running`, or `POST /api/batches/:id/start`. */
export class CreateBatchOfDataRequest {
  @IsString() @MinLength(1) @MaxLength(500) name: string;
  @IsOptional() @IsString() @MaxLength(10_000) description?: string;
  /**
   * The operation. Without an item handler for it, or without a type, results are recorded from outside; export, transform, report, validate
   * and cleanup are refused then.
   */
  @IsOptional() @IsString() @MinLength(1) @MaxLength(100) type?: string;
  /** One item each, any JSON. */
  @AnyJsonList() @Opaque() @IsArray() @ArrayMinSize(1) @ArrayMaxSize(100_000) data: unknown[];
  @IsOptional() @IsIn(BATCH_PRIORITIES) priority?: BatchPriority;
  @IsOptional() @IsObject() @ValidateNested() @Type(() => BatchConfigInput) config?: BatchConfigInput;
}

export class UpdateBatchOfDataRequest {
  @IsOptional() @IsString() @MinLength(1) @MaxLength(500) name?: string;
  /** null: none */
  @Nullable() @IsString() @MaxLength(10_000) description?: string | null;
  /** Until the batch has ended, like most of `config`. */
  @IsOptional() @IsIn(BATCH_PRIORITIES) priority?: BatchPriority;
  /** What it does not name stays as it is. */
  @IsOptional() @IsObject() @ValidateNested() @Type(() => BatchConfigInput) config?: BatchConfigInput;
  /** The same in the service's own words, for settings that `config` has no name for. */
  @IsOptional() @IsObject() @ValidateNested() @Type(() => BatchOptionsInput) options?: BatchOptionsInput;
  /** running: start or go on; paused; cancelled; retrying: repeat the failed items of a batch that has ended. */
  @IsOptional() @IsIn(STATUSES) status?: BatchStatus;
}
