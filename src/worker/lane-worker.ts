import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { BatchEventPublisher } from '../batches/events/batch-event-publisher.js';
import { claimLane, claimLaneOrSlotted, type ClaimedLane } from '../batches/store/claim-lane.js';
import { endRun } from '../batches/store/end-run.js';
import { findWaitingRuns } from '../batches/store/find-work.js';
import { recordProgress } from '../batches/store/record-progress.js';
import { renewLeases } from '../batches/store/renew-leases.js';
import { surrenderLane } from '../batches/store/surrender-lane.js';
import { ProcessRecycler } from '../common/process-recycler.js';
import { Config } from '../config.js';
import { Database, isRefusedData } from '../database/sql.js';
import { ItemHandlerRegistry } from '../operations/item-handler.registry.js';
import { EventChannel } from '../queue/event-channel.js';
import { type Bell, LaneQueue } from '../queue/lane-queue.js';
import { QuietWarning } from '../queue/quiet-warning.js';
import { ItemRunner } from './item-runner.js';
import { LaneTurn, type TurnReport } from './lane-turn.js';
import { LaterBells } from './later-bells.js';
import { OperationSlots } from './operation-slots.js';

const HEARTBEAT_MS = 1_000;
const HEARTBEATS_A_LEASE = 3;
const TICK_MS = 100;
/** A turn gives way to waiting bells after this long. */
const TURN_MS = 1_000;
const PROGRESS_MS = 250;
/** Runs that one look for a slot's next item finds: other processes may take the first of them meanwhile. */
const CANDIDATES = 5;
/** Of a held run's bell: the database's clock must have passed the time when it is heard. */
const CLOCK_SLACK_MS = 10;
/** More calls of handlers than this that ignore their abort signals, and the process takes no more lanes until some have ended. */
const MAX_STUCK = 100;

interface Turn {
  turn: LaneTurn;
  bell: Bell;
  startedAt: number;
  /** It ends with its first item anyway. */
  oneItem: boolean;
}

