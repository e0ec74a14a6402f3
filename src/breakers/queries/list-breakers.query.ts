import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import type { Caller } from '../../common/procedure.js';
import { Config } from '../../config.js';
import { Database } from '../../database/sql.js';
import type { BreakerView } from '../breaker.view.js';
import { circuitDefaults } from '../circuit-defaults.js';
import { selectBreakers } from '../store/select-breakers.js';

/** The tenant's circuits that have failed once or that somebody set, by provider; at most a thousand. */
export class ListBreakers extends Query<BreakerView[]> {
  caller: Caller;
}

@QueryHandler(ListBreakers)
export class ListBreakersHandler implements IQueryHandler<ListBreakers> {
  constructor(
    private readonly database: Database,
    private readonly config: Config,
  ) {}

  execute({ caller }: ListBreakers): Promise<BreakerView[]> {
    return selectBreakers(this.database.pool, caller.tenant, circuitDefaults(this.config));
  }
}
