import { doubleArray, integerArray, smallintArray, textArray } from '../../database/binary-array.js';
import { type Connection, run, type Statement } from '../../database/sql.js';
import { claimChunks, type ClaimedWork, toClaimedWork, workColumns, type WorkRow } from './claim-chunks.js';

const NEXT_RETRY_AT = 'least((SELECT min(due_at) FROM retry WHERE run_id = $1), (SELECT min(due_at) FROM deferred))';
/** Like its lane, a run may have been stopped meanwhile. */
const MAY_CLAIM = `EXISTS (SELECT FROM held) AND (SELECT status FROM run WHERE id = $1) = 'running'`;

/**
 * One flush of a lane, whole or not at all: prove the fence, write outcomes and retries, add to the lane's counts, move its
 * chunks on, and claim the next ones. Everything hangs on `held`: when the lane was taken over meanwhile, nothing happens.
 * The outcome's primary key is the second guard: a result that was recorded before makes the whole flush fail.
 */
const RECORD_OUTCOMES: Statement = {
  name: 'record-outcomes',
  text: `
    WITH held AS (
      UPDATE lane SET
        lease_until = CASE WHEN $4 THEN '-infinity' ELSE clock_timestamp() + $5 * interval '1 millisecond' END,
        succeeded = succeeded + $6, failed = failed + $7, skipped = skipped + $8,
        tally = coalesce($9::json, tally), item_progress = $10, busy = $25
      WHERE run_id = $1 AND no = $2 AND fence = $3 AND lease_until > '-infinity'
      RETURNING 1
    ), recorded AS (
      INSERT INTO outcome (run_id, seq, status, attempts, duration_ms, quality, key, error_kind, error, error_stack, output)
      SELECT $1, o.* FROM ROWS FROM (
        unnest($11::int[], $12::smallint[], $13::smallint[], $14::float8[], $15::float8[], $16::text[], $17::text[], $18::text[], $19::text[]),
        json_array_elements($20::json)
      ) AS o WHERE EXISTS (SELECT FROM held)
    ), compensations AS (
      INSERT INTO compensation (run_id, seq, value)
      SELECT $1, c.seq, c.value FROM jsonb_to_recordset($24::jsonb) AS c (seq int, value jsonb) WHERE EXISTS (SELECT FROM held)
    ), deferred AS (
      INSERT INTO retry (run_id, seq, due_at, attempt, key, payload, error_kind, error, waits_for, waited_ms)
      SELECT $1, d.seq, clock_timestamp() + d.delay_ms * interval '1 millisecond', d.attempt, d.key, d.payload::json, d.error_kind, d.error,
        d.waits_for, coalesce(d.waited_ms, 0)
      FROM json_to_recordset($21::json) AS d (
        seq int, delay_ms float8, attempt smallint, key text, payload text, error_kind text, error text, waits_for text, waited_ms float8
      )
      WHERE EXISTS (SELECT FROM held)
      RETURNING due_at
    ), moved AS (
      UPDATE chunk c SET state = m.state, settled = m.settled, suspect = NULL, lane = CASE m.state WHEN 0 THEN NULL ELSE c.lane END
      FROM json_to_recordset($22::json) AS m (no bigint, state smallint, settled smallint[])
      WHERE c.run_id = $1 AND c.no = m.no AND c.lane = $2 AND c.state = 1 AND EXISTS (SELECT FROM held)
    ), ${claimChunks({ lane: '$2', limit: '$23', condition: MAY_CLAIM })}
    SELECT EXISTS (SELECT FROM held) AS held, ${workColumns(NEXT_RETRY_AT)}
    FROM (SELECT 1) one LEFT JOIN claimed c ON true
    ORDER BY c.no`,
};

export interface LaneFence {
  runId: string;
  no: number;
  fence: number;
}

export interface RecordedOutcome {
  seq: number;
  /** see OUTCOME_STATUS */
  status: number;
  attempts: number;
  durationMs: number | null;
  quality: number | null;
  key: string;
  errorKind: string | null;
  error: string | null;
  errorStack: string | null;
  /** JSON text, 'null' for none */
  output: string;
  /** What would undo it: JSON text, null for nothing. */
  compensation: string | null;
}

/**
 * An item that will be tried again, or that its stopped batch leaves undone, as JSON text of `{ seq, delay_ms, attempt, key, payload,
 * error_kind, error, waits_for?, waited_ms }`; the payload is JSON text in it.
 */
export type DeferredItem = string;

export interface MovedChunk {
  no: string;
  /** see CHUNK_STATE */
  state: number;
  /** Indexes of its items that are recorded or deferred. */
  settled: number[];
}

export interface Flush {
  release: boolean;
  leaseMs: number;
  counts: { succeeded: number; failed: number; skipped: number };
  /** JSON text, or null to leave it. */
  tally: string | null;
  itemProgress: Record<number, number> | null;
  /** Items at work, where fewer may be than the lane holds and is wide; null: as many as that. */
  busy: number | null;
  outcomes: RecordedOutcome[];
  deferred: DeferredItem[];
  moved: MovedChunk[];
  /** How many pending chunks to claim. */
  claim: number;
}

export interface Flushed extends ClaimedWork {
  /** False when the lane was taken over: nothing of the flush was written. */
  held: boolean;
}

export async function recordOutcomes(connection: Connection, lane: LaneFence, flush: Flush): Promise<Flushed> {
  const { outcomes } = flush;
  const rows = await run<WorkRow & { held: boolean }>(connection, RECORD_OUTCOMES, [
    lane.runId,
    lane.no,
    lane.fence,
    flush.release,
    flush.leaseMs,
    flush.counts.succeeded,
    flush.counts.failed,
    flush.counts.skipped,
    flush.tally,
    flush.itemProgress && JSON.stringify(flush.itemProgress),
    integerArray(outcomes.map((outcome) => outcome.seq)),
    smallintArray(outcomes.map((outcome) => outcome.status)),
    smallintArray(outcomes.map((outcome) => outcome.attempts)),
    doubleArray(outcomes.map((outcome) => outcome.durationMs)),
    doubleArray(outcomes.map((outcome) => outcome.quality)),
    textArray(outcomes.map((outcome) => outcome.key)),
    ...errorColumns(outcomes),
    `[${outcomes.map((outcome) => outcome.output).join(',')}]`,
    `[${flush.deferred.join(',')}]`,
    JSON.stringify(flush.moved),
    flush.claim,
    `[${outcomes.flatMap(({ seq, compensation }) => (compensation === null ? [] : `{"seq":${seq},"value":${compensation}}`)).join(',')}]`,
    flush.busy,
  ]);
  return { ...toClaimedWork(rows), held: rows[0]!.held };
}

/** Nulls when nothing failed: what is shorter than the other columns is filled up with nulls. */
function errorColumns(outcomes: RecordedOutcome[]): [Buffer | null, Buffer | null, Buffer | null] {
  if (outcomes.every(({ errorKind }) => errorKind === null)) return [null, null, null];
  return [
    textArray(outcomes.map((outcome) => outcome.errorKind)),
    textArray(outcomes.map((outcome) => outcome.error)),
    textArray(outcomes.map((outcome) => outcome.errorStack)),
  ];
}
