import { type IQueryHandler, Query, QueryHandler } from '@nestjs/cqrs';
import { Matches } from 'class-validator';
import type { Caller } from '../../common/procedure.js';
import { Config } from '../../config.js';
import { Database } from '../../database/sql.js';
import type { BreakerView } from '../breaker.view.js';
import { circuitDefaults } from '../circuit-defaults.js';
import { PROVIDER_NAME } from '../provider-name.js';
import { selectBreaker } from '../store/select-breakers.js';

/** The tenant's circuit to a provider. One that never failed and nobody set is closed. */
export class GetBreaker extends Query<BreakerView> {
  @Matches(PROVIDER_NAME) provider: string;

  caller: Caller;
}

@QueryHandler(GetBreaker)
export class GetBreakerHandler implements IQueryHandler<GetBreaker> {
  constructor(
    private readonly database: Database,
    private readonly config: Config,
  ) {}

  execute({ provider, caller }: GetBreaker): Promise<BreakerView> {
    return selectBreaker(this.database.pool, { tenant: caller.tenant, provider }, circuitDefaults(this.config));
  }
}
