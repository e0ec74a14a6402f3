import { Logger } from '@nestjs/common';
import type { BatchEventPublisher } from '../batches/events/batch-event-publisher.js';
import { recordProgress } from '../batches/store/record-progress.js';
import type { Database } from '../database/sql.js';

const EVERY_MS = 250;
/** Runs told of in one transaction: their rows are locked meanwhile. */
const MAX_RUNS = 50;

/**
 * Tells of the progress of all runs that this process works, in one transaction at a time: one for each run would take the connections
 * that flushes and batches that have just come need.
 */
export class ProgressTeller {
  private readonly logger = new Logger(ProgressTeller.name);
  private readonly runIds = new Set<string>();
  private timer?: NodeJS.Timeout;
  private lastAt = -Infinity;
  private stopped = false;

  constructor(
    private readonly database: Database,
    private readonly publisher: BatchEventPublisher,
  ) {}

  /** The run has new results. */
  add(runId: string): void {
    this.runIds.add(runId);
    this.schedule();
  }

  /** What is not told yet will be with the runs' next results, by whoever records them. */
  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  private schedule(): void {
    if (this.stopped || this.runIds.size === 0) return;
    this.timer ??= setTimeout(() => void this.tell(), Math.max(0, this.lastAt + EVERY_MS - performance.now()));
  }

  private async tell(): Promise<void> {
    this.lastAt = performance.now();
    const runIds = [...this.runIds].slice(0, MAX_RUNS);
    for (const runId of runIds) this.runIds.delete(runId);
    try {
      await this.publisher.publish(await this.database.transaction((connection) => recordProgress(connection, runIds)));
    } catch (error) {
      this.logger.warn({ err: error }, 'progress events were not written; the next ones tell more');
    }
    this.timer = undefined;
    this.schedule();
  }
}
