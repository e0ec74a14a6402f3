import { isTerminal, type RunStatus } from '../batches/batch.state.js';
import type { ClaimedWork } from '../batches/store/claim-chunks.js';
import type { ClaimedLane } from '../batches/store/claim-lane.js';
import type { LaneFence } from '../batches/store/record-outcomes.js';
import type { HeldLane } from '../batches/store/renew-leases.js';
import type { Connection } from '../database/sql.js';
import { BatchStoppedError } from '../operations/item-handler.js';
import { HeldChunks } from './held-chunks.js';
import type { ItemRunner } from './item-runner.js';
import { ItemSlots } from './item-slots.js';
import { LaneLimits } from './lane-limits.js';
import { LaneRecorder } from './lane-recorder.js';
import { LoneItems } from './lone-items.js';
import { StartTokens } from './start-tokens.js';
import type { TurnEnd, TurnReport, TurnSettings } from './turn-report.js';
import { WaitingWork } from './waiting-work.js';

const TICK_MS = 50;

/**
 * One turn of a worker at one lane: claim chunks, run their items side by side, record what came of them, and give the
 * lane back. One loop decides ({@link run}); everything else wakes it.
 */
export class LaneTurn {
  readonly fence: LaneFence;
  readonly isOfOneItem: boolean;
  readonly limits: LaneLimits;
  private readonly slots: ItemSlots;
  private readonly chunks = new HeldChunks();
  private readonly tokens: StartTokens;
  private readonly recorder: LaneRecorder;
  private readonly work: WaitingWork;
  private readonly lone: LoneItems;
  private status: RunStatus = 'running';
  private end?: TurnEnd;
  private heldMs = 0;
  private leaseRenewedAt = performance.now();
  private wake?: () => void;

  constructor(
    connection: Connection,
    readonly lane: ClaimedLane,
    runner: ItemRunner,
    private readonly settings: TurnSettings,
  ) {
    this.isOfOneItem = settings.oneItem;
    this.limits = new LaneLimits(lane, settings);
    this.tokens = new StartTokens(connection, lane, settings.tenantPerMinute);
    const mayWait = (): boolean => this.end !== 'lost' && this.end !== 'shutdown';
    this.recorder = new LaneRecorder(connection, lane, runner, settings.leaseMs, mayWait);
    this.fence = this.recorder.fence;
    this.work = new WaitingWork(connection, lane, this.fence);
    this.slots = new ItemSlots(runner, this.limits, this.tokens, {
      mayStart: () => this.mayStart(),
      onSettled: () => settings.slices.enter(this.goOn),
      hanging: settings.hanging,
    });
    this.lone = new LoneItems(connection, this.fence, { chunks: this.chunks, slots: this.slots, tokens: this.tokens });
  }

  /** Of the batch's settings, as the turn has them. */
  get revision(): number {
    return this.lane.revision;
  }

  get ageMs(): number {
    return this.work.ageMs;
  }

  /** The limits over batches have granted it less than it could use, or more. */
  get isMisfit(): boolean {
    if (this.end !== undefined || this.isOfOneItem) return false;
    return this.limits.isSpacious || (this.limits.isNarrow && this.chunks.waitingCount > 0);
  }

  /** Items that it has in flight, or may have at any moment. */
  get used(): number {
    return Math.max(this.slots.busy, this.limits.most);
  }

  /** @throws when the database did not answer: what it has is unknown, so the lane must be surrendered */
  async run(): Promise<TurnReport> {
    // Not one clock for all: turns that looked for what is due at the same moment would all flush at the same moment.
    const clock = setInterval(() => this.tick(performance.now()), TICK_MS).unref();
    let end: TurnEnd;
    try {
      end = await this.takeItems();
    } finally {
      clearInterval(clock);
    }
    await this.tokens.putBack();
    return { end, status: this.status, nextRetryMs: this.work.nextRetryMs, heldMs: this.heldMs };
  }

  /** Takes no more items; those in flight finish. */
  stop(end: TurnEnd): void {
    this.end = end === 'lost' ? end : (this.end ?? end);
    if (end === 'lost') {
      this.slots.abort(new Error('another worker has taken over'));
      this.slots.abandon();
    }
    this.wake?.();
  }

  abort(reason: string): void {
    this.slots.abort(new Error(reason));
  }

  abandon(): void {
    this.slots.abandon();
    this.wake?.();
  }

  /** News from the heartbeat: the lane is still this turn's, and this is what became of its lease, of the run and its settings. */
  heldStill({ renewed, status, width, revision, options }: HeldLane, sentAt: number): void {
    if (renewed) this.leaseRenewedAt = Math.max(this.leaseRenewedAt, sentAt);
    if (options) {
      // The item runner and the tokens read their settings from this same object.
      Object.assign(this.lane.options, options);
      Object.assign(this.lane, { width, revision });
      this.tokens.settingsChanged();
    }
    this.see(status);
    this.nudge();
  }

  /** The heartbeat did not find the lane: another worker has it, or it has just been given back. */
  missed(): void {
    if (!this.recorder.released) this.stop('lost');
  }

  /** New items may have come. */
  nudge(): void {
    this.work.nudge();
    this.wake?.();
  }

