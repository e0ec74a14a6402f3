import { isBeforeGate } from '../../batches/store/claim-chunks.js';
import { type Connection, run, type Statement } from '../../database/sql.js';

/** `claimable`: there are chunks that are not beyond the canary, claimed or not, or retries that are due. */
const SELECT_FACTS: Statement = {
  name: 'select-waiting-facts',
  text: `
    SELECT clock_timestamp() AS now, r.gate, nullif(r.held_until, '-infinity') AS held_until,
      extract(epoch FROM clock_timestamp() - r.started_at)::float8 * 1000 AS elapsed_ms, held.lanes AS lanes_held, held.finished,
      EXISTS (SELECT FROM chunk c WHERE c.run_id = r.id AND c.state < 2 AND ${isBeforeGate('r.gate')})
        OR coalesce((SELECT min(t.due_at) FROM retry t WHERE t.run_id = r.id) <= clock_timestamp(), false) AS claimable
    FROM run r, LATERAL (
      SELECT count(*) FILTER (WHERE l.lease_until > clock_timestamp())::int AS lanes,
        coalesce(sum(l.succeeded + l.failed + l.skipped), 0)::int AS finished
      FROM lane l WHERE l.run_id = r.id
    ) held
    WHERE r.id = $1`,
};

/** What decides whether a run's items may start, beside what the batch itself says. */
export interface RunFacts {
  /** The database's clock. */
  now: Date;
  /** Position of the first item that the canary keeps back; null: it keeps none. */
  gate: number | null;
  held_until: Date | null;
  elapsed_ms: number | null;
  /** Lanes that workers hold. */
  lanes_held: number;
  /** Items of this run that have an outcome. */
  finished: number;
  claimable: boolean;
}

export async function selectFacts(connection: Connection, runId: string): Promise<RunFacts> {
  const [facts] = await run<RunFacts>(connection, SELECT_FACTS, [runId]);
  return facts!;
}

const SELECT_LATER: Statement = {
  name: 'select-later-retries',
  text: `
    SELECT waits_for AS provider, count(*)::int AS items, min(due_at) AS due_at, (array_agg(error ORDER BY due_at))[1] AS error
    FROM (SELECT waits_for, error, due_at FROM retry WHERE run_id = $1 AND due_at > clock_timestamp() ORDER BY due_at LIMIT 10000) later
    GROUP BY 1 ORDER BY 3 LIMIT 20`,
};

/** Items that wait for their next try: for a provider's sake, or for the time that their batch sets. */
export interface LaterRetries {
  provider: string | null;
  items: number;
  /** The first of them, and what it ran into. */
  due_at: Date;
  error: string | null;
}

export function selectLaterRetries(connection: Connection, runId: string): Promise<LaterRetries[]> {
  return run<LaterRetries>(connection, SELECT_LATER, [runId]);
}

const SELECT_LATER_OF_ITEM: Statement = {
  name: 'select-later-retry-of-item',
  text: `
    SELECT waits_for AS provider, 1 AS items, due_at, error
    FROM retry WHERE run_id = $1 AND seq = $2 AND due_at > clock_timestamp()`,
};

export function selectLaterRetryOfItem(connection: Connection, runId: string, seq: number): Promise<LaterRetries[]> {
  return run<LaterRetries>(connection, SELECT_LATER_OF_ITEM, [runId, seq]);
}

const SELECT_PAUSE: Statement = {
  name: 'select-last-pause',
  text: `SELECT by, at FROM audit_entry WHERE batch_id = $1 AND action = 'pause' ORDER BY id DESC LIMIT 1`,
};

export interface Pause {
  by: string | null;
  at: Date;
}

/** Who paused the batch last, and when. */
export async function selectPause(connection: Connection, batchId: string): Promise<Pause | undefined> {
  const [pause] = await run<Pause>(connection, SELECT_PAUSE, [batchId]);
  return pause;
}

const COUNT_BEFORE: Statement = {
  name: 'count-open-items-before',
  text: `
    SELECT coalesce(sum(size - cardinality(settled)), 0)::int AS before FROM chunk
    WHERE run_id = $3 AND state < 2
      AND no BETWEEN 0 AND (SELECT max(no) - 1 FROM chunk WHERE run_id = $1 AND no BETWEEN 0 AND $2::bigint AND state <> 3)`,
};

/** Items in chunks before an item's own that have not ended. @param firstRunId the run that holds the list; `runId` the one that works it now */
export async function countOpenBefore(connection: Connection, firstRunId: string, runId: string, seq: number): Promise<number> {
  const [counted] = await run<{ before: number }>(connection, COUNT_BEFORE, [firstRunId, seq, runId]);
  return counted!.before;
}
