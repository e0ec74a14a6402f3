import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { BatchEventPublisher } from '../batches/events/batch-event-publisher.js';
import { deleteExpiredBatches } from '../batches/store/delete-batches.js';
import { foldEndedTotals } from '../batches/store/ended-totals.js';
import { findUnendedRuns, findWaitingRuns, timeOutRuns } from '../batches/store/find-work.js';
import { discardAbandonedIntakes } from '../batches/store/insert-chunks.js';
import { settleRun } from '../batches/store/settle-run.js';
import { forgetKeys } from '../idempotency/store/claim-key.js';
import { deleteIdleBuckets } from '../batches/store/take-tokens.js';
import { retentionMs } from '../batches/dialects.js';
import { DIALECTS } from '../common/procedure.js';
import { Config } from '../config.js';
import { Database } from '../database/sql.js';
import { LaneQueue } from '../queue/lane-queue.js';
import { foldRecordTotals } from '../records/store/record-totals.js';
import { reportStuckRun } from '../waiting/report-stuck-run.js';
import { findStuckRuns } from '../waiting/store/find-stuck-runs.js';
import { followClock } from './follow-clock.js';
import { LaneWorker } from './lane-worker.js';
import { RepeatedBells } from './repeated-bells.js';
import { Rollbacks } from './rollbacks.js';

/** A sweep may take so long that the next one looks at the clock so much later. */
const LATE_SWEEP_MS = 5_000;
const CLEAN_UP_MS = 3_600_000;
const FOLD_MS = 30_000;
/** Runs that one sweep of a busy process looks at, to ring again for those that need it. */
const MAX_REPEATED = 20;

/**
 * The second way to all work, in every worker: whatever a lost bell, a dead worker or a crash between two commits left
 * behind is found in the database. With Redis away it is the only way, and enough.
 */
@Injectable()
export class Sweeper implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(Sweeper.name);
  private timer?: NodeJS.Timeout;
  private stopped = false;
  private sweeping = Promise.resolve();
  private readonly repeated: RepeatedBells;
  private cleanedUpAt = 0;
  private foldedAt = 0;

  constructor(
    private readonly database: Database,
    private readonly config: Config,
    private readonly worker: LaneWorker,
    private readonly publisher: BatchEventPublisher,
    private readonly rollbacks: Rollbacks,
    queue: LaneQueue,
  ) {
    this.repeated = new RepeatedBells(queue);
  }

  onApplicationBootstrap(): void {
    this.schedule();
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.sweeping;
  }

  /** With jitter, so that many workers do not look at the same moment. */
  private schedule(): void {
    if (this.stopped) return;
    this.timer = setTimeout(
      () => {
        this.sweeping = this.sweep().finally(() => this.schedule());
      },
      this.config.sweepMs * (0.75 + Math.random() / 2),
    );
  }

  private async sweep(): Promise<void> {
    try {
      await this.followClock();
      await this.serveWaitingRuns();
      for (const runId of await timeOutRuns(this.database.pool)) await this.publisher.runChanged(runId);
      for (const runId of await findUnendedRuns(this.database.pool)) await this.end(runId);
      for (const runId of await findStuckRuns(this.database.pool, this.config.stuckAfterMs)) await this.tellOfStuck(runId);
      await this.rollbacks.begin();
      if (Date.now() - this.foldedAt > FOLD_MS) await this.fold();
      if (Date.now() - this.cleanedUpAt > CLEAN_UP_MS) await this.cleanUp();
    } catch (error) {
      this.logger.warn({ err: error }, 'a sweep failed; the next one tries again');
    }
  }

  private async followClock(): Promise<void> {
    const { sweepMs, leaseMs } = this.config;
    const setBackMs = await followClock(this.database, { writtenMs: 2 * sweepMs + LATE_SWEEP_MS, leaseMs });
    if (setBackMs > 0)
      this.logger.warn({ setBackMs }, 'the clock of the database was set back; what waits for a time was set back with it');
  }

  /** One run that cannot be ended does not keep the others from it. */
  private async end(runId: string): Promise<void> {
    try {
      await this.publisher.publish((await settleRun(this.database, runId)).events);
    } catch (error) {
      this.logger.error({ err: error, runId }, 'a run could not be ended; the next sweep tries again');
    }
  }

  /** As with ends: one that cannot be told of does not keep the sweep from the others. */
  private async tellOfStuck(runId: string): Promise<void> {
    try {
      const event = await reportStuckRun(this.database, this.config, runId);
      if (event) this.logger.warn({ batchId: event.batchId, reason: event.data.reason }, 'a batch is stuck');
      await this.publisher.publish([event]);
    } catch (error) {
      this.logger.error({ err: error, runId }, 'could not tell of a run that is stuck; the next sweep tries again');
    }
  }

  /**
   * Turns are not waited for, nor a Redis that does not answer. Lanes are taken for tenants that may have more of them; those that may not
   * would stand before them with all of their runs. When all lanes are busy, the queue decides who is next. There a run may stand too far
   * behind, or not at all: its bells were lost with a worker, or with a turn that failed. It is rung for again.
   */
  private async serveWaitingRuns(): Promise<void> {
    const { fullTenants: names, freeLanes } = this.worker;
    let left = freeLanes;
    for (const { bell, lanes, waits, orphans } of await this.findWaiting(Math.max(left, MAX_REPEATED), { names, alone: false })) {
      for (let lane = 0; lane < lanes && left > 0; lane += 1, left -= 1) void this.worker.hear(bell);
      if (left === 0 && waits) this.repeated.ring(bell, Math.max(1, orphans), this.patienceMs);
    }
    if (names.length === 0) return;
    for (const { bell, waits, orphans } of await this.findWaiting(MAX_REPEATED, { names, alone: true })) {
      if (waits) this.repeated.ring(bell, Math.max(1, orphans), this.patienceMs);
    }
  }

  private async findWaiting(limit: number, tenants: { names: string[]; alone: boolean }) {
    const { freeOperations: operations, heldRuns: except } = this.worker;
    const search = { operations, limit, ageMs: this.config.priorityAgeMs, except, tenants };
    return (await findWaitingRuns(this.database.pool, search)).map(
      ({ run_id: runId, tenant, rank, lanes, orphans, waited_ms: waitedMs }) => {
        const waits = orphans > 0 || waitedMs > this.patienceMs;
        return { bell: { runId, tenant, rank, express: false }, lanes, orphans, waits };
      },
    );
  }

  /** After so long a run that waits is rung for again. */
  private get patienceMs(): number {
    return Math.min(this.config.priorityAgeMs, this.config.leaseMs);
  }

  private async fold(): Promise<void> {
    this.foldedAt = Date.now();
    await foldEndedTotals(this.database.pool);
    await foldRecordTotals(this.database.pool);
  }

  private async cleanUp(): Promise<void> {
    this.cleanedUpAt = Date.now();
    await discardAbandonedIntakes(this.database.pool);
    await deleteIdleBuckets(this.database.pool);
    while (!this.stopped && (await forgetKeys(this.database.pool)) > 0);
    for (const dialect of DIALECTS) {
      const expiry = { olderThanMs: retentionMs(dialect, this.config), dialect };
      let deleted = 0;
      for (let gone = -1; gone !== 0 && !this.stopped; deleted += gone) {
        gone = await this.database.transaction((connection) => deleteExpiredBatches(connection, expiry));
      }
      if (deleted > 0) this.logger.log({ dialect, deleted }, 'removed batches past their retention');
    }
  }
}
