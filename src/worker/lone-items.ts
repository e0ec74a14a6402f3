import { markSuspect } from '../batches/store/mark-suspect.js';
import type { LaneFence } from '../batches/store/record-outcomes.js';
import type { Connection } from '../database/sql.js';
import type { WorkItem } from './held-chunk.js';
import type { HeldChunks } from './held-chunks.js';
import type { ItemSlots } from './item-slots.js';
import type { StartTokens } from './start-tokens.js';

/**
 * Works the chunks of a lane that saw their workers die: one item at a time, named before it starts and recorded after it ends. It goes
 * before the lane's other items, which go on beside it.
 */
export class LoneItems {
  /** Named, running, or not recorded yet. */
  private item?: WorkItem;

  constructor(
    private readonly connection: Connection,
    private readonly fence: LaneFence,
    private readonly parts: { chunks: HeldChunks; slots: ItemSlots; tokens: StartTokens },
  ) {}

  /** Slots, and tokens, that other items must leave. */
  get keptFree(): number {
    if (this.item) return this.parts.slots.isRunning(this.item) ? 0 : 1;
    return this.parts.chunks.firstCautious() ? 1 : 0;
  }

  get canStart(): boolean {
    const { chunks, slots, tokens } = this.parts;
    return !this.item && slots.freeCount > 0 && tokens.left > 0 && chunks.firstCautious() !== undefined;
  }

  /** A flush of its chunk wipes the name: the next one must not be named before this one is recorded. */
  get hasEnded(): boolean {
    return this.item !== undefined && !this.parts.slots.isRunning(this.item);
  }

  /** @returns false when the lane was taken over */
  async startNext(): Promise<boolean> {
    const { chunks, slots } = this.parts;
    const chunk = chunks.firstCautious()!;
    const item = chunk.next()!;
    this.item = item;
    if (chunk.isPoison(item)) {
      slots.settlePoison(item);
      return true;
    }
    if (!(await markSuspect(this.connection, this.fence, chunk.no, item.index))) return false;
    slots.start(item);
    return true;
  }

  recorded(): void {
    this.item = undefined;
  }
}
