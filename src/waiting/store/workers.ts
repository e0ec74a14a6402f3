import { type Connection, run, type Statement } from '../../database/sql.js';

/** A worker that said nothing for this long counts as gone: five reports that did not come. */
const SILENT_MS = 10_000;

const REPORT: Statement = {
  name: 'report-worker',
  text: `
    WITH gone AS (DELETE FROM worker WHERE id <> $1 AND seen_at < clock_timestamp() - interval '1 hour')
    INSERT INTO worker (id, operations, full_operations, lanes, free_lanes, seen_at) VALUES ($1, $2, $3, $4, $5, clock_timestamp())
    ON CONFLICT (id) DO UPDATE SET full_operations = excluded.full_operations, free_lanes = excluded.free_lanes, seen_at = excluded.seen_at`,
};

export interface WorkerReport {
  id: string;
  operations: string[];
  /** Those of them of which it works as many items as it may. */
  full: string[];
  lanes: number;
  /** Lanes it would take now. */
  free: number;
}

/** Says that a worker lives and how busy it is. */
export async function reportWorker(connection: Connection, { id, operations, full, lanes, free }: WorkerReport): Promise<void> {
  await run(connection, REPORT, [id, operations, full, lanes, free]);
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
      count(*) FILTER (WHERE $1 = ANY (operations) AND free_lanes > 0 AND $1 <> ALL (full_operations))::int AS ready
    FROM worker WHERE seen_at > clock_timestamp() - $2 * interval '1 millisecond'`,
};

/** The workers that live, as one operation sees them. */
export interface Crew {
  workers: number;
  /** Those that know the operation, and their lanes. */
  able: number;
  lanes: number;
  /** Those of them that would take a lane of it now. */
  ready: number;
}

export async function selectCrew(connection: Connection, operation: string): Promise<Crew> {
  const [crew] = await run<Crew>(connection, SELECT_CREW, [operation, SILENT_MS]);
  return crew!;
}
