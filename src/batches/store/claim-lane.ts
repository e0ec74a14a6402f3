import type { BatchOptions } from '../batch.options.js';
import { type Connection, run, type Statement } from '../../database/sql.js';
import type { TallyJson } from '../tally.js';
import { claimChunks, type ClaimedWork, toClaimedWork, workColumns, type WorkRow } from './claim-chunks.js';

/** `granted` of a lane that no limits over batches concern: more than any lane is wide, and the most that a smallint holds. */
export const UNLIMITED = 32_767;

/**
 * Takes a running run's first free lane, unless the run waits for tokens of its rate limit or its operation is one of `$3`. A lane whose
 * lease ended without being given back had a worker that died: its chunks become pending again and remember the crash, with the item
 * that ran alone at the time, if one did. That also goes for a lane that is not used any more (width 0). `$4` is what the limits over
 * batches leave; without any the lane may run as many as it is wide, also when that changes. The lane's first chunks come with it, unless it
 * is there for those of a dead worker, or nothing may start in it yet. Under a rate limit nothing runs before there are tokens.
 */
const CLAIM_LANE: Statement = {
  name: 'claim-lane',
  text: `
    WITH free AS (
      SELECT l.run_id, l.no,
        CASE WHEN b.options ->> 'rateLimitPerMinute' IS NOT NULL OR jsonb_typeof(b.options -> 'rateLimitPool') = 'object' THEN 0 END AS busy
      FROM lane l JOIN run r ON r.id = l.run_id JOIN batch b ON b.id = r.batch_id AND NOT b.external
      WHERE l.run_id = $1 AND l.lease_until < clock_timestamp() AND (l.width > 0 OR l.lease_until > '-infinity') AND r.status = 'running'
        AND r.held_until < clock_timestamp() AND b.operation <> ALL ($3::text[])
      ORDER BY l.no LIMIT 1
      FOR UPDATE OF l SKIP LOCKED
    ), taken AS (
      UPDATE lane l SET fence = l.fence + 1, lease_until = clock_timestamp() + $2 * interval '1 millisecond',
        claimed_at = clock_timestamp(), busy = free.busy, granted = CASE WHEN $4 < ${UNLIMITED} THEN least(l.width, $4) ELSE ${UNLIMITED} END
      FROM free WHERE l.run_id = free.run_id AND l.no = free.no
      RETURNING l.run_id, l.no, l.width, l.fence, l.succeeded, l.failed, l.skipped, l.tally
    ), reclaimed AS (
      UPDATE chunk c SET state = 0, lane = NULL, crashes = c.crashes + 1, suspect = NULL,
        suspects = CASE WHEN c.suspect IS NULL THEN c.suspects ELSE c.suspects || c.suspect END
      FROM taken WHERE c.run_id = taken.run_id AND c.lane = taken.no AND c.state = 1
      RETURNING c.no
    ), ready AS (
      SELECT FROM taken JOIN run r ON r.id = taken.run_id JOIN batch b ON b.id = r.batch_id
      WHERE taken.width > 0 AND b.options ->> 'rampUp' IS NULL AND NOT EXISTS (SELECT FROM reclaimed)
    ), ${claimChunks({ lane: '(SELECT no FROM taken)', limit: '$5', condition: 'EXISTS (SELECT FROM ready)' })}
    SELECT taken.no AS lane_no, taken.width, taken.fence, taken.succeeded, taken.failed, taken.skipped, taken.tally,
      b.id AS batch_id, b.tenant, b.operation, b.parameters, b.options, r.no AS run_no, r.revision,
      extract(epoch FROM clock_timestamp() - r.started_at)::float8 * 1000 AS elapsed_ms,
      (SELECT count(*)::int FROM reclaimed) AS reclaimed, EXISTS (SELECT FROM ready) AS ready, ${workColumns()}
    FROM run r JOIN batch b ON b.id = r.batch_id LEFT JOIN taken ON true LEFT JOIN claimed c ON true
    WHERE r.id = $1 AND (taken.no IS NOT NULL OR b.operation = ANY ($3::text[]))
    ORDER BY c.no`,
};

export interface ClaimedLane {
  run_id: string;
  no: number;
  width: number;
  fence: number;
  succeeded: number;
  failed: number;
  skipped: number;
  tally: TallyJson | null;
  batch_id: string;
  tenant: string;
  operation: string;
  parameters: Record<string, unknown>;
  /** As of `revision`. */
  options: BatchOptions;
  revision: number;
  run_no: number;
  /** Milliseconds since the run was started. */
  elapsed_ms: number;
  /** Chunks taken over from a worker that died. */
  reclaimed: number;
  /** Its first chunks. Unset: it was not asked for any, or could not take them. */
  work?: ClaimedWork;
}

interface LaneRow extends Omit<ClaimedLane, 'no' | 'run_id' | 'work'> {
  /** Null: the run is a slotted operation's, and no lane was taken. */
  lane_no: number | null;
  ready: boolean;
}

export interface LaneClaim {
  runId: string;
  leaseMs: number;
  /** Operations whose items are worked in slots, the most urgent run's first, which may not be this run's: no lane of theirs is taken. */
  slotted: string[];
  /** Items side by side that the limits over batches leave; the lane counts for no more. Infinity: there is no limit. */
  room: number;
  /** Chunks to claim with it; 0: none, and the lane's worker asks for them. */
  chunks: number;
}

/** What a bell leads to. Nothing: somebody else does the work, or the run is not running; drop the bell. */
export interface Claim {
  lane?: ClaimedLane;
  /** The run's operation, when it is one of the slotted ones. */
  slotted?: string;
}

export async function claimLane(connection: Connection, { runId, leaseMs, slotted, room, chunks }: LaneClaim): Promise<Claim> {
  const values = [runId, leaseMs, slotted, Math.min(room, UNLIMITED), chunks];
  const rows = await run<LaneRow & WorkRow>(connection, CLAIM_LANE, values);
  const [row] = rows;
  if (!row) return {};
  const { lane_no: no, width, fence, succeeded, failed, skipped, tally, batch_id, tenant, operation, parameters, options } = row;
  if (no === null) return { slotted: operation };
  const { revision, run_no, elapsed_ms, reclaimed } = row;
  const counts = { succeeded, failed, skipped, tally };
  const batch = { batch_id, tenant, operation, parameters, options, revision, run_no, elapsed_ms };
  const work = row.ready && chunks > 0 ? toClaimedWork(rows) : undefined;
  return { lane: { run_id: runId, no, width, fence, ...counts, ...batch, reclaimed, work } };
}
