import { Injectable } from '@nestjs/common';
import type { BatchView, Page } from '../../batches/batch.view.js';
import type { OutcomeView } from '../../batches/item.view.js';
import { CancelBatch } from '../../batches/commands/cancel-batch.command.js';
import { CreateBatch } from '../../batches/commands/create-batch.command.js';
import { GetBatch } from '../../batches/queries/get-batch.query.js';
import { AppError, errorOf, type FieldError, fieldError } from '../../common/app-error.js';
import { type Caller, Procedures } from '../../common/procedure.js';
import { isStorable, UNSTORABLE_TEXT } from '../../common/safe-json.js';
import { Config } from '../../config.js';
import type { AnnotationTier, BatchJobProgress, BatchJobStarted, CancelJobReply } from './annotations.reply.js';
import type { CreateBatchJobRequest, JobStatusQuery } from './annotations.request.js';
import { listEnded } from '../ended-items.js';
import { takenAsAtMost } from '../taken-as-at-most.js';
import { toBatchJobProgress, toJobStatus } from './batch-job.js';
import { estimateDurationMinutes } from './duration-estimate.js';
import { nonEmpty } from '../../common/non-empty.js';

const DEFAULT_CONCURRENCY = 5;
const MAX_ID_LENGTH = 512;
/** So many, since the clients of this interface take what is listed as all that failed. */
const MAX_ERRORS = 10_000;
/** Wrong ids that an answer names. */
const MAX_REPORTED = 100;

/** What the REST interface and `BatchProcessor` have in common: jobs within the limits of a tier. */
@Injectable()
export class AnnotationJobs {
  constructor(
    private readonly procedures: Procedures,
    private readonly config: Config,
  ) {}

  async start(request: CreateBatchJobRequest, tier: AnnotationTier, caller: Caller): Promise<BatchJobStarted> {
    assertImageIds(request.imageIds);
    const limits = this.config.annotationTiers[tier];
    const concurrency = Math.min(request.concurrency ?? DEFAULT_CONCURRENCY, limits.concurrency);
    const perMinute = Math.min(request.rateLimitPerMinute ?? limits.perMinute, limits.perMinute);
    const options = {
      concurrency,
      rateLimitPool: { name: `annotations:${tier}`, perMinute: limits.perMinute },
      rateLimitPerMinute: perMinute < limits.perMinute ? perMinute : undefined,
    };
    const warnings = [
      ...takenAsAtMost('concurrency', request.concurrency, limits.concurrency),
      ...takenAsAtMost('rateLimitPerMinute', request.rateLimitPerMinute, limits.perMinute),
    ];
    const input = { operation: 'annotate-image', items: request.imageIds, options, warnings };
    const batch = await this.procedures.call(CreateBatch, input, caller);
    return {
      jobId: batch.id,
      status: toJobStatus(batch.status),
      total: batch.counts.total,
      tier,
      concurrency,
      rateLimitPerMinute: perMinute,
      estimatedDurationMinutes: estimateDurationMinutes(batch.counts.total, { requestsPerMinute: perMinute }),
      warnings: nonEmpty(batch.warnings),
    };
  }

  /** @throws AppError NOT_FOUND */
  async progress(batchId: string, query: JobStatusQuery, caller: Caller): Promise<BatchJobProgress> {
    const batch = await this.procedures.call(GetBatch, { batchId }, caller);
    return toBatchJobProgress(batch, await this.failures(batch, query, caller));
  }

  /**
   * Stops a job for good; what is done stays done. One that has ended stays as it ended.
   * @throws AppError NOT_FOUND
   */
  async cancel(batchId: string, caller: Caller): Promise<CancelJobReply> {
    try {
      const { status } = await this.procedures.call(CancelBatch, { batchId }, caller);
      return { jobId: batchId, status: toJobStatus(status), message: 'Job cancelled successfully', cancelled: true };
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'CONFLICT') throw error;
      const status = toJobStatus((await this.procedures.call(GetBatch, { batchId }, caller)).status);
      const message = status === 'cancelled' ? 'Job already cancelled' : `Job already ${status}; nothing left to be cancelled`;
      return { jobId: batchId, status, message, cancelled: false };
    }
  }

  private async failures(batch: BatchView, query: JobStatusQuery, caller: Caller): Promise<Page<OutcomeView>> {
    const limit = Math.min(query.errorsLimit ?? MAX_ERRORS, MAX_ERRORS);
    const offset = query.errorsOffset ?? 0;
    return listEnded(this.procedures, batch, { status: 'failed', limit, offset }, caller);
  }
}

function assertImageIds(imageIds: unknown[]): void {
  const errors: FieldError[] = [];
  for (let index = 0; index < imageIds.length && errors.length < MAX_REPORTED; index += 1) {
    const problem = problemOfId(imageIds[index]);
    if (problem) errors.push(fieldError(`imageIds.${index}`, problem.message, problem.code));
  }
  if (errors.length > 0) throw errorOf('INVALID_INPUT', errors);
}

function problemOfId(id: unknown): Pick<FieldError, 'message' | 'code'> | undefined {
  if (typeof id !== 'string') return { message: 'must be a string', code: 'invalid_type' };
  if (id === '') return { message: 'must not be empty', code: 'too_small' };
  if (id.length > MAX_ID_LENGTH) return { message: `may have at most ${MAX_ID_LENGTH} characters`, code: 'too_big' };
  return isStorable(id) ? undefined : { message: UNSTORABLE_TEXT, code: 'custom' };
}
