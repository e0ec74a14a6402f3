import { IsIn, IsNotEmpty, IsOptional, IsString } from 'class-validator';
import { QueryInt } from '../../common/query-fields.js';

export const UPLOAD_STATUSES = ['pending', 'processing', 'completed', 'failed'] as const;
export type UploadStatus = (typeof UPLOAD_STATUSES)[number];

export class UploadJobsQuery {
  /** Default 50, at most 100. */
  @QueryInt(1) limit?: number;
  @QueryInt(0) offset?: number;
  @IsOptional() @IsIn(UPLOAD_STATUSES) status?: UploadStatus;
  /** The `user_id` of the upload's form, or who called when it had none. */
  @IsOptional() @IsString() @IsNotEmpty() userId?: string;
}
