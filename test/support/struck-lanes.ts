import { Pool } from 'pg';
import { type BusyLane, busyLanes, workedAgainAt } from './swift-audit.js';

interface Strike {
  at: number;
  lanes: BusyLane[];
  /** Whoever works the lanes again must have claimed them anew. */
  takesClaim: boolean;
  recoveryMs?: number;
}

/** What faults struck of the work under way, and when that was gone on with. On a connection of its own, which never waits. */
export class StruckLanes {
  private readonly strikes: Strike[] = [];
  readonly pool: Pool;

  constructor(url: string) {
    this.pool = new Pool({ connectionString: url, max: 1 });
  }

  /** Lanes with chunks in work at this moment. */
  busy(): Promise<BusyLane[]> {
    return busyLanes(this);
  }

  /** A process has just been ended or stopped: what it held is still its own, until the leases end. @returns whether it held something */
  async ofProcess(process: string, at: number): Promise<boolean> {
    const lanes = (await this.busy()).filter((lane) => lane.process === process);
    this.strikes.push({ at, lanes, takesClaim: true });
    return lanes.length > 0;
  }

  /** Something happens to all lanes that are worked at this moment, which their workers may overcome. */
  ofAll(lanes: BusyLane[], at: number): void {
    this.strikes.push({ at, lanes, takesClaim: false });
  }

  /** To be asked when a run has ended, while it is still known who worked its lanes. */
  async learnOf(runId: string): Promise<void> {
    for (const strike of this.strikes) {
      for (const lane of strike.lanes.filter((struck) => struck.runId === runId)) {
        const again = await workedAgainAt(this, { ...lane, fence: lane.fence + Number(strike.takesClaim) }, strike.at);
        if (again !== undefined) strike.recoveryMs = Math.max(strike.recoveryMs ?? 0, again - strike.at);
      }
    }
  }

  /** How often the item was alone in a lane whose process was ended or stopped. */
  timesAlone(runId: string, seq: number): number {
    const wasAlone = (lane: BusyLane): boolean => lane.runId === runId && lane.suspects.includes(seq);
    return this.strikes.filter(({ takesClaim, lanes }) => takesClaim && lanes.some(wasAlone)).length;
  }

  get recoveriesMs(): number[] {
    return this.strikes.flatMap(({ recoveryMs }) => recoveryMs ?? []);
  }

  close(): Promise<void> {
    return this.pool.end();
  }
}
