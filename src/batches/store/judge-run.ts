import { type Connection, run, type Statement } from '../../database/sql.js';
import type { ReasonKind, RunStatus } from '../batch.state.js';
import { type Canary, DEFAULT_MIN_ITEMS, type FailureThreshold } from '../caution.options.js';
import type { BatchEventRecord } from '../events/batch.events.js';
import { appendAudit, BY_SERVICE } from './append-audit.js';
import { appendEvent } from './append-event.js';

/** A run as its threshold and its canary see it: the counts of its own items, and those that a resume has forgiven. */
export interface Standing {
  batch_id: string;
  status: RunStatus;
  sealed: boolean;
  total: number;
  gate: number | null;
  processed: number;
  failed: number;
  judged_processed: number;
  judged_failed: number;
  threshold: FailureThreshold | null;
  canary: Canary | null;
}

const SELECT_STANDING: Statement = {
  name: 'select-standing',
  text: `
    SELECT r.batch_id, r.status, r.sealed, r.total, r.gate, r.judged_processed, r.judged_failed, done.*,
      b.options -> 'failureThreshold' AS threshold, b.options -> 'canary' AS canary
    FROM run r JOIN batch b ON b.id = r.batch_id, LATERAL (
      SELECT sum(failed)::int AS failed, sum(succeeded + failed + skipped)::int AS processed FROM lane WHERE run_id = r.id
    ) done
    WHERE r.id = $1`,
};

export type Verdict = { to: 'paused' | 'failed'; by: ReasonKind; reason: string } | { to: 'go on' };

/** What becomes of a running run by the rules it was given; undefined: nothing, so far. */
export function verdictOn(standing: Standing): Verdict | undefined {
  if (standing.status !== 'running') return undefined;
  return byThreshold(standing) ?? byCanary(standing);
}

function byThreshold({ threshold, ...standing }: Standing): Verdict | undefined {
  if (!threshold) return undefined;
  const failed = standing.failed - standing.judged_failed;
  const finished = standing.processed - standing.judged_processed;
  const percent = (100 * failed) / finished;
  const isTooMany = failed >= (threshold.count ?? Infinity);
  const isTooMuch = finished >= (threshold.minItems ?? DEFAULT_MIN_ITEMS) && percent >= (threshold.percent ?? Infinity);
  if (failed === 0 || (!isTooMany && !isTooMuch)) return undefined;
  const limit = isTooMany ? `${threshold.count} failed items` : `${threshold.percent} %`;
  const reason = `failure threshold: ${failed} of ${finished} finished items failed (${round(percent)} %); ${limit} is the limit`;
  if (threshold.action === 'fail') return { to: 'failed', by: 'failure-threshold', reason };
  return isThrough(standing) ? undefined : { to: 'paused', by: 'failure-threshold', reason };
}

/** There is nothing to pause any more. */
function isThrough({ sealed, processed, total }: Omit<Standing, 'threshold'>): boolean {
  return sealed && processed >= total;
}

function byCanary(standing: Standing): Verdict | undefined {
  const { gate, canary, processed, failed } = standing;
  if (gate === null || processed < gate || isThrough(standing)) return undefined;
  const { then = 'continue', maxFailedPercent = 0 } = canary ?? {};
  const percent = (100 * failed) / processed;
  if (then === 'continue' && percent <= maxFailedPercent) return { to: 'go on' };
  const result = `canary: ${failed} of the first ${processed} items failed (${round(percent)} %)`;
  const remedy = 'resume the batch to go on with the others';
  const reason = then === 'confirm' ? `${result}; ${remedy}` : `${result}, ${maxFailedPercent} % may; ${remedy}`;
  return { to: 'paused', by: 'canary', reason };
}

function round(percent: number): number {
  return Math.round(10 * percent) / 10;
}

const APPLY: Statement = {
  name: 'apply-verdict',
  text: `
    UPDATE run SET status = $2, ends_as = $3, reason = $4, reason_kind = $5, gate = CASE WHEN $2 = 'running' THEN NULL ELSE gate END
    WHERE id = $1`,
};

/** Whether there is a verdict on the run. It is free to ask often: nothing is locked. */
export async function isDueToJudge(connection: Connection, runId: string): Promise<boolean> {
  const [standing] = await run<Standing>(connection, SELECT_STANDING, [runId]);
  return standing !== undefined && verdictOn(standing) !== undefined;
}

/** The event tells of a pause; a run that fails writes its event when it ends. */
export interface Judged {
  verdict?: Verdict;
  event?: BatchEventRecord;
}

/** Judges a run whose lock the caller holds. */
export async function judgeRun(connection: Connection, runId: string): Promise<Judged> {
  const [standing] = await run<Standing>(connection, SELECT_STANDING, [runId]);
  const verdict = standing && verdictOn(standing);
  if (!verdict) return {};
  const batchId = standing.batch_id;
  if (verdict.to === 'go on') {
    await run(connection, APPLY, [runId, 'running', null, null, null]);
    await appendAudit(connection, { batchId, by: BY_SERVICE, action: 'pass canary', details: {} });
    return { verdict };
  }
  const { to, by, reason } = verdict;
  await run(connection, APPLY, [runId, to === 'failed' ? 'stopping' : 'paused', to === 'failed' ? 'failed' : null, reason, by]);
  await appendAudit(connection, { batchId, by: BY_SERVICE, action: to === 'failed' ? 'fail' : 'pause', details: { reason } });
  return { verdict, event: to === 'paused' ? await appendEvent(connection, batchId, 'batch.paused') : undefined };
}
