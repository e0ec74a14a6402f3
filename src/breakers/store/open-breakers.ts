import { type Connection, run, type Statement } from '../../database/sql.js';
import type { OpenBreaker } from '../breaker.view.js';

const SELECT_OPEN: Statement = {
  name: 'select-open-breakers',
  text: `
    SELECT provider,
      CASE forced WHEN 'open' THEN changed_at ELSE opened_at END AS since,
      CASE WHEN forced IS NULL THEN greatest(open_until, probe_until) END AS until,
      CASE forced WHEN 'open' THEN 'its circuit was opened by hand' || coalesce(' by ' || changed_by, '')
        ELSE 'it failed ' || failed || ' times in a row' || coalesce('; the last time: ' || last_error, '') END AS why
    FROM circuit_breaker WHERE tenant = $1 AND (forced = 'open' OR (forced IS NULL AND opened_at IS NOT NULL))
    ORDER BY provider LIMIT 100`,
};

/** The tenant's circuits that keep items waiting, the first hundred by name. */
export function openBreakers(connection: Connection, tenant: string): Promise<OpenBreaker[]> {
  return run<OpenBreaker>(connection, SELECT_OPEN, [tenant]);
}
