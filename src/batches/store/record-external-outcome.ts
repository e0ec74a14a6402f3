import { AppError } from '../../common/app-error.js';
import { type Connection, run, type Statement } from '../../database/sql.js';
import { OUTCOME_STATUS } from '../entities/outcome.entity.js';
import { Tally, type TallyJson } from '../tally.js';
import type { BatchRow } from './select-batches.js';

const CLAIM_KEY: Statement = {
  name: 'claim-external-key',
  text: `
    WITH claimed AS (
      INSERT INTO external_result (run_id, key, recorded) VALUES ($1, $2, true)
      ON CONFLICT (run_id, key) DO UPDATE SET recorded = true WHERE NOT external_result.recorded
      RETURNING seq
    )
    UPDATE run SET next_seq = next_seq + 1, total = CASE WHEN sealed THEN total ELSE total + 1 END
    FROM claimed WHERE id = $1
    RETURNING coalesce(claimed.seq, next_seq - 1) AS seq, (SELECT tally FROM lane WHERE run_id = $1 AND no = 0) AS tally`,
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

const IS_UNEXPECTED: Statement = {
  name: 'is-unexpected-key',
  text: `
    SELECT EXISTS (SELECT FROM run WHERE id = $1 AND (no > 1 OR EXISTS (SELECT FROM chunk WHERE run_id = $1)))
      AND NOT EXISTS (SELECT FROM external_result WHERE run_id = $1 AND key = $2) AS unexpected`,
};

/** Whether the run's items were listed, or are repeated, and none has this key. */
export async function isUnexpectedKey(connection: Connection, runId: string, key: string): Promise<boolean> {
  const [found] = await run<{ unexpected: boolean }>(connection, IS_UNEXPECTED, [runId, key]);
  return found!.unexpected;
}

const INSERT_OUTCOME: Statement = {
  name: 'insert-external-outcome',
  text: `
    WITH counted AS (
      UPDATE lane SET succeeded = succeeded + $3, failed = failed + $4, tally = $5 WHERE run_id = $1 AND no = 0
    )
    INSERT INTO outcome (run_id, seq, status, attempts, duration_ms, quality, key, error_kind, error, output)
    VALUES ($1, $2, $6, $7, $8, $9, $10, $11, $12, $13)`,
};

export interface ExternalOutcome {
  key: string;
  success: boolean;
  /** JSON text */
  output: string;
  error?: string;
  retries?: number;
  durationMs?: number;
  quality?: number;
}

/** Records one result under the lock of its run's row, which the caller holds. @returns false when the key has one already */
export async function recordExternalOutcome(connection: Connection, runId: string, outcome: ExternalOutcome): Promise<boolean> {
  const { key, success, durationMs, quality } = outcome;
  const [place] = await run<{ seq: number; tally: TallyJson | null }>(connection, CLAIM_KEY, [runId, key]);
  if (!place) return false;
  const error = success ? null : (outcome.error ?? 'failed without a message');
  const tally = Tally.from(place.tally);
  if (durationMs !== undefined) tally.addDuration(durationMs);
  if (quality !== undefined) tally.addQuality(quality);
  if (error !== null) tally.addError('external', error);
  await run(connection, INSERT_OUTCOME, [
    runId,
    place.seq,
    success ? 1 : 0,
    success ? 0 : 1,
    JSON.stringify(tally),
    success ? OUTCOME_STATUS.succeeded : OUTCOME_STATUS.failed,
    (outcome.retries ?? 0) + 1,
    durationMs ?? null,
    quality ?? null,
    key,
    error === null ? null : 'external',
    error,
    outcome.output,
  ]);
  return true;
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
