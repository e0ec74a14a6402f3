import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { IsIn, IsOptional } from 'class-validator';
import { type Caller, type Dialect, DIALECTS } from '../../common/procedure.js';
import { Database, run, type Statement } from '../../database/sql.js';
import type { ItemTotals } from '../batch.view.js';
import { TOTALS } from '../store/ended-totals.js';

/** How many items the tenant's batches have, by what became of them. */
export class CountItems extends Query<ItemTotals> {
  /** Default: those of every dialect. */
  @IsOptional() @IsIn(DIALECTS) dialect?: Dialect;

  caller: Caller;
}

/** Sums as float8: exact far beyond any count, and read as a number. */
const COUNT_ITEMS: Statement = {
  name: 'count-items',
  text: `
    SELECT coalesce(sum(batches) FILTER (WHERE active), 0)::int AS "activeBatches",
      coalesce(sum(total), 0)::float8 AS total, coalesce(sum(succeeded), 0)::float8 AS succeeded,
      coalesce(sum(failed), 0)::float8 AS failed, coalesce(sum(skipped), 0)::float8 AS skipped,
      coalesce(sum(total - succeeded - failed - skipped - carried_cancelled) FILTER (WHERE active), 0)::float8 AS open,
      coalesce(sum(CASE WHEN active THEN carried_cancelled ELSE total - succeeded - failed - skipped END), 0)::float8 AS cancelled
    FROM (${TOTALS}) t`,
};

@QueryHandler(CountItems)
export class CountItemsHandler implements IQueryHandler<CountItems> {
  constructor(private readonly database: Database) {}

  async execute({ dialect, caller }: CountItems): Promise<ItemTotals> {
    const [totals] = await run<ItemTotals>(this.database.pool, COUNT_ITEMS, [caller.tenant, dialect ?? null]);
    return totals!;
  }
}
