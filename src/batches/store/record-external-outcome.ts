import { type Connection, run, type Statement } from '../../database/sql.js';
import { OUTCOME_STATUS } from '../entities/outcome.entity.js';
import { Tally, type TallyJson } from '../tally.js';

const CLAIM_KEY: Statement = {
  name: 'claim-external-key',
  text: `
    WITH claimed AS (INSERT INTO external_result (run_id, key) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING 1)
    UPDATE run SET next_seq = next_seq + 1, total = CASE WHEN sealed THEN total ELSE total + 1 END
    WHERE id = $1 AND EXISTS (SELECT FROM claimed)
    RETURNING next_seq - 1 AS seq, (SELECT tally FROM lane WHERE run_id = $1 AND no = 0) AS tally`,
};

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
    UPDATE run SET sealed = true, total = (SELECT sum(succeeded + failed + skipped)::int FROM lane WHERE run_id = $1) WHERE id = $1`,
};

export async function sealRun(connection: Connection, runId: string): Promise<void> {
  await run(connection, SEAL_RUN, [runId]);
}
