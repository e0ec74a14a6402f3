import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { BatchEventPublisher } from '../batches/events/batch-event-publisher.js';
import { laneWidths, rankOf } from '../batches/dialects.js';
import type { ClaimedLane } from '../batches/store/claim-lane.js';
import type { Room } from '../batches/store/claim-within-limits.js';
import { findWaitingRuns } from '../batches/store/find-work.js';
import { HangingCalls } from '../common/hanging-calls.js';
import { Config } from '../config.js';
import { FreeSpace } from '../database/free-space.js';
import { Database } from '../database/sql.js';
import { ItemHandlerRegistry } from '../operations/item-handler.registry.js';
import { EventChannel } from '../queue/event-channel.js';
import { type Bell, LaneQueue } from '../queue/lane-queue.js';
import { QuietWarning } from '../queue/quiet-warning.js';
import { HeldRuns } from './held-runs.js';
import { LaneClaimer } from './lane-claimer.js';
import { LaneSeats, type Seat } from './lane-seats.js';
import { LaterBells } from './later-bells.js';
import { OperationSlots, type Slot } from './operation-slots.js';
import { ProgressTeller } from './progress-teller.js';
import { RoomSharing } from './room-sharing.js';
import { RunWatch } from './run-watch.js';
import type { TurnReport } from './turn-report.js';
import { type TakenLane, TurnTaker } from './turn-taker.js';
import { Turns } from './turns.js';

const HEARTBEAT_MS = 1_000;
const HEARTBEATS_A_LEASE = 3;
const GIVE_WAY_MS = 100;
/** Runs that one look for a slot's next item finds: other processes may take the first of them meanwhile. */
const CANDIDATES = 5;
/** Bells that are heard while every lane is worked, to know who waits. */
const SPARE_EARS = 16;
/** Of a held run's bell: the database's clock must have passed the time when it is heard. */
const CLOCK_SLACK_MS = 10;
/** A run for which the limits over batches leave no room asks again after this long for each step of its rank: urgent ones more often. */
const ASK_ROOM_MS = 100;
/** What a turn has given up is left to who wanted it for so long. */
const MADE_ROOM_MS = 600;

