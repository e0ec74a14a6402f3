import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsIn,
  IsInt,
  IsNumber,
  IsObject,
  IsOptional,
  Max,
  Min,
  ValidateNested,
} from 'class-validator';
import { ANALYSIS_TYPES, type AnalysisType } from '../../ai/document/analysis.js';
import { Opaque } from '../../common/opaque.js';
import { QueryInt } from '../../common/query-fields.js';

/** The types of jobs, by name. */
export const ProcessingJobType = {
  FULL_ANALYSIS: 'FULL_ANALYSIS',
  QUALITY_CHECK: 'QUALITY_CHECK',
  DATA_EXTRACTION: 'DATA_EXTRACTION',
  BATCH_ANALYSIS: 'BATCH_ANALYSIS',
} as const satisfies { [Name in AnalysisType]: Name };
export type ProcessingJobType = AnalysisType;

export const JOB_STATUSES = ['PENDING', 'PROCESSING', 'COMPLETED', 'FAILED', 'CANCELLED', 'TIMEOUT'] as const;
export type ProcessingJobStatus = (typeof JOB_STATUSES)[number];

const DAY_MS = 86_400_000;
export const MAX_DOCUMENTS = 10_000;

export class ProcessingJobOptions {
  /** Documents side by side. Default 5; more than 1,000 is taken as 1,000. */
  @IsOptional() @IsInt() @Min(1) maxConcurrent?: number;
  /** Milliseconds for the whole job. Default 300,000. */
  @IsOptional() @IsInt() @Min(1) @Max(30 * DAY_MS) timeout?: number;
  /** Tries after the first. Default 2. */
  @IsOptional() @IsInt() @Min(0) @Max(100) retryAttempts?: number;
  /** Milliseconds before the second try, twice as many before each further one. Default 2,000. */
  @IsOptional() @IsNumber() @Min(0) @Max(DAY_MS) retryDelay?: number;
}

export class CreateDocumentJobRequest {
  /** 1 to 512 characters each; an id that is given twice is worked twice. */
  @Opaque() @IsArray() @ArrayMinSize(1) @ArrayMaxSize(MAX_DOCUMENTS) documentIds: string[];
  @IsIn(ANALYSIS_TYPES) type: ProcessingJobType;
  @IsOptional() @IsObject() @ValidateNested() @Type(() => ProcessingJobOptions) options?: ProcessingJobOptions;
}

export class DocumentJobQuery {
  /** Of `documentIds`, `results` and `errors`, each. Default and maximum 1,000. */
  @QueryInt(1) limit?: number;
  @QueryInt(0) offset?: number;
}

export class ListDocumentJobsQuery {
  @IsOptional() @IsIn(JOB_STATUSES) status?: ProcessingJobStatus;
  /** Default 50, at most 100. */
  @QueryInt(1) limit?: number;
  @QueryInt(0) offset?: number;
}
