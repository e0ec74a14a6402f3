import type { Config } from '../../config.js';
import { type Connection, type Database, run, type Statement } from '../../database/sql.js';
import { type Claim, claimLane, type LaneClaim } from './claim-lane.js';

/** How many items may run side by side over batches, processes and machines. Infinity: no limit. */
export interface ConcurrencyLimits {
  total: number;
  ofTenant: (tenant: string) => number;
  ofOperation: (operation: string) => number;
}

/** @returns undefined when the service is configured with none */
export function concurrencyLimitsOf(config: Config): ConcurrencyLimits | undefined {
  const { maxConcurrency, tenantConcurrency, tenantConcurrencyOf, operationConcurrencyOf } = config;
  if ((maxConcurrency ?? tenantConcurrency) === undefined && tenantConcurrencyOf.size + operationConcurrencyOf.size === 0) return undefined;
  return {
    total: maxConcurrency ?? Infinity,
    ofTenant: (tenant) => tenantConcurrencyOf.get(tenant) ?? tenantConcurrency ?? Infinity,
    ofOperation: (operation) => operationConcurrencyOf.get(operation) ?? Infinity,
  };
}

/** One claim at a time, in all processes: what the one sees free is not given to another meanwhile. */
const TAKE_TURNS: Statement = { name: 'take-turns-at-claiming', text: `SELECT pg_advisory_xact_lock(hashtext('batchwise: claims'))` };

/** A lane whose worker died counts until its lease has ended: its items may still run. */
const SUM_GRANTED: Statement = {
  name: 'sum-granted',
  text: `
    SELECT mine.tenant, mine.operation, coalesce(sum(l.granted), 0)::int AS total,
      coalesce(sum(l.granted) FILTER (WHERE b.tenant = mine.tenant), 0)::int AS of_tenant,
      coalesce(sum(l.granted) FILTER (WHERE b.operation = mine.operation), 0)::int AS of_operation
    FROM (SELECT o.tenant, o.operation FROM run JOIN batch o ON o.id = run.batch_id WHERE run.id = $1) mine
    LEFT JOIN (
      run r JOIN batch b ON b.id = r.batch_id JOIN lane l ON l.run_id = r.id
    ) ON r.status IN ('running', 'paused', 'stopping') AND l.lease_until > clock_timestamp()
    GROUP BY mine.tenant, mine.operation`,
};

interface Granted {
  tenant: string;
  operation: string;
  total: number;
  of_tenant: number;
  of_operation: number;
}

/** Claims a lane for as many items as the limits leave. @returns `isFull` when they leave none */
export function claimWithinLimits(
  database: Database,
  claim: Omit<LaneClaim, 'room'>,
  limits: ConcurrencyLimits,
): Promise<Claim & { isFull: boolean; room: number }> {
  return database.transaction(async (connection) => {
    await run(connection, TAKE_TURNS, []);
    const { room } = await roomWithin(connection, claim.runId, limits);
    if (room <= 0) return { isFull: true, room };
    return { ...(await claimLane(connection, { ...claim, room })), isFull: false, room };
  });
}

/** What the tightest limit leaves. */
export interface Room {
  /** Items; less than 1: none. */
  room: number;
  of: 'service' | 'tenant' | 'operation';
  /** Items side by side that it allows. */
  limit: number;
}

export async function roomWithin(connection: Connection, runId: string, limits: ConcurrencyLimits): Promise<Room> {
  const [granted] = await run<Granted>(connection, SUM_GRANTED, [runId]);
  // A run that has been deleted meanwhile.
  if (!granted) return { room: 0, of: 'service', limit: limits.total };
  const ofTenant = limits.ofTenant(granted.tenant);
  const ofOperation = limits.ofOperation(granted.operation);
  const rooms: Room[] = [
    { of: 'service', limit: limits.total, room: limits.total - granted.total },
    { of: 'tenant', limit: ofTenant, room: ofTenant - granted.of_tenant },
    { of: 'operation', limit: ofOperation, room: ofOperation - granted.of_operation },
  ];
  return rooms.reduce((tightest, each) => (each.room < tightest.room ? each : tightest));
}
