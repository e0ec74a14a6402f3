import type { BatchOptions } from '../batch.options.js';
import type { RunStatus } from '../batch.state.js';
import { type Connection, run, type Statement } from '../../database/sql.js';
import type { LaneFence } from './record-outcomes.js';

/** The heartbeat of all lanes of one process in one statement; it also tells what became of their runs, and what changed in their settings. */
const RENEW_LEASES: Statement = {
  name: 'renew-leases',
  text: `
    UPDATE lane l SET lease_until = clock_timestamp() + $4 * interval '1 millisecond'
    FROM unnest($1::bigint[], $2::smallint[], $3::int[], $5::int[]) AS mine (run_id, no, fence, revision), run r
    WHERE l.run_id = mine.run_id AND l.no = mine.no AND l.fence = mine.fence AND l.lease_until > '-infinity' AND r.id = l.run_id
    RETURNING l.run_id, l.no, l.fence, l.width, r.status, r.revision,
      CASE WHEN r.revision > mine.revision THEN (SELECT b.options FROM batch b WHERE b.id = r.batch_id) END AS options`,
};

export interface RenewedLane {
  run_id: string;
  no: number;
  fence: number;
  /** 0: not used any more. */
  width: number;
  status: RunStatus;
  revision: number;
  /** Set when they are newer than those the worker has. */
  options: BatchOptions | null;
}

/** @returns the lanes still held; a lane that is missing was taken over */
export function renewLeases(connection: Connection, lanes: (LaneFence & { revision: number })[], leaseMs: number): Promise<RenewedLane[]> {
  return run<RenewedLane>(connection, RENEW_LEASES, [
    lanes.map((lane) => lane.runId),
    lanes.map((lane) => lane.no),
    lanes.map((lane) => lane.fence),
    leaseMs,
    lanes.map((lane) => lane.revision),
  ]);
}
