import { type Connection, run, type Statement } from '../../database/sql.js';
import type { BreakerView } from '../breaker.view.js';
import type { CircuitDefaults } from '../circuit-defaults.js';

/** $1: the tenant; $2, $3: the service's settings. */
const BREAKER = `
  provider, forced, coalesce(failures, $2::int) AS failures, coalesce(open_ms, $3::int) AS "openMs", failed, last_error AS "lastError",
  CASE WHEN coalesce(forced, 'open') = 'closed' OR (forced IS NULL AND opened_at IS NULL) THEN 'closed'
    WHEN forced = 'open' OR open_until > clock_timestamp() THEN 'open' ELSE 'half_open' END AS state,
  CASE forced WHEN 'open' THEN changed_at WHEN 'closed' THEN NULL ELSE opened_at END AS since,
  CASE WHEN forced IS NULL THEN greatest(open_until, probe_until) END AS until,
  changed_by AS "changedBy", changed_at AS "changedAt"`;

/** More than a tenant can set, and than there are handlers that know providers. */
const MAX_LISTED = 1_000;

const SELECT_ALL: Statement = {
  name: 'select-breakers',
  text: `SELECT ${BREAKER} FROM circuit_breaker WHERE tenant = $1 ORDER BY provider LIMIT ${MAX_LISTED}`,
};

const SELECT_ONE: Statement = {
  name: 'select-breaker',
  text: `SELECT ${BREAKER} FROM circuit_breaker WHERE tenant = $1 AND provider = $4`,
};

type BreakerRow = Omit<BreakerView, 'since' | 'until' | 'changedAt'> & { since: Date | null; until: Date | null; changedAt: Date | null };

/** Those that something is known of, by name. */
export async function selectBreakers(
  connection: Connection,
  tenant: string,
  { failures, openMs }: CircuitDefaults,
): Promise<BreakerView[]> {
  return (await run<BreakerRow>(connection, SELECT_ALL, [tenant, failures, openMs])).map(toView);
}

/** One of which nothing is known is closed and has the service's settings. */
export async function selectBreaker(
  connection: Connection,
  { tenant, provider }: { tenant: string; provider: string },
  { failures, openMs }: CircuitDefaults,
): Promise<BreakerView> {
  const [row] = await run<BreakerRow>(connection, SELECT_ONE, [tenant, failures, openMs, provider]);
  if (row) return toView(row);
  const unset = { forced: null, lastError: null, since: null, until: null, changedBy: null, changedAt: null };
  return { provider, state: 'closed', failures, openMs, failed: 0, ...unset };
}

function toView({ since, until, changedAt, ...row }: BreakerRow): BreakerView {
  const [sinceText, untilText, changedText] = [since, until, changedAt].map((at) => at?.toISOString() ?? null);
  return { ...row, since: sinceText!, until: untilText!, changedAt: changedText! };
}