/** Hears bells, claims lanes, and does what follows from how their turns ended. */
@Injectable()
export class LaneWorker implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(LaneWorker.name);
  private readonly turnFailed = new QuietWarning(this.logger, 'a turn at a lane failed; its run is taken up again');
  private readonly turns: Turns;
  private readonly seats: LaneSeats;
  private readonly slots: OperationSlots;
  private readonly claimer: LaneClaimer;
  private readonly later: LaterBells;
  private readonly held: HeldRuns;
  private readonly progress: ProgressTeller;
  private readonly watch: RunWatch;
  private readonly taker: TurnTaker;
  private readonly rooms: RoomSharing;
  private timers: NodeJS.Timeout[] = [];
  /** Bells and slots being worked, from the first look at the database to the last word about a turn. */
  private working = 0;
  private draining = false;

  constructor(
    private readonly database: Database,
    private readonly config: Config,
    private readonly registry: ItemHandlerRegistry,
    private readonly queue: LaneQueue,
    private readonly channel: EventChannel,
    private readonly space: FreeSpace,
    publisher: BatchEventPublisher,
    private readonly hanging: HangingCalls,
  ) {
    this.turns = new Turns(database, config.leaseMs);
    this.seats = new LaneSeats(config.workerLanes, config.tenantLanesPercent, (bell, seat) => void this.workBell(bell, seat));
    this.slots = new OperationSlots(registry, hanging);
    this.claimer = new LaneClaimer(database, config);
    this.later = new LaterBells(queue);
    this.held = new HeldRuns(this.later);
    this.progress = new ProgressTeller(database, publisher);
    this.watch = new RunWatch(database, publisher, this.progress);
    this.rooms = new RoomSharing(database, config, this.turns, channel);
    this.taker = new TurnTaker(database, config, registry, hanging, this.turns, this.watch);
  }

  /** Not earlier: handlers and listeners are bound by now. */
  async onApplicationBootstrap(): Promise<void> {
    this.channel.subscribe<{ runId: string }>('run-changed', () => void this.turns.beat());
    const heartbeatMs = Math.min(HEARTBEAT_MS, this.config.leaseMs / HEARTBEATS_A_LEASE);
    this.timers = [
      setInterval(() => void this.turns.beat(), heartbeatMs),
      setInterval(() => void this.rooms.fit(), heartbeatMs),
      setInterval(() => this.giveWay(), GIVE_WAY_MS),
    ];
    const ears = this.config.workerLanes + SPARE_EARS;
    await this.queue.listen((bell) => this.hear(bell), { common: ears, express: ears });
  }

  /** Stops claiming, lets items in flight finish, aborts those that take too long, and gives every lane back. */
  async beforeApplicationShutdown(): Promise<void> {
    this.draining = true;
    this.seats.close();
    const toldAt = performance.now();
    const idleBy = (share: number): Promise<boolean> => this.idleUntil(toldAt + this.config.shutdownGraceMs * share);
    await this.queue.mute();
    this.later.stop();
    this.turns.drain();
    if (!(await idleBy(0.5))) {
      this.logger.warn(`${this.working} turns still run after half of the grace time: their items are aborted`);
      for (const turn of this.turns) turn.abort('the worker shuts down');
    }
    if (!(await idleBy(0.75))) for (const turn of this.turns) turn.abandon();
    if (!(await idleBy(0.9))) this.logger.warn(`${this.working} turns do not end: their lanes are left to their leases`);
    for (const timer of this.timers) clearInterval(timer);
    this.progress.stop();
  }

  /** Lanes for runs that the sweep finds, of tenants that are not full. */
  get freeLanes(): number {
    return this.mayWork ? this.seats.free : 0;
  }

  /** Those that work as many lanes of this process as they may. */
  get fullTenants(): string[] {
    return this.seats.fullTenants;
  }

  /** Operations that this process can take items of now. */
  get freeOperations(): string[] {
    return this.registry.operations.filter((operation) => !this.slots.isFull(operation));
  }

  /** Runs of which nothing may start for a moment. */
  get heldRuns(): string[] {
    return this.held.ids;
  }

  takeWorkedRuns(): Map<string, { active: boolean }> {
    return this.turns.takeWorkedRuns();
  }

  /** Works one turn at one of the run's free lanes, if there is one; later, when the tenant may have no more lanes now. Never rejects. */
  async hear(bell: Bell): Promise<void> {
    const seat = this.mayWork ? this.seats.take(bell) : undefined;
    if (seat) await this.workBell(bell, seat);
  }

  private async workBell(bell: Bell, seat: Seat): Promise<void> {
    let slotted: string | undefined;
    await this.work(seat, async () => {
      if (!this.mayWork) return;
      const claim = await this.claimer.claim(bell.runId, this.slots.operations);
      slotted = claim.slotted;
      if (claim.full) this.holdForRoom(bell, claim.full);
      else if (claim.lane) await this.takeTurn(bell, { lane: claim.lane, room: claim.room });
      else for (const turn of this.turns.of(bell.runId)) turn.nudge();
    });
    if (slotted !== undefined) await this.workSlot(slotted, bell.tenant);
  }

  /** Works the operation's most urgent items in one of its slots, as long as there are any. Never rejects. */
  private async workSlot(operation: string, tenant: string): Promise<void> {
    for (let goesOn = true; goesOn;) {
      const slot = this.slots.take(operation, tenant);
      if (!slot) return;
      const seat = this.seatFor(tenant);
      goesOn = false;
      if (seat) await this.work(seat, async () => void (goesOn = await this.workMostUrgent(slot, tenant)));
      this.slots.giveBack(slot);
    }
  }

  private async workMostUrgent(slot: Slot, tenant: string): Promise<boolean> {
    const next = await this.claimMostUrgent(slot);
    if (!next) return false;
    this.slots.use(slot, next.bell.tenant);
    const turn = this.takeTurn(next.bell, next.taken);
    // One bell is enough to fill all slots.
    void this.workSlot(slot.operation, tenant);
    await turn;
    if (!this.seats.isInTheWay(tenant)) return !this.hanging.areTooManyOf(slot.operation);
    await this.queue.ring(next.bell, 1);
    return false;
  }

  /** Of tenants with fewer slots first, then by urgency. */
  private async claimMostUrgent(slot: Slot): Promise<{ bell: Bell; taken: TakenLane } | undefined> {
    const { operation } = slot;
    const search = { operations: [operation], limit: CANDIDATES, ageMs: this.config.priorityAgeMs, except: this.heldRuns };
    const found = await findWaitingRuns(this.database.pool, { ...search, after: this.slots.inTurn(slot) });
    for (const { run_id: runId, rank, tenant } of found) {
      if (!this.slots.mayUse(slot, tenant)) return undefined;
      const bell = { runId, rank, tenant, express: false };
      const { lane, room, full } = await this.claimer.claim(runId, []);
      if (full) this.holdForRoom(bell, full);
      if (lane) return { bell, taken: { lane, room } };
    }
    return undefined;
  }

  private holdForRoom(bell: Bell, full: Room): void {
    this.rooms.ask(bell.runId, full);
    this.held.hold(bell, ASK_ROOM_MS * bell.rank);
  }

  private async takeTurn(bell: Bell, taken: TakenLane): Promise<void> {
    const report = await this.taker.take(taken);
    if (report) await this.afterTurn(bell, taken.lane, report);
  }

  private async afterTurn(heard: Bell, lane: ClaimedLane, report: TurnReport): Promise<void> {
    const { runId } = heard;
    // Its priority may have changed; who has less than his part of this process goes before the others.
    const bell = { ...heard, rank: rankOf(lane.options), express: this.seats.isBelowShare(heard.tenant) };
    switch (report.end) {
      case 'yielded':
      case 'retired':
      case 'shutdown':
        if (report.status === 'stopping') await this.watch.settle(runId);
        return this.queue.ring(bell, 1);
      case 'drained': {
        const verdict = await this.watch.settle(runId);
        if (verdict?.to === 'go on') return this.queue.ring(bell, laneWidths(lane.options).length);
        return report.nextRetryMs === null ? undefined : this.later.ring(bell, report.nextRetryMs);
      }
      case 'held':
      case 'made-room':
        if (report.status === 'stopping') await this.watch.settle(runId);
        return this.held.hold(bell, report.end === 'held' ? report.heldMs + CLOCK_SLACK_MS : MADE_ROOM_MS);
      case 'stopped':
        await this.watch.settle(runId);
        // It may have been resumed while the lane was still held; if not, nobody hears this bell.
        return this.queue.ring(bell, 1);
      case 'lost':
        this.logger.warn({ runId }, 'lost a lane to another worker; what it had not recorded was discarded');
    }
  }

  /**
   * Turns that had their time go to the queue's tail, when somebody waits who holds no more lanes than their tenant does. Without space in the
   * database all do; what has begun may still be recorded: that is what the reserve is for.
   */
  private giveWay(): void {
    if (this.space.shortage('database')) for (const turn of this.turns) turn.stop('yielded');
    if (!this.seats.hasWaiting) return;
    for (const turn of this.turns.long) if (this.seats.isInTheWay(turn.lane.tenant)) turn.stop('yielded');
  }

  private get mayWork(): boolean {
    return !this.draining && !this.hanging.areTooMany && !this.space.shortage('database');
  }

  private seatFor(tenant: string): Seat | undefined {
    return this.mayWork ? this.seats.takeFree(tenant) : undefined;
  }

  /** Does something in a seat. Never rejects. */
  private async work(seat: Seat, what: () => Promise<void>): Promise<void> {
    this.working += 1;
    try {
      await what();
    } catch (error) {
      this.turnFailed.warn(error);
    } finally {
      this.working -= 1;
      this.seats.leave(seat);
    }
  }

  private async idleUntil(until: number): Promise<boolean> {
    while (this.working > 0 && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 10));
    return this.working === 0;
  }
}
