import { AppError, errorOf, fieldError } from '../common/app-error.js';
import { toStorableJson } from '../common/safe-json.js';
import type { Connection } from '../database/sql.js';
import { assertMove } from './batch.state.js';
import type { BatchEventRecord } from './events/batch.events.js';
import { lockBatch, selectBatch } from './store/lock-batch.js';
import { type ExternalOutcome, recordExternalOutcomes, sealRun, unexpectedKeys } from './store/record-external-outcomes.js';
import { recordProgress } from './store/record-progress.js';
import { settleRunWithin } from './store/settle-run.js';
import { startRun } from './store/start-run.js';

const MAX_OUTPUT_CHARACTERS = 262_144;

export interface GivenResult extends Omit<ExternalOutcome, 'output'> {
  output?: unknown;
}

export interface RecordedResults {
  /** Keys that got their result now; the others had one. */
  recorded: Set<string>;
  events: (BatchEventRecord | undefined)[];
}

/** @throws AppError TOO_LARGE for an output of more than 256 kB, INVALID_INPUT for one that is not JSON */
export function toExternalOutcome(result: GivenResult, at: string): ExternalOutcome {
  const output = toStorableJson(result.output, `${at}output`) ?? 'null';
  if (output.length <= MAX_OUTPUT_CHARACTERS) return { ...result, output };
  const problem = `the result of ${result.key} has ${output.length} characters; at most ${MAX_OUTPUT_CHARACTERS} are kept`;
  throw new AppError('TOO_LARGE', `${at}output: ${problem}`);
}

/**
 * Records results that came from outside, all of them or none, in the caller's transaction. The first starts the batch, the last one ends it.
 * @param last no more will come
 * @param pathOf names a key's field in the request
 */
export async function recordResults(
  connection: Connection,
  { batchId, tenant, outcomes, last }: { batchId: string; tenant: string; outcomes: ExternalOutcome[]; last?: boolean },
  pathOf: (key: string) => string,
): Promise<RecordedResults> {
  const batch = await lockBatch(connection, tenant, batchId);
  assertMove('record results of', batch.status, batchId);
  if (!batch.external) {
    const remedy = 'create it with external results to record them';
    throw new AppError('CONFLICT', `batch ${batchId} is worked by the item handler of ${batch.operation}; ${remedy}`);
  }
  const unexpected = await unexpectedKeys(connection, batch.run_id, outcomes);
  if (unexpected.length > 0) {
    const problems = unexpected.map((key) => fieldError(pathOf(key), `batch ${batchId} has no item with the key ${key}`));
    throw errorOf('NOT_FOUND', problems);
  }
  const started = batch.status === 'pending' ? await startRun(connection, batch.run_id, batch.sealed) : undefined;
  const recorded = await recordExternalOutcomes(connection, batch.run_id, outcomes);
  const room = batch.total - batch.succeeded - batch.failed - batch.cancelled;
  if (batch.sealed && recorded.size > room) {
    const more = `${recorded.size === 1 ? 'one' : recorded.size} more ${recorded.size === 1 ? 'was' : 'were'} sent`;
    throw new AppError('CONFLICT', `batch ${batchId} waits for ${room} of its ${batch.total} results, and ${more}`);
  }
  if (last) await sealRun(connection, await selectBatch(connection, tenant, batchId));
  const settled = await settleRunWithin(connection, batch.run_id);
  const progressed = recorded.size > 0 && settled.events.length === 0 ? await recordProgress(connection, [batch.run_id]) : [];
  return { recorded, events: [started, ...progressed, ...settled.events] };
}
