import { Logger, type OnApplicationShutdown } from '@nestjs/common';
import { EventsHandler, type IEventHandler } from '@nestjs/cqrs';
import { EventEmitter } from 'node:events';
import { BATCH_EVENTS, type BatchEvent, type BatchEventRecord } from '../../batches/events/batch.events.js';
import { ListOutcomes } from '../../batches/queries/list-outcomes.query.js';
import { Procedures } from '../../common/procedure.js';
import { EventOrder } from '../../realtime/event-order.js';
import { estimatedTimeRemaining, processedOf, toDocumentResult } from './document-job.js';
import type { DocumentResult } from './documents.reply.js';
import { MAX_LISTED } from './read-job.js';

export interface DocumentJobProgress {
  jobId: string;
  progress: number;
  processedDocuments: number;
  totalDocuments: number;
  estimatedTimeRemaining?: number;
}

export interface DocumentJobCompleted {
  jobId: string;
  totalDocuments: number;
  processedDocuments: number;
  failedDocuments: number;
  /** Milliseconds from start to end. */
  duration: number;
  /** The first 1,000. */
  results: DocumentResult[];
}

export interface DocumentJobFailed {
  jobId: string;
  /** "Job timeout exceeded" for a job that ran out of time. */
  error: string;
  processedDocuments: number;
  failedDocuments: number;
}

export interface DocumentJobCancelled {
  jobId: string;
}

/** What each event carries. */
export interface DocumentJobEvent {
  progress: DocumentJobProgress;
  jobCompleted: DocumentJobCompleted;
  jobFailed: DocumentJobFailed;
  jobCancelled: DocumentJobCancelled;
}

type EventName = keyof DocumentJobEvent;
type Listener<Name extends EventName> = (event: DocumentJobEvent[Name]) => void;

/** Tells code in this process of document jobs, whichever process works them. A listener that throws harms nobody else. */
@EventsHandler(...BATCH_EVENTS)
export class DocumentJobEvents implements IEventHandler<BatchEvent>, OnApplicationShutdown {
  private readonly logger = new Logger(DocumentJobEvents.name);
  private readonly emitter = new EventEmitter();
  private readonly order = new EventOrder();

  constructor(private readonly procedures: Procedures) {}

  on<Name extends EventName>(tenant: string, name: Name, listener: Listener<Name>): void {
    this.emitter.on(channel(tenant, name), listener);
  }

  once<Name extends EventName>(tenant: string, name: Name, listener: Listener<Name>): void {
    this.emitter.once(channel(tenant, name), listener);
  }

  off<Name extends EventName>(tenant: string, name: Name, listener: Listener<Name>): void {
    this.emitter.off(channel(tenant, name), listener);
  }

  async handle({ record }: BatchEvent): Promise<void> {
    if (record.data.dialect !== 'documents' || this.order.isStale(record)) return;
    try {
      await this.tell(record);
    } catch (error) {
      this.logger.warn({ err: error, batchId: record.batchId }, `could not tell of ${record.type}`);
    }
  }

  onApplicationShutdown(): void {
    this.emitter.removeAllListeners();
  }

  private async tell(record: BatchEventRecord): Promise<void> {
    switch (record.type) {
      case 'batch.progress':
        return this.emit(record.tenant, 'progress', () => toProgress(record));
      case 'batch.completed':
        await this.emit(record.tenant, 'progress', () => toProgress(record));
        return this.emit(record.tenant, 'jobCompleted', () => this.toCompleted(record));
      case 'batch.failed':
        return this.emit(record.tenant, 'jobFailed', () => toFailed(record));
      case 'batch.cancelled':
        return this.emit(record.tenant, 'jobCancelled', () => ({ jobId: record.batchId }));
      default:
        return;
    }
  }

  /** What nobody listens to is not read. */
  private async emit<Name extends EventName>(
    tenant: string,
    name: Name,
    event: () => DocumentJobEvent[Name] | Promise<DocumentJobEvent[Name]>,
  ): Promise<void> {
    if (this.emitter.listenerCount(channel(tenant, name)) === 0) return;
    const told = await event();
    for (const listener of this.emitter.rawListeners(channel(tenant, name)) as Listener<Name>[]) {
      try {
        listener(told);
      } catch (error) {
        this.logger.error({ err: error, jobId: told.jobId }, `a listener of ${name} threw`);
      }
    }
  }

  private async toCompleted({ tenant, batchId, data }: BatchEventRecord): Promise<DocumentJobCompleted> {
    const query = { batchId, status: 'succeeded' as const, limit: MAX_LISTED };
    const { rows } = await this.procedures.call(ListOutcomes, query, { tenant, dialect: 'documents' });
    const [startedAt, endedAt] = [Date.parse(data.startedAt ?? data.createdAt), Date.parse(data.endedAt ?? data.createdAt)];
    return {
      jobId: batchId,
      totalDocuments: data.counts.total,
      processedDocuments: processedOf(data.counts),
      failedDocuments: data.counts.failed,
      duration: endedAt - startedAt,
      results: rows.map(toDocumentResult),
    };
  }
}

function toProgress({ batchId, data }: BatchEventRecord): DocumentJobProgress {
  return {
    jobId: batchId,
    progress: data.progress,
    processedDocuments: processedOf(data.counts),
    totalDocuments: data.counts.total,
    estimatedTimeRemaining: estimatedTimeRemaining(data),
  };
}

function toFailed({ batchId, data }: BatchEventRecord): DocumentJobFailed {
  const { counts, reason } = data;
  return { jobId: batchId, error: reason ?? 'the job failed', processedDocuments: processedOf(counts), failedDocuments: counts.failed };
}

function channel(tenant: string, name: EventName): string {
  return `${name} ${tenant}`;
}
