import { type BeforeApplicationShutdown, Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { BatchEventPublisher } from '../batches/events/batch-event-publisher.js';
import { claimLane, type ClaimedLane } from '../batches/store/claim-lane.js';
import { endRun } from '../batches/store/end-run.js';
import { recordProgress } from '../batches/store/record-progress.js';
import { renewLeases } from '../batches/store/renew-leases.js';
import { surrenderLane } from '../batches/store/surrender-lane.js';
import { Config } from '../config.js';
import { Database } from '../database/sql.js';
import { ItemHandlerRegistry } from '../operations/item-handler.registry.js';
import { EventChannel } from '../queue/event-channel.js';
import { type Bell, LaneQueue } from '../queue/lane-queue.js';
import { QuietWarning } from '../queue/quiet-warning.js';
import { ItemRunner } from './item-runner.js';
import { LaneTurn, type TurnReport } from './lane-turn.js';

const HEARTBEAT_MS = 1_000;
const HEARTBEATS_A_LEASE = 3;
const TICK_MS = 100;
/** A turn gives way to waiting bells after this long. */
const TURN_MS = 1_000;
const PROGRESS_MS = 250;
/** More calls of handlers than this that ignore their abort signals, and the process takes no more lanes until some have ended. */
const MAX_STUCK = 100;

interface Turn {
  turn: LaneTurn;
  bell: Bell;
  startedAt: number;
}

/** Hears bells, takes lanes, and keeps their leases; what happens within a turn is {@link LaneTurn}'s. */
@Injectable()
export class LaneWorker implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly logger = new Logger(LaneWorker.name);
  private readonly turnFailed = new QuietWarning(this.logger, 'a turn at a lane failed; its run is taken up again');
  private readonly tooManyStuck = new QuietWarning(this.logger, 'this worker takes no more lanes until they end; restart it');
  private readonly turns = new Set<Turn>();
  private readonly workedRuns = new Set<string>();
  private readonly progressAt = new Map<string, number>();
  private readonly wakeUps = new Set<NodeJS.Timeout>();
  private timers: NodeJS.Timeout[] = [];
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
  ) {}

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
    for (const timer of this.wakeUps) clearTimeout(timer);
    for (const { turn } of this.turns) turn.stop('shutdown');
    if (!(await this.idleWithin(grace * 0.5))) for (const { turn } of this.turns) turn.abort('the worker shuts down');
    if (!(await this.idleWithin(grace * 0.25))) for (const { turn } of this.turns) turn.abandon();
    await this.idleWithin(grace * 0.15);
    for (const timer of this.timers) clearInterval(timer);
  }

  get freeLanes(): number {
    return this.draining || this.stuck > MAX_STUCK ? 0 : this.config.workerLanes - this.turns.size;
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
    try {
      const lane = await claimLane(this.database.pool, bell.runId, this.config.leaseMs);
      if (lane) await this.takeTurn(bell, lane);
      else for (const { turn } of this.turnsOf(bell.runId)) turn.nudge();
    } catch (error) {
      this.turnFailed.warn(error);
    }
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
        onFlush: () => void this.tellProgress(lane.run_id),
        onStuck: (calls: number) => this.countStuck(calls),
      };
      const turn = new LaneTurn(this.database.pool, lane, new ItemRunner(registered, lane), settings);
      entry = { turn, bell, startedAt: performance.now() };
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
        if (report.nextRetryMs !== null) this.ringLater(bell, report.nextRetryMs);
        return;
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

  private ringLater(bell: Bell, delayMs: number): void {
    if (this.draining) return;
    const timer = setTimeout(
      () => {
        this.wakeUps.delete(timer);
        void this.queue.ring(bell, 1);
      },
      Math.max(0, delayMs),
    );
    this.wakeUps.add(timer);
  }

  private async beat(): Promise<void> {
    const turns = [...this.turns].map(({ turn }) => turn);
    // A database that does not answer must not get one more question every second.
    if (turns.length === 0 || this.beating) return;
    const sentAt = performance.now();
    this.beating = true;
    try {
      const renewed = await renewLeases(
        this.database.pool,
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
    const long = [...this.turns].filter(({ startedAt }) => now - startedAt > TURN_MS);
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
    if (calls > 0 && this.stuck > MAX_STUCK)
      this.tooManyStuck.warn(new Error(`${this.stuck} calls of item handlers ignore their abort signals`));
  }

  private turnsOf(runId: string): Turn[] {
    return [...this.turns].filter(({ bell }) => bell.runId === runId);
  }

  private async idleWithin(ms: number): Promise<boolean> {
    const until = performance.now() + ms;
    while (this.turns.size > 0 && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 10));
    return this.turns.size === 0;
  }
}

/** SQLSTATE classes 22 (data exception) and 54 (program limit exceeded). */
function isRefusedData(error: unknown): boolean {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' && /^(22|54)...$/.test(code);
}
