import { Injectable } from '@nestjs/common';
import { CancelBatch } from '../../batches/commands/cancel-batch.command.js';
import { CleanUpBatches } from '../../batches/commands/clean-up-batches.command.js';
import { ListBatches } from '../../batches/queries/list-batches.query.js';
import { checkInput } from '../../common/check-input.js';
import { type Caller, Procedures } from '../../common/procedure.js';
import { unless, unlessUnknown } from '../../common/unless.js';
import { Config } from '../../config.js';
import { createJob } from './create-job.js';
import { DocumentJobEvents, type DocumentJobEvent } from './document-job-events.js';
import { toJobSummary } from './document-job.js';
import type { DocumentJob, DocumentJobSummary } from './documents.reply.js';
import { CreateDocumentJobRequest, type ProcessingJobOptions, type ProcessingJobType } from './documents.request.js';
import { readJob } from './read-job.js';

const MAX_JOBS = 1_000;
const PAGE = 100;

/**
 * The document system's `documentProcessingQueueService` for code in the same process: its method names and arguments, all
 * asynchronous, because the jobs are in a database. Acts for the tenant `default`; see `forTenant`.
 */
@Injectable()
export class DocumentProcessingQueueService {
  private caller: Caller = { tenant: 'default', dialect: 'documents' };

  constructor(
    private readonly procedures: Procedures,
    private readonly config: Config,
    private readonly events: DocumentJobEvents,
  ) {}

  /** The same service on behalf of another tenant: its jobs and events alone. */
  forTenant(tenant: string): DocumentProcessingQueueService {
    const service = new DocumentProcessingQueueService(this.procedures, this.config, this.events);
    service.caller = { ...this.caller, tenant };
    return service;
  }

  /**
   * @returns the new job's id; it starts by itself
   * @throws AppError INVALID_INPUT with one entry for each wrong field
   */
  async createJob(documentIds: string[], type: ProcessingJobType, options?: ProcessingJobOptions): Promise<string> {
    const request = checkInput(CreateDocumentJobRequest, { documentIds, type, options });
    return (await createJob(this.procedures, request, this.caller)).jobId;
  }

  /** @returns null for an unknown id; of documents, results and errors the first 1,000 each */
  getJobStatus(jobId: string): Promise<DocumentJob | null> {
    return unlessUnknown(() => readJob(this.procedures, { jobId }, this.caller), null);
  }

  /** @returns false for an unknown job and for one that has ended */
  cancelJob(jobId: string): Promise<boolean> {
    const cancel = async (): Promise<boolean> => {
      await this.procedures.call(CancelBatch, { batchId: jobId }, this.caller);
      return true;
    };
    return unless(['NOT_FOUND', 'CONFLICT'], cancel, false);
  }

  /** The jobs that have not been cleaned up, ended ones too, newest first, at most 1,000. */
  async getAllJobs(): Promise<DocumentJobSummary[]> {
    const jobs: DocumentJobSummary[] = [];
    for (let hasMore = true; hasMore && jobs.length < MAX_JOBS;) {
      const page = await this.procedures.call(ListBatches, { dialect: 'documents', limit: PAGE, offset: jobs.length }, this.caller);
      jobs.push(...page.rows.map(toJobSummary));
      ({ hasMore } = page);
    }
    return jobs;
  }

  /** Removes the tenant's jobs that ended more than DOCUMENT_RETENTION_HOURS ago. @returns how many */
  async cleanupOldJobs(): Promise<number> {
    const input = { olderThanDays: this.config.documentRetentionHours / 24, dialect: 'documents' as const };
    return (await this.procedures.call(CleanUpBatches, input, this.caller)).deleted;
  }

  /** Listens until `off`, or until the application ends. */
  on<Name extends keyof DocumentJobEvent>(name: Name, listener: (event: DocumentJobEvent[Name]) => void): this {
    this.events.on(this.caller.tenant, name, listener);
    return this;
  }

  /** Listens for the next one only. */
  once<Name extends keyof DocumentJobEvent>(name: Name, listener: (event: DocumentJobEvent[Name]) => void): this {
    this.events.once(this.caller.tenant, name, listener);
    return this;
  }

  off<Name extends keyof DocumentJobEvent>(name: Name, listener: (event: DocumentJobEvent[Name]) => void): this {
    this.events.off(this.caller.tenant, name, listener);
    return this;
  }
}
