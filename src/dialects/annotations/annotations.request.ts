import { ArrayMaxSize, ArrayMinSize, IsArray, IsInt, IsOptional, Max, Min } from 'class-validator';
import { Opaque } from '../../common/opaque.js';
import { QueryInt } from '../../common/query-fields.js';

const MAX_IMAGES = 100_000;

export class CreateBatchJobRequest {
  /** Keys of records in the collection `images`, or ids of stored files; 1 to 512 characters each. One that comes twice counts twice. */
  @Opaque() @IsArray() @ArrayMinSize(1) @ArrayMaxSize(MAX_IMAGES) imageIds: string[];
  /** Images side by side. Default 5; more than the tier allows is taken as what it allows. */
  @IsOptional() @IsInt() @Min(1) concurrency?: number;
  /** Images that may start in a minute. Default: what the tier allows; more is taken as that. */
  @IsOptional() @IsInt() @Min(1) rateLimitPerMinute?: number;
}

export class JobStatusQuery {
  /** Errors to leave out at the beginning. Default 0. */
  @QueryInt(0) @Max(2_000_000_000) errorsOffset?: number;
  /** Default 10,000; more is taken as 10,000. */
  @QueryInt(1) errorsLimit?: number;
}

export class ActiveJobsQuery {
  /** Default 100; more is taken as 100. */
  @QueryInt(1) limit?: number;
  @QueryInt(0) @Max(1_000_000) offset?: number;
}
