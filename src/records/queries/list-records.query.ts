import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { IsBoolean, IsInt, IsOptional, IsString, Max, MaxLength, Min } from 'class-validator';
import type { Caller } from '../../common/procedure.js';
import { Opaque } from '../../common/opaque.js';
import { Database } from '../../database/sql.js';
import { IsCollectionName } from '../collection-name.js';
import { parseRecordFilter } from '../record-filter.js';
import { type RecordPage, toRecordView } from '../record.view.js';
import { countRecords } from '../store/count-records.js';
import { selectRecords } from '../store/select-records.js';

const DEFAULT_LIMIT = 50;

/** A page of a collection's records in the order of their keys; an unknown collection is an empty one. */
export class ListRecords extends Query<RecordPage> {
  @IsCollectionName() collection: string;
  /** See docs/records.md: `{ "status": "open", "total": { "gt": 100 } }`. */
  @IsOptional() @Opaque() filter?: Record<string, unknown>;
  @IsOptional() @IsInt() @Min(1) @Max(1_000) limit?: number;
  /** The last key of the page before. */
  @IsOptional() @IsString() @MaxLength(512) afterKey?: string;
  /** Count all that match, which reads them all. */
  @IsOptional() @IsBoolean() count?: boolean;

  caller: Caller;
}

@QueryHandler(ListRecords)
export class ListRecordsHandler implements IQueryHandler<ListRecords> {
  constructor(private readonly database: Database) {}

  /** @throws AppError INVALID_INPUT with the path of the filter's wrong field */
  async execute({ collection, filter, limit = DEFAULT_LIMIT, afterKey = '', count, caller }: ListRecords): Promise<RecordPage> {
    const selection = { tenant: caller.tenant, collection, conditions: parseRecordFilter(filter ?? {}) };
    const [rows, total] = await Promise.all([
      selectRecords(this.database.pool, selection, limit + 1, afterKey),
      count ? countRecords(this.database.pool, selection) : undefined,
    ]);
    const page = rows.slice(0, limit).map(toRecordView);
    return { rows: page, limit, nextKey: rows.length > limit ? page.at(-1)!.key : null, total };
  }
}