  private async takeItems(): Promise<TurnEnd> {
    const { work } = this.lane;
    // The lane is kept for as long as the turn lasts, and these are the texts of its first items.
    this.lane.work = undefined;
    if (work) await this.take(work, true);
    else await this.record({ giveBack: false });
    if (this.limits.width === 0) this.leaveLane();
    while (!this.isOver()) {
      this.slots.fill(this.chunks, this.lone.keptFree);
      if (this.lone.hasEnded) await this.recordLone();
      else if (this.wantsToRecord()) await this.record({ giveBack: false });
      else if (this.wantsTokens()) await this.tokens.take(Math.min(this.chunks.waitingCount, this.slots.freeCount + this.ahead()));
      else if (this.isOutOfTokens()) await this.holdRun();
      else if (this.mayStart() && this.lone.canStart) await this.startLone();
      else if (!this.isOver()) await this.nextChange();
    }
    const reason = this.end ?? 'drained';
    while (!this.recorder.released && this.end !== 'lost') await this.record({ giveBack: true });
    return this.end === 'lost' ? 'lost' : reason;
  }

  /** Called several times a second: deadlines, due retries, changed limits, results that are old enough to record. */
  private tick(now: number): void {
    this.slots.tick(now);
    this.tokens.expire(now);
    this.limits.refresh();
    if (this.limits.isRetired) this.stop('retired');
    this.work.tick(now);
    this.wake?.();
  }

  private readonly goOn = (): void => {
    this.slots.fill(this.chunks, this.lone.keptFree);
    this.wake?.();
  };

  private isOver(): boolean {
    if (this.end === 'lost') return true;
    if (this.slots.busy > 0) return false;
    if (this.end !== undefined || this.hasDoneItsItem()) return true;
    return this.work.isNone && this.chunks.waitingCount === 0;
  }

  private hasDoneItsItem(): boolean {
    return this.isOfOneItem && this.slots.settledCount > 0;
  }

  /** The worker fences itself by the monotonic clock: without a fresh lease it starts nothing. */
  private mayStart(): boolean {
    const isFresh = performance.now() - this.leaseRenewedAt < this.settings.leaseMs * 0.8;
    return isFresh && this.end === undefined && !this.hasDoneItsItem();
  }

  private wantsTokens(): boolean {
    if (!this.tokens.areLimited || !this.mayStart()) return false;
    return this.tokens.areWanted(Math.min(this.chunks.waitingCount, this.slots.freeCount));
  }

  private isOutOfTokens(): boolean {
    return this.tokens.areOut && this.slots.busy === 0 && this.chunks.waitingCount > 0;
  }

  /** A lane in which nothing may start: it was claimed for a dead worker's chunks, or the batch's concurrency has not grown so far. */
  private leaveLane(): void {
    this.heldMs = this.limits.waitMs;
    this.stop(this.limits.isRetired ? 'retired' : 'held');
  }

  /** Gives the lane back instead of waiting in it for tokens. */
  private async holdRun(): Promise<void> {
    this.heldMs = await this.tokens.hold();
    this.stop('held');
  }

  private async startLone(): Promise<void> {
    if (!(await this.lone.startNext())) this.stop('lost');
  }

  private async recordLone(): Promise<void> {
    await this.record({ giveBack: false, all: true });
    this.lone.recorded();
  }

  private wantsToRecord(): boolean {
    return this.chunks.hasResultsDue || this.wantedChunks() > 0 || this.recorder.hasNewProgress || this.recorder.isBehind(this.busy);
  }

  /** How many items are at work, where that does not follow from what the lane holds: it may wait for tokens, or work chunks or lone items. */
  private get busy(): number | null {
    return this.tokens.areLimited || this.slots.takesChunks || this.lone.keptFree > 0 ? this.slots.busy : null;
  }

  private ahead(): number {
    return this.work.ahead(this.slots.settledCount);
  }

  private wantedChunks(): number {
    if (!this.mayStart()) return 0;
    const free = Math.max(0, this.limits.width - this.slots.busy);
    return this.work.wantedChunks(this.slots.settledCount, this.chunks.waitingCount, free);
  }

  private async record({ giveBack, all = giveBack }: { giveBack: boolean; all?: boolean }): Promise<void> {
    const isLast = giveBack && this.end === undefined;
    const claim = giveBack ? 0 : this.wantedChunks();
    const recorded = await this.recorder.record(this.chunks, { giveBack, all, claim, busy: this.busy });
    if (!recorded.held) return this.stop('lost');
    this.leaseRenewedAt = recorded.sentAt;
    this.chunks.dropComplete();
    await this.take(recorded, claim > 0);
    // After the last results its run is settled, which looks at all of that as well, and must not wait for it.
    if (recorded.outcomes > 0 && !isLast) this.settings.onRecorded(recorded.failed);
  }

  /** @param asked for chunks */
  private async take(work: ClaimedWork, asked: boolean): Promise<void> {
    this.chunks.add(work.chunks, work.gate);
    this.see(work.status);
    const retries = await this.work.learn(work, asked && this.end === undefined);
    if (retries) this.chunks.add([retries], work.gate);
  }

  private see(status: RunStatus): void {
    this.status = status;
    if (status === 'running') {
      // Resumed while items of before the pause are still in flight: the others need not wait for them.
      if (this.end === 'stopped') this.end = undefined;
      return;
    }
    this.stop('stopped');
    if (status === 'stopping' || isTerminal(status)) this.slots.abort(new BatchStoppedError());
  }

  private nextChange(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = () => {
        this.wake = undefined;
        resolve();
      };
    });
  }
}
