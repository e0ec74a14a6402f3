import { AppError } from '../../common/app-error.js';
import { type Connection, run, type Statement } from '../../database/sql.js';
import { OUTCOME_STATUS } from '../entities/outcome.entity.js';
import { Tally, type TallyJson } from '../tally.js';
import type { BatchRow } from './select-batches.js';

const CLAIM_KEYS: Statement = {
  name: 'claim-external-keys',
  text: `
    WITH given AS (SELECT key, no FROM unnest($2::text[]) WITH ORDINALITY AS k (key, no)),
    claimed AS (
      INSERT INTO external_result (run_id, key, recorded) SELECT $1, key, true FROM given
      ON CONFLICT (run_id, key) DO UPDATE SET recorded = true WHERE NOT external_result.recorded
      RETURNING key, seq
    ),
    numbered AS (SELECT c.key, c.seq, row_number() OVER (ORDER BY g.no)::int AS number FROM claimed c JOIN given g ON g.key = c.key),
    counted AS (
      UPDATE run SET next_seq = next_seq + n, total = CASE WHEN sealed THEN total ELSE total + n END
      FROM (SELECT count(*)::int AS n FROM claimed) c WHERE id = $1 AND n > 0
      RETURNING next_seq - n AS first
    )
    SELECT key, coalesce(seq, first + number - 1) AS seq, (SELECT tally FROM lane WHERE run_id = $1 AND no = 0) AS tally
    FROM numbered, counted`,
};

const EXPECT_KEYS: Statement = {
  name: 'expect-external-keys',
  text: `
    INSERT INTO external_result (run_id, key, recorded, seq)
    SELECT $1, key, false, no - 1 FROM unnest($2::text[]) WITH ORDINALITY AS k (key, no)`,
};

/** The items that results are expected of, when they were listed. Their results take their places, whenever they come. */
export async function expectExternalKeys(connection: Connection, runId: string, keys: string[]): Promise<void> {
  await run(connection, EXPECT_KEYS, [runId, keys]);
}

/** A lookup for each key: with NOT EXISTS a plan for any number of keys reads all of the run's. */
const UNEXPECTED: Statement = {
  name: 'unexpected-external-keys',
  text: `
    SELECT k.key FROM unnest($2::text[]) WITH ORDINALITY AS k (key, no)
    WHERE EXISTS (SELECT FROM run WHERE id = $1 AND (no > 1 OR EXISTS (SELECT FROM chunk WHERE run_id = $1)))
      AND (SELECT e.key FROM external_result e WHERE e.run_id = $1 AND e.key = k.key) IS NULL
    ORDER BY k.no`,
};

/** Those keys, of a run whose items were listed or are repeated, that none of them has. */
export async function unexpectedKeys(connection: Connection, runId: string, outcomes: ExternalOutcome[]): Promise<string[]> {
  const found = await run<{ key: string }>(connection, UNEXPECTED, [runId, outcomes.map(({ key }) => key)]);
  return found.map(({ key }) => key);
}

const INSERT_OUTCOMES: Statement = {
  name: 'insert-external-outcomes',
  text: `
    WITH counted AS (
      UPDATE lane SET succeeded = succeeded + $2, failed = failed + $3, tally = $4 WHERE run_id = $1 AND no = 0
    )
    INSERT INTO outcome (run_id, seq, status, attempts, duration_ms, quality, key, error_kind, error, output)
    SELECT $1, o.seq, o.status, o.attempts, o.duration_ms, o.quality, o.key, CASE WHEN o.error IS NOT NULL THEN 'external' END, o.error, o.output::json
    FROM unnest($5::int[], $6::smallint[], $7::int[], $8::float8[], $9::float8[], $10::text[], $11::text[], $12::text[])
      AS o (seq, status, attempts, duration_ms, quality, key, error, output)`,
};

export interface ExternalOutcome {
  key: string;
  success: boolean;
  /** JSON text */
  output: string;
  error?: string;
  retries?: number;
  durationMs?: number | null;
  quality?: number | null;
}

/** Records results under the lock of their run's row, which the caller holds. @returns their keys: those that have one already keep it */
export async function recordExternalOutcomes(connection: Connection, runId: string, outcomes: ExternalOutcome[]): Promise<Set<string>> {
  const keys = outcomes.map(({ key }) => key);
  const places = await run<{ key: string; seq: number; tally: TallyJson | null }>(connection, CLAIM_KEYS, [runId, keys]);
  if (places.length === 0) return new Set();
  const byKey = new Map(outcomes.map((outcome) => [outcome.key, outcome]));
  const tally = Tally.from(places[0]!.tally);
  const rows = places.map(({ key, seq }) => toRow(seq, byKey.get(key)!));
  for (const row of rows) addTo(tally, row);
  const failed = rows.filter(({ error }) => error !== null).length;
  const columns = [
    rows.map(({ seq }) => seq),
    rows.map(({ error }) => OUTCOME_STATUS[error === null ? 'succeeded' : 'failed']),
    rows.map(({ attempts }) => attempts),
    rows.map(({ durationMs }) => durationMs),
    rows.map(({ quality }) => quality),
    rows.map(({ key }) => key),
    rows.map(({ error }) => error),
    rows.map(({ output }) => output),
  ];
  await run(connection, INSERT_OUTCOMES, [runId, rows.length - failed, failed, JSON.stringify(tally), ...columns]);
  return new Set(rows.map(({ key }) => key));
}

function toRow(seq: number, { key, success, output, error, retries = 0, durationMs = null, quality = null }: ExternalOutcome) {
  return { seq, key, output, attempts: retries + 1, durationMs, quality, error: success ? null : (error ?? 'failed without a message') };
}

function addTo(tally: Tally, { durationMs, quality, error }: ReturnType<typeof toRow>): void {
  if (durationMs !== null) tally.addDuration(durationMs);
  if (quality !== null) tally.addQuality(quality);
  if (error !== null) tally.addError('external', error);
}

/** What came is all there is, also when more was expected. */
const SEAL_RUN: Statement = {
  name: 'seal-run',
  text: `
    UPDATE run r SET sealed = true, total = CASE
      WHEN b.external THEN (SELECT sum(succeeded + failed + skipped)::int FROM lane WHERE run_id = $1) ELSE r.total END
    FROM batch b WHERE r.id = $1 AND b.id = r.batch_id`,
};

/**
 * No more will come. Of a batch with results from outside, what came is all there is.
 * @throws AppError CONFLICT when results of items that are repeated are still to come: without them the batch would lose these items
 */
export async function sealRun(connection: Connection, batch: BatchRow): Promise<void> {
  const open = batch.total - batch.succeeded - batch.failed - batch.cancelled;
  if (batch.external && batch.run_no > 1 && open > 0) {
    throw new AppError('CONFLICT', `batch ${batch.id} still waits for results of ${open} repeated items; record them, or cancel the batch`);
  }
  await run(connection, SEAL_RUN, [batch.run_id]);
}
