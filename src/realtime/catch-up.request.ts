import { IsInt, IsNotEmpty, IsOptional, IsString, Min } from 'class-validator';

export class CatchUpRequest {
  @IsString() @IsNotEmpty() batchId: string;
  /** Default 0: from the first event. */
  @IsOptional() @IsInt() @Min(0) afterSeq?: number;
}
