import { AppError } from '../../common/app-error.js';
import { checkInput } from '../../common/check-input.js';
import type { Caller } from '../../common/procedure.js';
import { unlessUnknown } from '../../common/unless.js';
import { runningService, type ServiceInProcess } from '../../common/running-service.js';
import { AnnotationJobs } from './annotation-jobs.js';
import type { AnnotationTier, BatchJobProgress } from './annotations.reply.js';
import { CreateBatchJobRequest } from './annotations.request.js';
import { checkTier } from './duration-estimate.js';

/**
 * Annotation jobs for code in the same process, within the limits of a tier. The jobs are the service's: they go on when this
 * object is gone, and any other one, or the REST interface, finds them. Acts for the tenant `default`; see `forTenant`.
 */
export class BatchProcessor {
  private readonly jobs: AnnotationJobs;
  private caller: Caller = { tenant: 'default', dialect: 'annotations' };
  private destroyed = false;

  /** @param service default: the one that runs in this process; an Error says when none does, or several */
  constructor(
    private readonly tier: AnnotationTier,
    private readonly service: ServiceInProcess = runningService(),
  ) {
    checkTier(tier);
    this.jobs = new AnnotationJobs(service.procedures, service.config);
  }

  /** The same on behalf of another tenant. */
  forTenant(tenant: string): BatchProcessor {
    const processor = new BatchProcessor(this.tier, this.service);
    processor.caller = { ...this.caller, tenant };
    return processor;
  }

  /**
   * @param concurrency images side by side, at most what the tier allows
   * @returns the job's id
   * @throws AppError INVALID_INPUT with one entry for each wrong id
   */
  async startBatch(imageIds: string[], concurrency?: number): Promise<string> {
    this.assertUsable();
    const request = checkInput(CreateBatchJobRequest, { imageIds, concurrency });
    return (await this.jobs.start(request, this.tier, this.caller)).jobId;
  }

  /** @returns null for an unknown id */
  async getJobProgress(jobId: string): Promise<BatchJobProgress | null> {
    this.assertUsable();
    return unlessUnknown(() => this.jobs.progress(jobId, {}, this.caller), null);
  }

  /** @returns whether this call cancelled it: false for an unknown job and for one that has ended */
  async cancelJob(jobId: string): Promise<boolean> {
    this.assertUsable();
    return unlessUnknown(async () => (await this.jobs.cancel(jobId, this.caller)).cancelled, false);
  }

  /** Refuses calls from now on. It holds no timers or connections of its own; its jobs go on. */
  destroy(): void {
    this.destroyed = true;
  }

  private assertUsable(): void {
    if (this.destroyed) throw new AppError('CONFLICT', 'this BatchProcessor is destroyed; make a new one');
  }
}
