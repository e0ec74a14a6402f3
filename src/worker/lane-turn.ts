import { isTerminal, type RunStatus } from '../batches/batch.state.js';
import { claimDueRetries } from '../batches/store/claim-due-retries.js';
import type { ClaimedLane } from '../batches/store/claim-lane.js';
import { markSuspect } from '../batches/store/mark-suspect.js';
import { type Flushed, type LaneFence, recordOutcomes } from '../batches/store/record-outcomes.js';
import { Tally } from '../batches/tally.js';
import type { Connection } from '../database/sql.js';
import { BatchStoppedError } from '../operations/item-handler.js';
import { countOutcomes } from './count-outcomes.js';
import type { HeldChunk } from './held-chunk.js';
import { HeldChunks } from './held-chunks.js';
import type { ItemRunner } from './item-runner.js';
import { ItemSlots } from './item-slots.js';
import { StartTokens } from './start-tokens.js';

/** Progress that items report is shown this often at most. */
const PROGRESS_MS = 500;
/** A lane holds about this long's worth of items, so that the database works while the handler does. */
const AHEAD_MS = 500;
const MAX_HELD_ITEMS = 2_000;
const MAX_CHUNKS_PER_CLAIM = 40;
/** While chunks are left, retries that are due wait this long to be pooled into full chunks. */
const POOL_RETRIES_MS = 1_000;

/**
 * Why a turn stops taking items. `drained`: nothing is left to claim, or the one item of the turn is done. `held`: the rate limit has
 * no tokens. `lost`: another worker took the lane over.
 */
export type TurnEnd = 'drained' | 'held' | 'yielded' | 'stopped' | 'shutdown' | 'lost';

export interface TurnReport {
  end: TurnEnd;
  /** The run's state at the last flush. */
  status: RunStatus;
  /** Milliseconds until the run's next retry is due, or null. */
  nextRetryMs: number | null;
  /** Milliseconds until the rate limit has tokens again, of a turn that ended for them. */
  heldMs: number;
}

export interface TurnSettings {
  leaseMs: number;
  /** The operation is worked in slots: the turn ends with its first item, and the most urgent run gets the slot. */
  oneItem: boolean;
  onFlush: () => void;
  onStuck: (calls: number) => void;
}

/**
 * One turn of a worker at one lane: claim chunks, run their items side by side, record what came of them, and give the
 * lane back. One loop decides ({@link run}); everything else wakes it.
 */
export class LaneTurn {
  readonly fence: LaneFence;
  private readonly tally: Tally;
  private readonly slots: ItemSlots;
  private readonly chunks = new HeldChunks();
  private readonly tokens: StartTokens;
  private readonly width: number;
  private status: RunStatus = 'running';
  private end?: TurnEnd;
  private nothingToClaim = false;
  private released = false;
  private retryDueAt: number | null = null;
  private heldMs = 0;
  private leaseRenewedAt = performance.now();
  private readonly startedAt = performance.now();
  private flushedAt = 0;
  private shownReports = 0;
  private wake?: () => void;

  constructor(
    private readonly connection: Connection,
    private readonly lane: ClaimedLane,
    private readonly runner: ItemRunner,
    private readonly settings: TurnSettings,
  ) {
    this.fence = { runId: lane.run_id, no: lane.no, fence: lane.fence };
    this.tally = Tally.from(lane.tally);
    this.tokens = new StartTokens(connection, lane);
    this.width = settings.oneItem ? 1 : lane.width;
    const limits = { width: this.width, timeoutMs: lane.options.timeout, tokens: this.tokens };
    this.slots = new ItemSlots(runner, limits, {
      mayStart: () => this.mayStart(),
      onSettled: () => this.onSettled(),
      onStuck: settings.onStuck,
    });
  }

