import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { IsInt, IsOptional, IsString, Max, MaxLength, Min } from 'class-validator';
import type { Caller } from '../../common/procedure.js';
import { Database, run, type Statement } from '../../database/sql.js';
import type { CollectionPage, CollectionView } from '../record.view.js';

const DEFAULT_LIMIT = 100;

/** A tenant's collections by name, with how many records each has. */
export class ListCollections extends Query<CollectionPage> {
  /** Default 100. */
  @IsOptional() @IsInt() @Min(1) @Max(1_000) limit?: number;
  /** The last name of the page before. */
  @IsOptional() @IsString() @MaxLength(100) afterName?: string;

  caller: Caller;
}

/** Reads what was counted as it was written: it costs by collections, not by records. */
const SELECT_COLLECTIONS: Statement = {
  name: 'select-collections',
  text: `
    SELECT collection AS name, sum(records)::float8 AS records, sum(bytes)::float8 AS bytes
    FROM record_total WHERE tenant = $1 AND collection > $2
    GROUP BY collection HAVING sum(records) > 0 ORDER BY collection LIMIT $3`,
};

@QueryHandler(ListCollections)
export class ListCollectionsHandler implements IQueryHandler<ListCollections> {
  constructor(private readonly database: Database) {}

  async execute({ limit = DEFAULT_LIMIT, afterName = '', caller }: ListCollections): Promise<CollectionPage> {
    const rows = await run<CollectionView>(this.database.pool, SELECT_COLLECTIONS, [caller.tenant, afterName, limit + 1]);
    const page = rows.slice(0, limit);
    return { rows: page, limit, nextName: rows.length > limit ? page.at(-1)!.name : null };
  }
}
