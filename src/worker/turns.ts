import { Logger } from '@nestjs/common';
import { renewLeases } from '../batches/store/renew-leases.js';
import type { Database } from '../database/sql.js';
import type { LaneTurn } from './lane-turn.js';
import type { TurnReport } from './turn-report.js';

/** Longer turns give way to waiting bells. */
const TURN_MS = 1_000;

/** The turns that this process takes at this moment. Keeps the leases of their lanes and tells them what became of their runs. */
export class Turns {
  private readonly logger = new Logger(Turns.name);
  private readonly turns = new Set<LaneTurn>();
  private readonly workedRuns = new Set<string>();
  private beating = false;
  private draining = false;

  constructor(
    private readonly database: Database,
    private readonly leaseMs: number,
  ) {}

  [Symbol.iterator](): Iterator<LaneTurn> {
    return this.turns.values();
  }

  /** While it runs its lease is kept. */
  async run(turn: LaneTurn): Promise<TurnReport> {
    this.turns.add(turn);
    this.workedRuns.add(turn.fence.runId);
    if (this.draining) turn.stop('shutdown');
    try {
      return await turn.run();
    } finally {
      this.turns.delete(turn);
    }
  }

  /** All of them take no more items, nor do any that still come. */
  drain(): void {
    this.draining = true;
    for (const turn of this.turns) turn.stop('shutdown');
  }

  get areDraining(): boolean {
    return this.draining;
  }

  has(turn: LaneTurn): boolean {
    return this.turns.has(turn);
  }

  of(runId: string): LaneTurn[] {
    return [...this.turns].filter(({ fence }) => fence.runId === runId);
  }

  /** The runs this process has taken turns at since it was asked last. Active: it has one now. */
  takeWorkedRuns(): Map<string, { active: boolean }> {
    const active = new Set([...this.turns].map(({ fence }) => fence.runId));
    const worked = new Map([...this.workedRuns].map((runId) => [runId, { active: active.has(runId) }]));
    for (const runId of this.workedRuns) if (!active.has(runId)) this.workedRuns.delete(runId);
    return worked;
  }

  /** Those that had their time. A turn of one item ends with it anyway. */
  get long(): LaneTurn[] {
    return [...this.turns].filter(({ isOfOneItem, ageMs }) => !isOfOneItem && ageMs > TURN_MS);
  }

  async beat(): Promise<void> {
    const turns = [...this.turns];
    // A database that does not answer must not get one more question every second.
    if (turns.length === 0 || this.beating) return;
    const sentAt = performance.now();
    this.beating = true;
    try {
      const lanes = turns.map(({ fence, revision }) => ({ ...fence, revision }));
      const lanesHeld = await renewLeases(this.database.heartbeats, lanes, this.leaseMs);
      const held = new Map(lanesHeld.map((lane) => [`${lane.run_id}:${lane.no}:${lane.fence}`, lane]));
      for (const turn of turns) {
        const { runId, no, fence } = turn.fence;
        const lane = held.get(`${runId}:${no}:${fence}`);
        if (lane) turn.heldStill(lane, sentAt);
        else turn.missed();
      }
    } catch (error) {
      this.logger.warn({ err: error }, 'a heartbeat failed; lanes stop by themselves before their leases end');
    } finally {
      this.beating = false;
    }
  }
}
