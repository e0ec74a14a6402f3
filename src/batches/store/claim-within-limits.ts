import type { Config } from '../../config.js';
import { type Connection, type Database, run, type Statement } from '../../database/sql.js';
import { type Claim, claimLane, type LaneClaim, UNLIMITED } from './claim-lane.js';
import type { LaneFence } from './record-outcomes.js';

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

/** A lane whose worker died counts until its lease has ended: its items may still run. So it does if it was claimed before there were limits. */
const SUM_GRANTED: Statement = {
  name: 'sum-granted',
  text: `
    SELECT mine.tenant, mine.operation, coalesce(sum(l.items), 0)::int AS total,
      coalesce(sum(l.items) FILTER (WHERE l.tenant = mine.tenant), 0)::int AS of_tenant,
      coalesce(sum(l.items) FILTER (WHERE l.operation = mine.operation), 0)::int AS of_operation,
      coalesce(sum(l.items) FILTER (WHERE l.run_id = $1), 0)::int AS of_run
    FROM (SELECT o.tenant, o.operation FROM run JOIN batch o ON o.id = run.batch_id WHERE run.id = $1) mine
    LEFT JOIN (
      SELECT l.run_id, b.tenant, b.operation, CASE l.granted WHEN ${UNLIMITED} THEN l.width ELSE l.granted END AS items
      FROM run r JOIN batch b ON b.id = r.batch_id JOIN lane l ON l.run_id = r.id
      WHERE r.status IN ('running', 'paused', 'stopping') AND l.lease_until > clock_timestamp()
    ) l ON true
    GROUP BY mine.tenant, mine.operation`,
};

interface Granted {
  tenant: string;
  operation: string;
  total: number;
  of_tenant: number;
  of_operation: number;
  /** Of the run that asks. */
  of_run: number;
}

/** Claims a lane for as many items as the limits leave. @returns `full` when they leave none */
export function claimWithinLimits(
  database: Database,
  claim: Omit<LaneClaim, 'room'>,
  limits: ConcurrencyLimits,
): Promise<Claim & { room: number; full?: Room }> {
  return database.transaction(async (connection) => {
    await run(connection, TAKE_TURNS, []);
    const left = await roomWithin(connection, claim.runId, limits);
    // Deleted meanwhile.
    if (!left) return { room: 0 };
    if (left.room <= 0) return { room: 0, full: left };
    return { ...(await claimLane(connection, { ...claim, room: left.room })), room: left.room };
  });
}

/** What its worker may still fill, or has in flight, counts until the worker has heard of less: else the limit would be passed meanwhile. */
const FIT_ROOM: Statement = {
  name: 'fit-room',
  text: `
    UPDATE lane SET granted = greatest($5, least(width, granted + $4::int))
    WHERE run_id = $1 AND no = $2 AND fence = $3 AND lease_until > '-infinity' AND granted <> greatest($5, least(width, granted + $4::int))
    RETURNING granted`,
};

/**
 * Gives a held lane what the limits leave, as far as it is wide.
 * @param used items that its worker may have in flight by what it knows
 * @returns how many items it may work now; undefined when that stays as it is, or the lane is not held any more
 */
export function fitRoom(
  database: Database,
  { runId, no, fence }: LaneFence,
  used: number,
  limits: ConcurrencyLimits,
): Promise<number | undefined> {
  return database.transaction(async (connection) => {
    await run(connection, TAKE_TURNS, []);
    const left = await roomWithin(connection, runId, limits);
    const [fitted] = await run<{ granted: number }>(connection, FIT_ROOM, [
      runId,
      no,
      fence,
      Math.max(0, Math.min(left?.room ?? 0, UNLIMITED)),
      used,
    ]);
    return fitted?.granted;
  });
}

/** What the tightest limit leaves. */
export interface Room {
  /** Items; less than 1: none. */
  room: number;
  of: 'service' | 'tenant' | 'operation';
  /** Items side by side that it allows. */
  limit: number;
  /** Those of the run that asks, and how many items it may work side by side already. */
  tenant: string;
  operation: string;
  ofRun: number;
}

/** @returns undefined for a run that is not there any more */
export async function roomWithin(connection: Connection, runId: string, limits: ConcurrencyLimits): Promise<Room | undefined> {
  const [granted] = await run<Granted>(connection, SUM_GRANTED, [runId]);
  if (!granted) return undefined;
  const { tenant, operation, of_run: ofRun } = granted;
  const ofTenant = limits.ofTenant(tenant);
  const ofOperation = limits.ofOperation(operation);
  const rooms: Pick<Room, 'of' | 'limit' | 'room'>[] = [
    { of: 'service', limit: limits.total, room: limits.total - granted.total },
    { of: 'tenant', limit: ofTenant, room: ofTenant - granted.of_tenant },
    { of: 'operation', limit: ofOperation, room: ofOperation - granted.of_operation },
  ];
  const tightest = rooms.reduce((least, each) => (each.room < least.room ? each : least));
  return { ...tightest, tenant, operation, ofRun };
}
