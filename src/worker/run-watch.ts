import { Logger } from '@nestjs/common';
import type { BatchEventPublisher } from '../batches/events/batch-event-publisher.js';
import type { ClaimedLane } from '../batches/store/claim-lane.js';
import { isDueToJudge, type Verdict } from '../batches/store/judge-run.js';
import { pauseRun } from '../batches/store/pause-run.js';
import { settleRun } from '../batches/store/settle-run.js';
import type { Database } from '../database/sql.js';
import type { ProgressTeller } from './progress-teller.js';

/** What the results that this process records mean for their runs: progress to tell, rules that stop them, their end. */
export class RunWatch {
  private readonly logger = new Logger(RunWatch.name);
  private readonly judging = new Set<string>();
  private readonly judgeAgain = new Set<string>();
  private readonly pausing = new Set<string>();

  constructor(
    private readonly database: Database,
    private readonly publisher: BatchEventPublisher,
    private readonly progress: ProgressTeller,
  ) {}

  /** Results of the lane's run were recorded, so many of them failures. */
  onRecorded({ run_id: runId, options }: ClaimedLane, failed: number): void {
    this.progress.add(runId);
    const { failureThreshold: threshold } = options;
    // A success may be the one with which a share is looked at.
    if (threshold && (failed > 0 || typeof threshold.percent === 'number')) void this.judge(runId);
  }

  /** Looks whether too many of a run's items have failed: one look at a time, and one more after the last results. Never rejects. */
  private async judge(runId: string): Promise<void> {
    if (this.judging.has(runId)) return void this.judgeAgain.add(runId);
    this.judging.add(runId);
    try {
      do {
        this.judgeAgain.delete(runId);
        if (await isDueToJudge(this.database.pool, runId)) await this.settle(runId);
      } while (this.judgeAgain.has(runId));
    } catch (error) {
      this.logger.warn({ err: error, runId }, 'a failure threshold was not looked at; the next results, or the end, look again');
    } finally {
      this.judging.delete(runId);
    }
  }

  /** Pauses a run whose handler's calls go on after their time. They still cost it nothing but that. Never rejects. */
  async pauseHanging(runId: string, calls: number, timeoutMs: number): Promise<void> {
    if (this.pausing.has(runId)) return;
    this.pausing.add(runId);
    try {
      const why = `${calls} calls for items of this batch ignored their abort signal, and still run`;
      const reason = `${why}: they have gone on for two seconds after their time limit of ${timeoutMs} ms`;
      const events = await pauseRun(this.database, runId, { kind: 'hanging-calls', reason });
      if (events.length === 0) return;
      this.logger.warn({ batchId: events[0]!.batchId, runId, calls }, 'a batch is paused because calls of its item handler hang');
      await this.publisher.publish(events);
      await this.publisher.runChanged(runId);
    } catch (error) {
      this.logger.warn({ err: error, runId }, 'a batch whose calls hang was not paused; the next one that hangs does it');
    } finally {
      this.pausing.delete(runId);
    }
  }

  /** Moves the run on if its rules or its end say so, and tells everybody, of its progress otherwise. */
  async settle(runId: string): Promise<Verdict | undefined> {
    const { events, verdict } = await settleRun(this.database, runId);
    await this.publisher.publish(events);
    if (events.length === 0) this.progress.add(runId);
    if (verdict && verdict.to !== 'go on') await this.publisher.runChanged(runId);
    return verdict;
  }
}
