import { Logger } from '@nestjs/common';
import type { ClaimedLane } from '../batches/store/claim-lane.js';
import { surrenderLane } from '../batches/store/surrender-lane.js';
import type { HangingCalls } from '../common/hanging-calls.js';
import type { Config } from '../config.js';
import { type Database, isRefusedData } from '../database/sql.js';
import type { ItemHandlerRegistry, RegisteredHandler } from '../operations/item-handler.registry.js';
import { giveBackLane } from './give-back-lane.js';
import { ItemRunner } from './item-runner.js';
import { LaneTurn } from './lane-turn.js';
import { LoopSlices } from './loop-slices.js';
import type { RunWatch } from './run-watch.js';
import type { HangingOfTurn, TurnReport } from './turn-report.js';
import type { Turns } from './turns.js';

/** A lane that was claimed, and how many items may run in it side by side. */
export interface TakenLane {
  lane: ClaimedLane;
  room: number;
}

/** Takes turns at claimed lanes, and gives each lane back, whatever happens in its turn. */
export class TurnTaker {
  private readonly logger = new Logger(TurnTaker.name);
  private readonly slices = new LoopSlices();
  /** Operations of which it was told that too many calls hang. */
  private readonly leftAlone = new Set<string>();

  constructor(
    private readonly database: Database,
    private readonly config: Config,
    private readonly registry: ItemHandlerRegistry,
    private readonly hanging: HangingCalls,
    private readonly turns: Turns,
    private readonly watch: RunWatch,
  ) {}

  /**
   * @returns undefined when the lane was given back at once: its operation is a newer release's, whose workers find the run by their
   *   sweep, or too many of its calls hang here
   * @throws when the database did not answer, or refused what it was given
   */
  async take({ lane, room }: TakenLane): Promise<TurnReport | undefined> {
    const fence = { runId: lane.run_id, no: lane.no, fence: lane.fence };
    const registered = this.registry.get(lane.operation);
    if (!registered || this.hanging.areTooManyOf(lane.operation)) return void (await surrenderLane(this.database, fence));
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
      hanging: this.hangingOf(lane),
    });
  }

  /** What hangs when the worker shuts down ends with the process, and costs nobody anything. */
  private hangingOf({ operation, run_id: runId, options }: ClaimedLane): HangingOfTurn {
    let counted = 0;
    return {
      began: (isLate) => {
        if (this.turns.areDraining) return;
        counted += 1;
        this.hanging.began(operation, runId);
        if (isLate && this.hanging.areTooManyOfRun(runId)) void this.watch.pauseHanging(runId, this.hanging.ofRun(runId), options.timeout);
        if (this.hanging.areTooManyOf(operation)) this.leaveAlone(operation);
      },
      ended: () => {
        if (counted === 0) return;
        counted -= 1;
        this.hanging.ended(operation, runId);
        if (!this.hanging.areTooManyOf(operation) && this.leftAlone.delete(operation))
          this.logger.log({ operation }, 'few enough calls of this operation hang: its items are started here again');
      },
    };
  }

  /** Lanes of it are taken again when few enough of its calls hang. */
  private leaveAlone(operation: string): void {
    for (const turn of this.turns) if (turn.lane.operation === operation) turn.stop('yielded');
    if (this.leftAlone.has(operation)) return;
    this.leftAlone.add(operation);
    this.logger.error(
      { operation, calls: this.hanging.of(operation) },
      'calls of this operation ignore their abort signals: this process starts no more of its items until some have ended',
    );
  }
}
