import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { IsIn, IsOptional } from 'class-validator';
import { type Caller, type Dialect, DIALECTS } from '../../common/procedure.js';
import { Database, run, type Statement } from '../../database/sql.js';
import type { ItemTotals } from '../batch.view.js';

/** How many items the tenant's batches have, by what became of them. */
export class CountItems extends Query<ItemTotals> {
  /** Default: those of every dialect. */
  @IsOptional() @IsIn(DIALECTS) dialect?: Dialect;

  caller: Caller;
}

/** Until a run has ended its counts are the sums over its lanes. Sums as float8: exact far beyond any count, and read as a number. */
const COUNT_ITEMS: Statement = {
  name: 'count-items',
  text: `
    SELECT count(*) FILTER (WHERE active)::int AS "activeBatches",
      coalesce(sum(total), 0)::float8 AS total, coalesce(sum(succeeded), 0)::float8 AS succeeded,
      coalesce(sum(failed), 0)::float8 AS failed, coalesce(sum(skipped), 0)::float8 AS skipped,
      coalesce(sum(total - succeeded - failed - skipped - carried_cancelled) FILTER (WHERE active), 0)::float8 AS open,
      coalesce(sum(CASE WHEN active THEN carried_cancelled ELSE total - succeeded - failed - skipped END), 0)::float8 AS cancelled
    FROM (
      SELECT r.total + r.carried_succeeded + r.carried_failed + r.carried_skipped + r.carried_cancelled AS total,
        r.status IN ('pending', 'running', 'paused') AS active, r.carried_cancelled,
        coalesce(done.succeeded, r.succeeded) + r.carried_succeeded AS succeeded,
        coalesce(done.failed, r.failed) + r.carried_failed AS failed, coalesce(done.skipped, r.skipped) + r.carried_skipped AS skipped
      FROM batch b
      JOIN run r ON r.id = b.run_id
      LEFT JOIN LATERAL (
        SELECT sum(l.succeeded) AS succeeded, sum(l.failed) AS failed, sum(l.skipped) AS skipped
        FROM lane l WHERE l.run_id = r.id AND r.ended_at IS NULL
      ) done ON true
      WHERE b.tenant = $1 AND ($2::text IS NULL OR b.dialect = $2)
    ) runs`,
};

@QueryHandler(CountItems)
export class CountItemsHandler implements IQueryHandler<CountItems> {
  constructor(private readonly database: Database) {}

  async execute({ dialect, caller }: CountItems): Promise<ItemTotals> {
    const [totals] = await run<ItemTotals>(this.database.pool, COUNT_ITEMS, [caller.tenant, dialect ?? null]);
    return totals!;
  }
}
