import { type Connection, run, type Statement } from '../../database/sql.js';

/** A worker that said nothing for this long counts as gone: five reports that did not come. */
const SILENT_MS = 10_000;

const REPORT: Statement = {
  name: 'report-worker',
  text: `
    WITH gone AS (DELETE FROM worker WHERE id <> $1 AND seen_at < clock_timestamp() - interval '1 hour')
    INSERT INTO worker (id, operations, full_operations, hanging_operations, full_tenants, lanes, free_lanes, no_space, seen_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, clock_timestamp())
    ON CONFLICT (id) DO UPDATE SET full_operations = excluded.full_operations, hanging_operations = excluded.hanging_operations,
      full_tenants = excluded.full_tenants, free_lanes = excluded.free_lanes, no_space = excluded.no_space, seen_at = excluded.seen_at`,
};

export interface WorkerReport {
  id: string;
  operations: string[];
  /** Those of them of which it works as many items as it may. */
  full: string[];
  /** Those of them of which too many calls hang. */
  hanging: string[];
  /** Tenants that hold as many of its lanes as they may. */
  fullTenants: string[];
  lanes: number;
  /** Lanes it would take now. */
  free: number;
  /** Why it begins no work, when the database has no space for it. */
  noSpace: string | null;
}

/** Says that a worker lives and how busy it is. */
export async function reportWorker(connection: Connection, report: WorkerReport): Promise<void> {
  const { id, operations, full, hanging, fullTenants, lanes, free, noSpace } = report;
  await run(connection, REPORT, [id, operations, full, hanging, fullTenants, lanes, free, noSpace]);
}

const SIGN_OFF: Statement = { name: 'sign-off-worker', text: 'DELETE FROM worker WHERE id = $1' };

/** Says that a worker takes no more work. */
export async function signOffWorker(connection: Connection, id: string): Promise<void> {
  await run(connection, SIGN_OFF, [id]);
}

const SELECT_CREW: Statement = {
  name: 'select-crew',
  text: `
    SELECT count(*)::int AS workers, count(*) FILTER (WHERE $1 = ANY (operations))::int AS able,
      coalesce(sum(lanes) FILTER (WHERE $1 = ANY (operations)), 0)::int AS lanes,
      count(*) FILTER (WHERE $1 = ANY (operations) AND free_lanes > 0 AND $1 <> ALL (full_operations) AND $3 <> ALL (full_tenants))::int AS ready,
      count(*) FILTER (WHERE $1 = ANY (operations) AND $1 = ANY (hanging_operations))::int AS hanging,
      max(no_space) FILTER (WHERE $1 = ANY (operations)) AS no_space
    FROM worker WHERE seen_at > clock_timestamp() - $2 * interval '1 millisecond'`,
};

/** The workers that live, as one operation of a tenant sees them. */
export interface Crew {
  workers: number;
  /** Those that know the operation, and their lanes. */
  able: number;
  lanes: number;
  /** Those of them that would take a lane of it now. */
  ready: number;
  /** Those of them that start no item of it, because too many of its calls hang. */
  hanging: number;
  /** Why some of them begin no work, when the database has no space for it. */
  no_space: string | null;
}

export async function selectCrew(connection: Connection, operation: string, tenant: string): Promise<Crew> {
  const [crew] = await run<Crew>(connection, SELECT_CREW, [operation, SILENT_MS, tenant]);
  return crew!;
}
