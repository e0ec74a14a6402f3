import { Logger } from '@nestjs/common';
import type { ClaimedLane } from '../batches/store/claim-lane.js';
import { surrenderLane } from '../batches/store/surrender-lane.js';
import type { ProcessRecycler } from '../common/process-recycler.js';
import type { Config } from '../config.js';
import { type Database, isRefusedData } from '../database/sql.js';
import type { ItemHandlerRegistry, RegisteredHandler } from '../operations/item-handler.registry.js';
import { giveBackLane } from './give-back-lane.js';
import { ItemRunner } from './item-runner.js';
import { LaneTurn } from './lane-turn.js';
import { LoopSlices } from './loop-slices.js';
import type { RunWatch } from './run-watch.js';
import type { TurnReport } from './turn-report.js';
import type { Turns } from './turns.js';

/** More calls of handlers than this that ignore their abort signals, and the process takes no more lanes until some have ended. */
const MAX_STUCK = 100;

/** A lane that was claimed, and how many items may run in it side by side. */
export interface TakenLane {
  lane: ClaimedLane;
  room: number;
}

/** Takes turns at claimed lanes, and gives each lane back, whatever happens in its turn. */
export class TurnTaker {
  private readonly logger = new Logger(TurnTaker.name);
  private readonly slices = new LoopSlices();
  private stuck = 0;

  constructor(
    private readonly database: Database,
    private readonly config: Config,
    private readonly registry: ItemHandlerRegistry,
    private readonly recycler: ProcessRecycler,
    private readonly turns: Turns,
    private readonly watch: RunWatch,
  ) {}

  get isStuck(): boolean {
    return this.stuck > MAX_STUCK;
  }

  /**
   * @returns undefined when the lane was given back at once: its operation is a newer release's, whose workers find the run by their sweep
   * @throws when the database did not answer, or refused what it was given
   */
  async take({ lane, room }: TakenLane): Promise<TurnReport | undefined> {
    const fence = { runId: lane.run_id, no: lane.no, fence: lane.fence };
    const registered = this.registry.get(lane.operation);
    if (!registered) return void (await surrenderLane(this.database, fence));
    if (lane.reclaimed > 0) this.logger.warn({ batchId: lane.batch_id, chunks: lane.reclaimed }, 'took over chunks of a worker that died');
    let turn: LaneTurn | undefined;
    try {
      turn = this.newTurn(lane, room, registered);
      return await this.turns.run(turn);
    } catch (error) {
      turn?.abort('the database did not answer');
      turn?.abandon();
      // A flush that is refused for its data would be refused for ever. Not given back, the lane counts as lost in a crash, and
      // after two of them its items run, and are recorded, one by one.
      const until = { withinMs: this.config.leaseMs, mayWait: () => !this.turns.areDraining };
      if (!isRefusedData(error)) await giveBackLane(this.database, fence, until);
      throw error;
    }
  }

  private newTurn(lane: ClaimedLane, room: number, registered: RegisteredHandler): LaneTurn {
    return new LaneTurn(this.database.pool, lane, new ItemRunner(registered, lane), {
      leaseMs: this.config.leaseMs,
      room,
      slices: this.slices,
      oneItem: registered.handler.slotsPerWorker !== undefined,
      tenantPerMinute: this.config.tenantRateOf.get(lane.tenant) ?? this.config.tenantRatePerMinute,
      onRecorded: (failed) => this.watch.onRecorded(lane, failed),
      onStuck: (calls) => this.countStuck(calls),
    });
  }

  private countStuck(calls: number): void {
    this.stuck += calls;
    if (this.isStuck)
      this.recycler.report('stuck', `${this.stuck} calls of item handlers ignore their abort signals, and no more lanes are taken`);
    else this.recycler.withdraw('stuck');
  }
}
