import { Logger } from '@nestjs/common';
import type { BatchEventPublisher } from '../batches/events/batch-event-publisher.js';
import type { ClaimedLane } from '../batches/store/claim-lane.js';
import { isDueToJudge, type Verdict } from '../batches/store/judge-run.js';
import { settleRun } from '../batches/store/settle-run.js';
import type { Database } from '../database/sql.js';
import type { ProgressTeller } from './progress-teller.js';

/** What the results that this process records mean for their runs: progress to tell, rules that stop them, their end. */
export class RunWatch {
  private readonly logger = new Logger(RunWatch.name);
  private readonly judging = new Set<string>();
  private readonly judgeAgain = new Set<string>();

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

  /** Moves the run on if its rules or its end say so, and tells everybody, of its progress otherwise. */
  async settle(runId: string): Promise<Verdict | undefined> {
    const { events, verdict } = await settleRun(this.database, runId);
    await this.publisher.publish(events);
    if (events.length === 0) this.progress.add(runId);
    if (verdict && verdict.to !== 'go on') await this.publisher.runChanged(runId);
    return verdict;
  }
}
