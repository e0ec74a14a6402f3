import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { IsInt, IsOptional, IsString, Max, MaxLength, Min } from 'class-validator';
import type { Caller } from '../../common/procedure.js';
import { Database, run, type Statement } from '../../database/sql.js';
import type { CollectionPage } from '../record.view.js';

const DEFAULT_LIMIT = 100;

/** The names of a tenant's collections. How many records one has, its list counts. */
export class ListCollections extends Query<CollectionPage> {
  /** Default 100. */
  @IsOptional() @IsInt() @Min(1) @Max(1_000) limit?: number;
  /** The last name of the page before. */
  @IsOptional() @IsString() @MaxLength(100) afterName?: string;

  caller: Caller;
}

/** Jumps in the index from each collection to the next: it costs by collections, not by records. */
const SELECT_COLLECTIONS: Statement = {
  name: 'select-collections',
  text: `
    WITH RECURSIVE found (name, no) AS (
      (SELECT collection, 1 FROM record WHERE tenant = $1 AND collection > $2 ORDER BY collection LIMIT 1)
      UNION ALL
      SELECT (SELECT collection FROM record WHERE tenant = $1 AND collection > found.name ORDER BY collection LIMIT 1), no + 1
      FROM found WHERE found.name IS NOT NULL AND no < $3
    )
    SELECT name FROM found WHERE name IS NOT NULL ORDER BY no`,
};

@QueryHandler(ListCollections)
export class ListCollectionsHandler implements IQueryHandler<ListCollections> {
  constructor(private readonly database: Database) {}

  async execute({ limit = DEFAULT_LIMIT, afterName = '', caller }: ListCollections): Promise<CollectionPage> {
    const rows = await run<{ name: string }>(this.database.pool, SELECT_COLLECTIONS, [caller.tenant, afterName, limit + 1]);
    const page = rows.slice(0, limit);
    return { rows: page, limit, nextName: rows.length > limit ? page.at(-1)!.name : null };
  }
}
