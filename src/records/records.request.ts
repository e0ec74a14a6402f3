import { IsIn, IsOptional, IsString } from 'class-validator';
import { Opaque } from '../common/opaque.js';
import { QueryBoolean, QueryInt } from '../common/query-fields.js';
import { CsvOptions } from './csv/csv.options.js';
import { LARGE_NUMBERS, type LargeNumbers } from './parse/large-numbers.js';
import { ROW_FORMATS, type RowFormat } from './parse/parse-rows.js';
import type { Fields } from './record-fields.js';

export class ImportRecordsQuery extends CsvOptions {
  /** The field whose value is the record's key; default: the row's number. */
  @IsOptional() @IsString() keyField?: string;
  /** `refuse` (default) imports all rows or none; `skip` leaves wrong rows out and reports them. */
  @IsOptional() @IsIn(['refuse', 'skip']) onInvalid?: 'refuse' | 'skip';
  /** Default: what the content type, the file's name or the bytes tell. */
  @IsOptional() @IsIn(ROW_FORMATS) format?: RowFormat;
  /**
   * JSON only. Numbers with more digits than a JavaScript number holds: `refuse` (default) takes their rows for wrong, `text` keeps them
   * as text, keys too, and warns.
   */
  @IsOptional() @IsIn(LARGE_NUMBERS) largeNumbers?: LargeNumbers;
  /** The batch's name. */
  @IsOptional() @IsString() name?: string;
}

export class ImportFileRequest {
  /** What POST /api/files answered. */
  @IsString() fileId: string;
  /** Default: what the file's media type or the end of its name tells. */
  @IsOptional() @IsIn(ROW_FORMATS) format?: RowFormat;
}

export class ListRecordsQuery {
  /** JSON, such as `{"license":"MIT","downloads":{"gt":1000}}`. */
  @IsOptional() @IsString() filter?: string;
  /** Default 50, at most 1,000. */
  @QueryInt(1) limit?: number;
  /** The last key of the page before. */
  @IsOptional() @IsString() afterKey?: string;
  /** Count all that match. */
  @QueryBoolean() count?: boolean;
}

export class ListCollectionsQuery {
  /** Default 100, at most 1,000. */
  @QueryInt(1) limit?: number;
  /** The last name of the page before. */
  @IsOptional() @IsString() afterName?: string;
}

export class ListFilesQuery {
  /** Default 50, at most 1,000. */
  @QueryInt(1) limit?: number;
  /** The last id of the page before. */
  @IsOptional() @IsString() afterId?: string;
}

export class PutRecordRequest {
  /** All of the record's fields: what is not given is gone. */
  @Opaque() fields: Fields;
  /** The stored file that belongs to the record. */
  @IsOptional() @IsString() fileId?: string;
}
