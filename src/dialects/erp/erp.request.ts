import { IsArray, IsIn, IsInt, IsNotEmpty, IsNumber, IsObject, IsOptional, IsString, Max, Min } from 'class-validator';
import { Opaque } from '../../common/opaque.js';
import { QueryInt, QueryNumber, QueryTime } from '../../common/query-fields.js';

export const ERP_STATUSES = ['pending', 'running', 'completed', 'failed', 'cancelled'] as const;
export type ErpStatus = (typeof ERP_STATUSES)[number];

export class CreateErpBatchRequest {
  /**
   * annotate, import, or any other that the service has a handler for; export, transform, report, validate and cleanup have none yet and
   * are refused, unless `options.externalResults` is true.
   */
  @IsString() @IsNotEmpty() operation: string;

  /** Chooses the items; what it may hold depends on the operation. */
  @IsOptional() @Opaque() @IsObject() filters?: Record<string, unknown>;

  /**
   * batchSize, retryAttempts, timeout (ms for each item), priority, notifyOnComplete, concurrency, batchTimeout, retryBackoff, retryDelay,
   * retryMaxDelay, retryJitter; externalResults (true: results are recorded by the caller). Any other key is a parameter of the operation.
   */
  @IsOptional() @Opaque() @IsObject() options?: Record<string, unknown>;

  @IsOptional() @IsString() name?: string;
  @IsOptional() @IsString() description?: string;

  /** How many items there will be, when they are not chosen by filters. */
  @IsOptional() @IsInt() @Min(0) total_items?: number;

  /** The items themselves: `{ key?, payload? }` each, or just the key. */
  @IsOptional() @Opaque() @IsArray() items?: unknown[];
}

export class ErpHistoryQuery {
  @IsOptional() @IsString() @IsNotEmpty() operation?: string;
  @IsOptional() @IsIn(ERP_STATUSES) status?: ErpStatus;
  /** Part of the name. */
  @IsOptional() @IsString() @IsNotEmpty() name?: string;
  @QueryTime() createdAfter?: string;
  @QueryTime() createdBefore?: string;
  /** Default 50, at most 100. */
  @QueryInt(1) limit?: number;
  @QueryInt(0) offset?: number;
}

export class ErpResultsQuery {
  /** Default and maximum 10,000. */
  @QueryInt(1) limit?: number;
  @QueryInt(0) offset?: number;
}

const MAX_DAYS = 36_500;

export class ErpCleanupRequest {
  /** Default: the service's retention time (BATCH_RETENTION_DAYS). */
  @IsOptional() @IsNumber() @Min(0) @Max(MAX_DAYS) daysToKeep?: number;
}

export class ErpCleanupQuery {
  @QueryNumber(0) @Max(MAX_DAYS) daysToKeep?: number;
}
