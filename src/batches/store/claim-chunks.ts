import type { RunStatus } from '../batch.state.js';

/** Parts of the statements with which a lane of the run `$1` takes chunks that wait: in their order, those in front of the run's gate. */

/** Whether the chunk `c` has items in front of the gate that are not done yet. Items behind it wait for the canary to pass. */
export function isBeforeGate(gate: string): string {
  return `(${gate} IS NULL OR (c.no < ${gate} AND c.no + cardinality(c.settled) < ${gate}))`;
}

const IS_BEFORE_GATE = isBeforeGate('(SELECT gate FROM run WHERE id = $1)');

/** Two parts of a WITH clause: `claimed` are the chunks that the lane has now. @param parts SQL expressions */
export function claimChunks({ lane, limit, condition }: { lane: string; limit: string; condition: string }): string {
  return `
    next AS (
      SELECT c.no FROM chunk c WHERE c.run_id = $1 AND c.state = 0 AND ${condition} AND ${IS_BEFORE_GATE}
      ORDER BY c.no LIMIT ${limit} FOR UPDATE SKIP LOCKED
    ), claimed AS (
      UPDATE chunk c SET state = 1, lane = ${lane}
      WHERE c.run_id = $1 AND c.no = ANY (ARRAY(SELECT no FROM next))
      RETURNING c.no, c.size, c.settled, c.crashes, c.suspects
    )`;
}

/** Columns of what is known of the run's work then, and of a claimed chunk `c`: those of {@link WorkRow}. */
export function workColumns(nextRetryAt = '(SELECT min(due_at) FROM retry WHERE run_id = $1)'): string {
  return `
    (SELECT status FROM run WHERE id = $1) AS status, (SELECT gate FROM run WHERE id = $1) AS gate,
    extract(epoch FROM ${nextRetryAt} - clock_timestamp())::float8 * 1000 AS next_retry_ms,
    EXISTS (SELECT FROM chunk c WHERE c.run_id = $1 AND c.state = 0 AND c.no > (SELECT max(no) FROM next) AND ${IS_BEFORE_GATE}) AS more,
    c.no, c.size, c.settled, c.crashes, c.suspects,
    (SELECT i.items FROM chunk_items i WHERE i.run_id = $1 AND i.no = c.no) AS items`;
}

export interface ClaimedChunk {
  no: string;
  size: number;
  settled: number[];
  crashes: number;
  suspects: number[];
  /** JSON array of `{ key?, payload?, seq?, attempt? }` */
  items: string;
}

/** What a lane has taken, and what it knows of its run's other work. */
export interface ClaimedWork {
  status: RunStatus;
  /** Milliseconds until the run's next retry is due (negative: overdue), or null when none waits. */
  nextRetryMs: number | null;
  /** Items from this position on wait, or null. */
  gate: number | null;
  chunks: ClaimedChunk[];
  /** Pending chunks were left beside those claimed. */
  more: boolean;
}

/** One for each claimed chunk, or one without any. */
export interface WorkRow extends Partial<Omit<ClaimedChunk, 'no'>> {
  status: RunStatus;
  gate: number | null;
  next_retry_ms: number | null;
  more: boolean;
  no: string | null;
}

export function toClaimedWork(rows: WorkRow[]): ClaimedWork {
  const { status, gate, more, next_retry_ms: nextRetryMs } = rows[0]!;
  return { status, gate, more, nextRetryMs, chunks: rows.filter((row): row is WorkRow & ClaimedChunk => row.no !== null) };
}
