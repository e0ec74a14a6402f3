import { Command, CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { IsIn, IsInt, Matches, Max, Min } from 'class-validator';
import { AppError, invalidField } from '../../common/app-error.js';
import { Nullable } from '../../common/nullable.js';
import type { Caller } from '../../common/procedure.js';
import { Config } from '../../config.js';
import { type Connection, Database, run, type Statement } from '../../database/sql.js';
import type { BreakerView } from '../breaker.view.js';
import { circuitDefaults } from '../circuit-defaults.js';
import { PROVIDER_NAME } from '../provider-name.js';
import { selectBreaker } from '../store/select-breakers.js';
import { wakeItems } from '../store/wake-items.js';

const MAX_PROVIDERS = 100;

/**
 * Sets when the tenant's circuit to a provider opens, or holds it open or closed until it is changed again; in all processes within a
 * second. What is not given stays. To hold it closed forgets its failures; items that wait for the provider then go on at once.
 */
export class UpdateBreaker extends Command<BreakerView> {
  @Matches(PROVIDER_NAME) provider: string;
  /** Failures in a row that open it; null: the service's setting. */
  @Nullable() @IsInt() @Min(1) @Max(1_000) failures?: number | null;
  /** Milliseconds that it stays open, from the next time it opens; null: the service's setting. */
  @Nullable() @IsInt() @Min(1) @Max(3_600_000) openMs?: number | null;
  /** null: it goes by what happens. */
  @Nullable() @IsIn(['open', 'closed']) forced?: 'open' | 'closed' | null;

  caller: Caller;
}

const NOW_CLOSED = `($7 AND $8::text IS NOT DISTINCT FROM 'closed')`;

const UPDATE: Statement = {
  name: 'update-breaker',
  text: `
    INSERT INTO circuit_breaker AS b (tenant, provider, failures, open_ms, forced, changed_by, changed_at)
    SELECT $1, $2, $4, $6, $8, $9, clock_timestamp()
    WHERE EXISTS (SELECT FROM circuit_breaker WHERE tenant = $1 AND provider = $2)
      OR (SELECT count(*) FROM circuit_breaker WHERE tenant = $1) < ${MAX_PROVIDERS}
    ON CONFLICT (tenant, provider) DO UPDATE SET
      failures = CASE WHEN $3 THEN excluded.failures ELSE b.failures END,
      open_ms = CASE WHEN $5 THEN excluded.open_ms ELSE b.open_ms END,
      forced = CASE WHEN $7 THEN excluded.forced ELSE b.forced END,
      failed = CASE WHEN ${NOW_CLOSED} THEN 0 ELSE b.failed END,
      opened_at = CASE WHEN ${NOW_CLOSED} THEN NULL ELSE b.opened_at END,
      open_until = CASE WHEN ${NOW_CLOSED} THEN NULL ELSE b.open_until END,
      probe = CASE WHEN ${NOW_CLOSED} THEN NULL ELSE b.probe END,
      probe_until = CASE WHEN ${NOW_CLOSED} THEN NULL ELSE b.probe_until END,
      changed_by = excluded.changed_by, changed_at = excluded.changed_at
    RETURNING 1`,
};

@CommandHandler(UpdateBreaker)
export class UpdateBreakerHandler implements ICommandHandler<UpdateBreaker> {
  constructor(
    private readonly database: Database,
    private readonly config: Config,
  ) {}

  /** @throws AppError CONFLICT when the tenant has a hundred others */
  async execute(input: UpdateBreaker): Promise<BreakerView> {
    const { provider, caller, failures, openMs, forced } = input;
    if (failures === undefined && openMs === undefined && forced === undefined) {
      throw invalidField('forced', 'give it, failures or openMs, or several of them');
    }
    return this.database.transaction(async (connection) => {
      await this.write(connection, input);
      const breaker = await selectBreaker(connection, { tenant: caller.tenant, provider }, circuitDefaults(this.config));
      if (breaker.state === 'closed') await wakeItems(connection, caller.tenant, provider);
      return breaker;
    });
  }

  private async write(connection: Connection, { provider, caller, failures, openMs, forced }: UpdateBreaker): Promise<void> {
    const settings = [failures, openMs, forced].flatMap((value) => [value !== undefined, value ?? null]);
    const written = await run(connection, UPDATE, [caller.tenant, provider, ...settings, caller.subject ?? null]);
    if (written.length === 0)
      throw new AppError('CONFLICT', `there are settings of ${MAX_PROVIDERS} providers already; change one of those`);
  }
}