  /** @throws when the database did not answer: what it has is unknown, so the lane must be surrendered */
  async run(): Promise<TurnReport> {
    await this.flush(false);
    while (!this.isOver()) {
      this.slots.fill(this.chunks);
      const cautious = this.cautiousChunk();
      if (this.wantsFlush()) await this.flush(false);
      else if (this.wantsTokens()) await this.tokens.take(Math.min(this.chunks.waitingCount, this.slots.freeCount + this.ahead()));
      else if (this.isOutOfTokens()) await this.holdRun();
      else if (cautious && this.slots.busy === 0 && this.tokens.left > 0) await this.workOneAlone(cautious);
      else if (!this.isOver()) await this.nextChange();
    }
    while (!this.released && this.end !== 'lost') await this.flush(true);
    await this.tokens.putBack();
    const nextRetryMs = this.retryDueAt === null ? null : this.retryDueAt - performance.now();
    return { end: this.end ?? 'drained', status: this.status, nextRetryMs, heldMs: this.heldMs };
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

  /** News from the heartbeat: the lease was renewed, and this is the run's state. */
  renewed(status: RunStatus, sentAt: number): void {
    this.leaseRenewedAt = Math.max(this.leaseRenewedAt, sentAt);
    this.see(status);
    this.nudge();
  }

  /** The heartbeat did not find the lane: another worker has it, or it has just been given back. */
  missed(): void {
    if (!this.released) this.stop('lost');
  }

  /** New items may have come. */
  nudge(): void {
    this.nothingToClaim = false;
    this.wake?.();
  }

  /** Called several times a second: deadlines, due retries, results that are old enough to record. */
  tick(now: number): void {
    this.slots.tick(now);
    this.tokens.expire(now);
    if (this.retryDueAt !== null && now >= this.retryDueAt) this.nothingToClaim = false;
    this.wake?.();
  }

  private onSettled(): void {
    this.slots.fill(this.chunks);
    this.wake?.();
  }

  private isOver(): boolean {
    if (this.end === 'lost') return true;
    if (this.slots.busy > 0) return false;
    if (this.end !== undefined || this.hasDoneItsItem()) return true;
    return this.nothingToClaim && this.chunks.waitingCount === 0 && !this.wantsFlush();
  }

  private hasDoneItsItem(): boolean {
    return this.settings.oneItem && this.slots.settledCount > 0;
  }

  /** The worker fences itself by the monotonic clock: without a fresh lease it starts nothing. */
  private mayStart(): boolean {
    const isFresh = performance.now() - this.leaseRenewedAt < this.settings.leaseMs * 0.8;
    return isFresh && this.end === undefined && !this.hasDoneItsItem();
  }

  private cautiousChunk(): HeldChunk | undefined {
    return this.mayStart() ? this.chunks.firstCautious() : undefined;
  }

  private wantsTokens(): boolean {
    if (!this.tokens.areLimited || !this.mayStart()) return false;
    return this.tokens.areWanted(Math.min(this.chunks.waitingCount, this.slots.freeCount));
  }

  private isOutOfTokens(): boolean {
    return this.tokens.areOut && this.slots.busy === 0 && this.chunks.waitingCount > 0;
  }

  /** Gives the lane back instead of waiting in it for tokens. */
  private async holdRun(): Promise<void> {
    this.heldMs = await this.tokens.hold();
    this.stop('held');
  }

  /** A chunk that saw its worker die: one item at a time, named before it starts and recorded after it ends. */
  private async workOneAlone(chunk: HeldChunk): Promise<void> {
    const item = chunk.next()!;
    if (chunk.isPoison(item)) {
      const message = 'POISON: its worker died each time this item ran alone; it is not run again';
      this.slots.settle(item, this.runner.fail(item, { kind: 'poison', message }));
      return;
    }
    if (!(await markSuspect(this.connection, this.fence, chunk.no, item.index))) return this.stop('lost');
    this.slots.start(item);
    while (this.slots.busy > 0) await this.nextChange();
    await this.flush(false, true);
  }

  private wantsFlush(): boolean {
    return this.chunks.hasResultsDue || this.wantedChunks() > 0 || this.hasNewProgress();
  }

  /** Items that report how far they are, in a lane where nothing else happens. */
  private hasNewProgress(): boolean {
    return this.runner.reports !== this.shownReports && performance.now() - this.flushedAt >= PROGRESS_MS;
  }

  /** Items that are worked in a while at the present speed. */
  private ahead(): number {
    const perMs = this.slots.settledCount / Math.max(1, performance.now() - this.startedAt);
    return Math.min(MAX_HELD_ITEMS, Math.floor(perMs * AHEAD_MS));
  }

  /**
   * How many chunks to claim: as many as fill the free slots and keep them busy for a while at the present speed. Slow items
   * are not claimed ahead: another lane may have slots free for them.
   */
  private wantedChunks(): number {
    if (this.nothingToClaim || !this.mayStart()) return 0;
    const ahead = this.ahead();
    const free = Math.max(0, this.width - this.slots.busy);
    const waiting = this.chunks.waitingCount;
    if (waiting >= free + ahead / 2) return 0;
    return Math.min(MAX_CHUNKS_PER_CLAIM, Math.ceil((free + ahead - waiting) / this.lane.options.batchSize));
  }

  /** @param giveBack record everything and release the lane, unless there is too much for one flush */
  private async flush(giveBack: boolean, all = giveBack): Promise<void> {
    const { outcomes, deferred, moved, release } = this.chunks.gather(all, giveBack);
    this.released = release;
    const counts = countOutcomes(outcomes, this.tally);
    const claim = release ? 0 : this.wantedChunks();
    const sentAt = performance.now();
    this.flushedAt = sentAt;
    this.shownReports = this.runner.reports;
    const flushed = await recordOutcomes(this.connection, this.fence, {
      release,
      leaseMs: this.settings.leaseMs,
      counts,
      tally: outcomes.length > 0 ? JSON.stringify(this.tally) : null,
      itemProgress: this.runner.progress.size > 0 ? Object.fromEntries(this.runner.progress) : null,
      outcomes,
      deferred,
      moved,
      claim,
    });
    if (!flushed.held) return this.stop('lost');
    this.leaseRenewedAt = sentAt;
    this.chunks.dropComplete();
    this.chunks.add(flushed.chunks);
    this.see(flushed.status);
    await this.lookForRetries(flushed, claim);
    if (outcomes.length > 0) this.settings.onFlush();
  }

  private async lookForRetries(flushed: Flushed, claim: number): Promise<void> {
    this.retryDueAt = flushed.nextRetryMs === null ? null : performance.now() + flushed.nextRetryMs;
    if (claim === 0 || this.end !== undefined) return;
    const foundAll = flushed.chunks.length >= claim;
    const overdue = flushed.nextRetryMs === null ? -Infinity : -flushed.nextRetryMs;
    const asks = overdue >= (foundAll ? POOL_RETRIES_MS : 0);
    const chunk = asks ? await claimDueRetries(this.connection, this.fence, this.lane.options.batchSize) : undefined;
    if (chunk) this.chunks.add([chunk]);
    this.nothingToClaim = !foundAll && !chunk;
  }

  private see(status: RunStatus): void {
    this.status = status;
    if (status === 'running') return;
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
