import { Logger } from '@nestjs/common';
import type { ClaimedLane } from '../batches/store/claim-lane.js';
import { concurrencyLimitsOf, type ConcurrencyLimits, fitRoom, type Room } from '../batches/store/claim-within-limits.js';
import type { Config } from '../config.js';
import type { Database } from '../database/sql.js';
import { QuietWarning } from '../queue/quiet-warning.js';
import type { EventChannel } from '../queue/event-channel.js';
import type { LaneTurn } from './lane-turn.js';
import type { Turns } from './turns.js';

/** A run for which a limit over batches leaves no room, as all processes are told. */
export type WantedRoom = Pick<Room, 'of' | 'tenant' | 'operation'> & { runId: string };

/**
 * Shares what the limits over batches allow. A run that has no room at all is heard by every process: the longest turn under the same limit
 * gives way. A lane that was claimed for fewer items than it is wide is given more when others need less.
 */
export class RoomSharing {
  private readonly limits?: ConcurrencyLimits;
  /** The turn that gives way to a run: one is enough, however often the run asks. */
  private readonly givingWay = new Map<string, LaneTurn>();
  private fitting = false;
  private readonly unfitted = new QuietWarning(new Logger(RoomSharing.name), 'lanes keep the room they have; it is looked at again');

  constructor(
    private readonly database: Database,
    config: Config,
    private readonly turns: Turns,
    private readonly channel: EventChannel,
  ) {
    this.limits = concurrencyLimitsOf(config);
    channel.subscribe<WantedRoom>('room-wanted', (wanted) => this.makeRoom(wanted));
  }

  /** A run that has some lanes already waits for more without pushing others. */
  ask(runId: string, { of, tenant, operation, ofRun }: Room): void {
    if (ofRun === 0) void this.channel.publish('room-wanted', [{ runId, of, tenant, operation } satisfies WantedRoom]);
  }

  /** Gives lanes the room that has become free, and takes from them what they have no use for any more. */
  async fit(): Promise<void> {
    if (!this.limits || this.fitting) return;
    this.fitting = true;
    try {
      for (const turn of [...this.turns].filter(({ isMisfit }) => isMisfit)) {
        const room = await fitRoom(this.database, turn.fence, turn.used, this.limits);
        if (room !== undefined) turn.limits.setRoom(room);
      }
    } catch (error) {
      this.unfitted.warn(error);
    } finally {
      this.fitting = false;
    }
  }

  private makeRoom(wanted: WantedRoom): void {
    for (const [runId, turn] of this.givingWay) if (!this.turns.has(turn)) this.givingWay.delete(runId);
    if (this.givingWay.has(wanted.runId)) return;
    const [longest] = this.turns.long.filter(({ lane }) => isInTheWay(lane, wanted)).sort((a, b) => b.ageMs - a.ageMs);
    if (!longest) return;
    this.givingWay.set(wanted.runId, longest);
    longest.stop('made-room');
  }
}

function isInTheWay(lane: ClaimedLane, { runId, of, tenant, operation }: WantedRoom): boolean {
  if (lane.run_id === runId) return false;
  return of === 'service' || (of === 'tenant' ? lane.tenant === tenant : lane.operation === operation);
}
