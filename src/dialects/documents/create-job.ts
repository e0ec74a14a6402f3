import { CreateBatch } from '../../batches/commands/create-batch.command.js';
import { errorOf, type FieldError, fieldError } from '../../common/app-error.js';
import type { Caller, Procedures } from '../../common/procedure.js';
import { isStorable, UNSTORABLE_TEXT } from '../../common/safe-json.js';
import type { CreatedDocumentJob } from './documents.reply.js';
import type { CreateDocumentJobRequest } from './documents.request.js';
import { toJobStatus } from './document-job.js';
import { takenAsAtMost } from '../taken-as-at-most.js';
import { nonEmpty } from '../../common/non-empty.js';

const MAX_ID_LENGTH = 512;
const MAX_CONCURRENT = 1_000;
/** Wrong ids told in one answer. */
const MAX_ERRORS = 100;

/**
 * Creates a job that starts by itself.
 * @param request as its class has checked it
 * @throws AppError INVALID_INPUT that names each wrong id
 */
export async function createJob(procedures: Procedures, request: CreateDocumentJobRequest, caller: Caller): Promise<CreatedDocumentJob> {
  const { documentIds, type, options = {} } = request;
  assertDocumentIds(documentIds);
  const { maxConcurrent, timeout, retryAttempts, retryDelay } = options;
  const input = {
    operation: 'analyze-document',
    parameters: { type },
    items: documentIds,
    options: { concurrency: maxConcurrent && Math.min(maxConcurrent, MAX_CONCURRENT), batchTimeout: timeout, retryAttempts, retryDelay },
    warnings: takenAsAtMost('options.maxConcurrent', maxConcurrent, MAX_CONCURRENT),
  };
  const batch = await procedures.call(CreateBatch, input, caller);
  return {
    jobId: batch.id,
    status: toJobStatus(batch.status),
    documentCount: batch.counts.total,
    type,
    warnings: nonEmpty(batch.warnings),
  };
}

function assertDocumentIds(ids: unknown[]): void {
  const errors: FieldError[] = [];
  for (const [index, id] of ids.entries()) {
    const problem = problemOf(id);
    if (problem) errors.push(fieldError(`documentIds.${index}`, problem.message, problem.code));
    if (errors.length === MAX_ERRORS) break;
  }
  if (errors.length > 0) throw errorOf('INVALID_INPUT', errors);
}

function problemOf(id: unknown): Pick<FieldError, 'message' | 'code'> | undefined {
  if (typeof id !== 'string') return { message: 'must be a string', code: 'invalid_type' };
  if (id === '') return { message: 'must not be empty', code: 'too_small' };
  if (id.length > MAX_ID_LENGTH) return { message: `may have at most ${MAX_ID_LENGTH} characters`, code: 'too_big' };
  return isStorable(id) ? undefined : { message: UNSTORABLE_TEXT, code: 'custom' };
}
