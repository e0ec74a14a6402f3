import type { BatchOptions } from '../batch.options.js';
import type { RunStatus } from '../batch.state.js';
import { type Connection, run, type Statement } from '../../database/sql.js';
import type { LaneFence } from './record-outcomes.js';

/**
 * The heartbeat of all lanes of one process in one statement; it also tells what became of their runs, and what changed in their settings.
 * A lane that somebody has locked is left out, for it must not keep the others waiting: its own flush renews the lease as well, and a
 * lock that lasts costs that lane alone.
 */
const RENEW_LEASES: Statement = {
  name: 'renew-leases',
  text: `
    WITH mine AS (
      SELECT * FROM unnest($1::bigint[], $2::smallint[], $3::int[], $5::int[]) AS m (run_id, no, fence, revision)
    ), free AS (
      SELECT l.run_id, l.no FROM lane l JOIN mine m ON l.run_id = m.run_id AND l.no = m.no AND l.fence = m.fence
      WHERE l.lease_until > '-infinity' FOR UPDATE OF l SKIP LOCKED
    ), renewed AS (
      UPDATE lane l SET lease_until = clock_timestamp() + $4 * interval '1 millisecond'
      FROM free WHERE l.run_id = free.run_id AND l.no = free.no
      RETURNING l.run_id, l.no
    )
    SELECT l.run_id, l.no, l.fence, l.width, r.status, r.revision, renewed.no IS NOT NULL AS renewed,
      CASE WHEN r.revision > m.revision THEN (SELECT b.options FROM batch b WHERE b.id = r.batch_id) END AS options
    FROM mine m JOIN lane l ON l.run_id = m.run_id AND l.no = m.no AND l.fence = m.fence AND l.lease_until > '-infinity'
    JOIN run r ON r.id = l.run_id LEFT JOIN renewed ON renewed.run_id = l.run_id AND renewed.no = l.no`,
};

export interface HeldLane {
  run_id: string;
  no: number;
  fence: number;
  /** 0: not used any more. */
  width: number;
  status: RunStatus;
  /** false: somebody has locked it at this moment. */
  renewed: boolean;
  revision: number;
  /** Set when they are newer than those the worker has. */
  options: BatchOptions | null;
}

/** @returns the lanes still held; a lane that is missing was taken over */
export function renewLeases(connection: Connection, lanes: (LaneFence & { revision: number })[], leaseMs: number): Promise<HeldLane[]> {
  return run<HeldLane>(connection, RENEW_LEASES, [
    lanes.map((lane) => lane.runId),
    lanes.map((lane) => lane.no),
    lanes.map((lane) => lane.fence),
    leaseMs,
    lanes.map((lane) => lane.revision),
  ]);
}