/** Hears bells, takes lanes, and keeps their leases; what happens within a turn is {@link LaneTurn}'s. */
@Injectable()
export class LaneWorker implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(LaneWorker.name);
  private readonly turnFailed = new QuietWarning(this.logger, 'a turn at a lane failed; its run is taken up again');
  private readonly turns = new Set<Turn>();
  private readonly workedRuns = new Set<string>();
  private readonly progressAt = new Map<string, number>();
  private readonly slots: OperationSlots;
  private readonly later: LaterBells;
  private timers: NodeJS.Timeout[] = [];
  /** Bells and slots being worked, from the first look at the database to the last word about a turn. */
  private working = 0;
  private draining = false;
  private beating = false;
  private stuck = 0;

  constructor(
    private readonly database: Database,
    private readonly config: Config,
    private readonly registry: ItemHandlerRegistry,
    private readonly queue: LaneQueue,
    private readonly channel: EventChannel,
    private readonly publisher: BatchEventPublisher,
    private readonly recycler: ProcessRecycler,
  ) {
    this.slots = new OperationSlots(registry);
    this.later = new LaterBells(queue);
  }

  /** Not earlier: handlers and listeners are bound by now. */
  async onApplicationBootstrap(): Promise<void> {
    this.channel.subscribe<{ runId: string }>('run-changed', () => void this.beat());
    const heartbeatMs = Math.min(HEARTBEAT_MS, this.config.leaseMs / HEARTBEATS_A_LEASE);
    this.timers = [setInterval(() => void this.beat(), heartbeatMs), setInterval(() => this.tick(), TICK_MS)];
    await this.queue.listen((bell) => this.hear(bell), this.config.workerLanes);
  }

  /** Stops claiming, lets items in flight finish, aborts those that take too long, and gives every lane back. */
  async beforeApplicationShutdown(): Promise<void> {
    this.draining = true;
    const grace = this.config.shutdownGraceMs;
    await this.queue.mute();
    this.later.stop();
    for (const { turn } of this.turns) turn.stop('shutdown');
    if (!(await this.idleWithin(grace * 0.5))) for (const { turn } of this.turns) turn.abort('the worker shuts down');
    if (!(await this.idleWithin(grace * 0.25))) for (const { turn } of this.turns) turn.abandon();
    await this.idleWithin(grace * 0.15);
    for (const timer of this.timers) clearInterval(timer);
  }

  get freeLanes(): number {
    return this.draining || this.stuck > MAX_STUCK ? 0 : this.config.workerLanes - this.turns.size;
  }

  /** Operations that this process can take items of now. */
  get freeOperations(): string[] {
    return this.registry.operations.filter((operation) => !this.slots.isFull(operation));
  }

  /** The runs this process has taken turns at since it was asked last. Active: it has one now. */
  takeWorkedRuns(): Map<string, { active: boolean }> {
    const active = new Set([...this.turns].map(({ bell }) => bell.runId));
    const worked = new Map([...this.workedRuns].map((runId) => [runId, { active: active.has(runId) }]));
    for (const runId of this.workedRuns) if (!active.has(runId)) this.workedRuns.delete(runId);
    return worked;
  }

  /** Works one turn at one of the run's free lanes, if there is one. Never rejects. */
  async hear(bell: Bell): Promise<void> {
    if (this.freeLanes <= 0) return;
    this.working += 1;
    try {
      const where = { runId: bell.runId, leaseMs: this.config.leaseMs };
      const { lane, slotted } = await claimLaneOrSlotted(this.database.pool, where, this.slots.operations);
      if (lane) await this.takeTurn(bell, lane);
      else if (slotted !== undefined) await this.workSlot(slotted);
      else for (const { turn } of this.turnsOf(bell.runId)) turn.nudge();
    } catch (error) {
      this.turnFailed.warn(error);
    } finally {
      this.working -= 1;
    }
  }

  /** Works the operation's most urgent items in one of its slots, as long as there are any. Never rejects. */
  private async workSlot(operation: string): Promise<void> {
    if (!this.slots.take(operation)) return;
    this.working += 1;
    try {
      while (this.freeLanes > 0) {
        const next = await this.claimMostUrgent(operation);
        if (!next) return;
        const turn = this.takeTurn(next.bell, next.lane);
        // One bell is enough to fill all slots.
        void this.workSlot(operation);
        await turn;
        if (this.freeLanes <= 1 && (await this.queue.hasWaiting())) return await this.queue.ring(next.bell, 1);
      }
    } catch (error) {
      this.turnFailed.warn(error);
    } finally {
      this.working -= 1;
      this.slots.giveBack(operation);
    }
  }

  private async claimMostUrgent(operation: string): Promise<{ bell: Bell; lane: ClaimedLane } | undefined> {
    for (const { run_id: runId, rank } of await findWaitingRuns(this.database.pool, [operation], CANDIDATES)) {
      const lane = await claimLane(this.database.pool, runId, this.config.leaseMs);
      if (lane) return { bell: { runId, rank }, lane };
    }
    return undefined;
  }

  private async takeTurn(bell: Bell, lane: ClaimedLane): Promise<void> {
    const fence = { runId: lane.run_id, no: lane.no, fence: lane.fence };
    const registered = this.registry.get(lane.operation);
    // A newer release's operation: its own workers find the run by their sweep.
    if (!registered) return surrenderLane(this.database, fence);
    if (lane.reclaimed > 0) this.logger.warn({ batchId: lane.batch_id, chunks: lane.reclaimed }, 'took over chunks of a worker that died');
    let entry: Turn | undefined;
    try {
      const settings = {
        leaseMs: this.config.leaseMs,
        oneItem: registered.handler.slotsPerWorker !== undefined,
        onFlush: () => void this.tellProgress(lane.run_id),
        onStuck: (calls: number) => this.countStuck(calls),
      };
      const turn = new LaneTurn(this.database.pool, lane, new ItemRunner(registered, lane), settings);
      entry = { turn, bell, startedAt: performance.now(), oneItem: settings.oneItem };
      this.turns.add(entry);
      this.workedRuns.add(bell.runId);
      if (this.draining) turn.stop('shutdown');
      const report = await turn.run();
      this.turns.delete(entry);
      await this.afterTurn(bell, report);
    } catch (error) {
      entry?.turn.abort('the database did not answer');
      entry?.turn.abandon();
      if (entry) this.turns.delete(entry);
      // A flush that is refused for its data would be refused for ever. Not given back, the lane counts as lost in a crash, and
      // after two of them its items run, and are recorded, one by one.
      if (!isRefusedData(error)) await this.surrender(lane, fence);
      throw error;
    }
  }

  private async afterTurn(bell: Bell, report: TurnReport): Promise<void> {
    if (this.turnsOf(bell.runId).length === 0) this.progressAt.delete(bell.runId);
    const { runId } = bell;
    switch (report.end) {
      case 'yielded':
      case 'shutdown':
        if (report.status === 'stopping') await this.publisher.publish([await endRun(this.database, runId)]);
        return this.queue.ring(bell, 1);
      case 'drained':
        await this.publisher.publish([await endRun(this.database, runId)]);
        if (report.nextRetryMs !== null) this.later.ring(bell, report.nextRetryMs);
        return;
      case 'held':
        return this.later.ring(bell, report.heldMs + CLOCK_SLACK_MS);
      case 'stopped':
        await this.publisher.publish([await endRun(this.database, runId)]);
        // It may have been resumed while the lane was still held; if not, nobody hears this bell.
        return this.queue.ring(bell, 1);
      case 'lost':
        this.logger.warn({ runId }, 'lost a lane to another worker; what it had not recorded was discarded');
    }
  }

  /** Tries until the database answers, or until the lease has ended by itself. */
  private async surrender(lane: ClaimedLane, fence: { runId: string; no: number; fence: number }): Promise<void> {
    const until = performance.now() + this.config.leaseMs;
    while (performance.now() < until && !this.draining) {
      try {
        await surrenderLane(this.database, fence);
        return;
      } catch {
        this.logger.warn({ batchId: lane.batch_id }, 'the database does not answer; trying again to give a lane back');
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    }
  }

  private async beat(): Promise<void> {
    const turns = [...this.turns].map(({ turn }) => turn);
    // A database that does not answer must not get one more question every second.
    if (turns.length === 0 || this.beating) return;
    const sentAt = performance.now();
    this.beating = true;
    try {
      const renewed = await renewLeases(
        this.database.heartbeats,
        turns.map(({ fence }) => fence),
        this.config.leaseMs,
      );
      const held = new Map(renewed.map((lane) => [`${lane.run_id}:${lane.no}:${lane.fence}`, lane.status]));
      for (const turn of turns) {
        const { runId, no, fence } = turn.fence;
        const status = held.get(`${runId}:${no}:${fence}`);
        if (status) turn.renewed(status, sentAt);
        else turn.missed();
      }
    } catch (error) {
      this.logger.warn({ err: error }, 'a heartbeat failed; lanes stop by themselves before their leases end');
    } finally {
      this.beating = false;
    }
  }

  private tick(): void {
    const now = performance.now();
    for (const { turn } of this.turns) turn.tick(now);
    const long = [...this.turns].filter(({ startedAt, oneItem }) => !oneItem && now - startedAt > TURN_MS);
    if (long.length > 0 && this.turns.size >= this.config.workerLanes) void this.giveWay(long);
  }

  /** All lanes of this process are busy: if somebody waits, those that had their time go to the queue's tail. */
  private async giveWay(long: Turn[]): Promise<void> {
    if (!(await this.queue.hasWaiting())) return;
    for (const { turn } of long) turn.stop('yielded');
  }

  private async tellProgress(runId: string): Promise<void> {
    const now = performance.now();
    if (now - (this.progressAt.get(runId) ?? -Infinity) < PROGRESS_MS) return;
    this.progressAt.set(runId, now);
    try {
      await this.publisher.publish([await this.database.transaction((connection) => recordProgress(connection, runId))]);
    } catch (error) {
      this.logger.warn({ err: error, runId }, 'a progress event was not written; the next one tells more');
    }
  }

  private countStuck(calls: number): void {
    this.stuck += calls;
    if (this.stuck > MAX_STUCK)
      this.recycler.report('stuck', `${this.stuck} calls of item handlers ignore their abort signals, and no more lanes are taken`);
    else this.recycler.withdraw('stuck');
  }

  private turnsOf(runId: string): Turn[] {
    return [...this.turns].filter(({ bell }) => bell.runId === runId);
  }

  private async idleWithin(ms: number): Promise<boolean> {
    const until = performance.now() + ms;
    while (this.working > 0 && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 10));
    return this.working === 0;
  }
}
