import { BatchStoppedError } from '../operations/item-errors.js';
import type { HandlerCall, HeldChunk, WorkItem } from './held-chunk.js';
import type { ItemRunner } from './item-runner.js';
import { isFailure, type Settlement } from './settlement.js';
import type { StartTokens } from './start-tokens.js';
import type { HangingOfTurn } from './turn-report.js';

/** After its abort signal a handler has this long before its slot is given to another item. */
const ABORT_GRACE_MS = 2_000;

/** A handler that takes chunks gets at most so many items in one call, whatever the chunk size: the time limit is that of the call. */
const MAX_ITEMS_PER_CALL = 500;

/**
 * A lane's slots: at most `width` items run side by side (a handler that takes chunks runs one chunk). What comes of an item
 * goes into its chunk. A slot is freed when its handler ends, or when it ignores its abort signal for too long.
 */
export class ItemSlots {
  settledCount = 0;
  private readonly running = new Set<WorkItem>();
  private aborted = false;
  private saysSettled = false;

  constructor(
    private readonly runner: ItemRunner,
    /** They may change at any time. */
    private readonly limits: { width: number; timeoutMs: number },
    private readonly tokens: StartTokens,
    private readonly events: { mayStart: () => boolean; onSettled: () => void; hanging: HangingOfTurn },
  ) {}

  get busy(): number {
    return this.running.size;
  }

  get takesChunks(): boolean {
    return this.runner.takesChunks;
  }

  /** Items that may start beside those that run. */
  get freeCount(): number {
    if (this.runner.takesChunks) return this.running.size === 0 ? MAX_ITEMS_PER_CALL : 0;
    return Math.max(0, this.limits.width - this.running.size);
  }

  isRunning(item: WorkItem): boolean {
    return this.running.has(item);
  }

  /** Fills free slots from the chunks, in order, as far as there are tokens, and leaves so many of both. */
  fill(chunks: Iterable<HeldChunk>, keptFree: number): void {
    if (!this.events.mayStart()) return;
    const { limits, tokens } = this;
    for (const chunk of chunks) {
      if (chunk.cautious) continue;
      if (this.runner.takesChunks) {
        const size = Math.min(chunk.waitingCount, MAX_ITEMS_PER_CALL, tokens.left);
        if (size > 0 && keptFree === 0 && this.running.size === 0) this.startChunk(chunk.nextSeveral(size));
        continue;
      }
      while (this.running.size < limits.width - keptFree && tokens.left > keptFree) {
        const item = chunk.next();
        if (!item) break;
        this.start(item);
      }
    }
  }

  start(item: WorkItem): void {
    this.begin(item, { abandoned: false });
    if (this.runner.takesChunks) this.runTogether([item]);
    else this.runner.runItem(item, this.finish);
  }

  /** Its worker died each time it ran alone: it fails without being run. */
  settlePoison(item: WorkItem): void {
    const message = 'POISON: its worker died each time this item ran alone; it is not run again';
    this.settle(item, this.runner.fail(item, { kind: 'poison', message }));
  }

  /**
   * Tells handlers in flight to stop. A failure they answer with is not counted: the item was not at fault. Of a batch that was stopped it is
   * kept as what the item last ran into.
   */
  abort(reason: Error): void {
    this.aborted = true;
    for (const item of this.running) {
      item.stopped ||= reason instanceof BatchStoppedError;
      abortItem(item, reason);
    }
  }

  /** Frees every slot; what its handler still returns is dropped and the item stays unrecorded. */
  abandon(): void {
    for (const item of this.running) this.free(item);
  }

  /** Ends items past their time limit. */
  tick(now: number): void {
    for (const item of this.running) {
      if (now < item.deadline) continue;
      if (!item.timedOut) {
        item.timedOut = true;
        abortItem(item, new DOMException('time limit exceeded', 'TimeoutError'));
      } else if (now > item.deadline + ABORT_GRACE_MS) {
        this.settle(item, this.timeout(item));
        this.free(item);
      }
    }
  }

  private settle(item: WorkItem, settlement: Settlement): void {
    const final = item.timedOut ? this.timeout(item) : settlement;
    if (this.aborted && !item.timedOut && !item.stopped && isFailure(final)) return;
    this.settledCount += 1;
    item.chunk.settle(item, final);
  }

  private startChunk(items: WorkItem[]): void {
    const call = { abandoned: false };
    for (const item of items) {
      item.sharedBy = items.length;
      this.begin(item, call);
    }
    this.runTogether(items);
  }

  private runTogether(items: WorkItem[]): void {
    void this.runner.runChunk(items).then((settlements) => {
      if (items[0]?.call?.abandoned) this.events.hanging.ended();
      items.forEach((item, index) => this.leave(item, settlements[index]!));
      this.saySettled();
    });
  }

  private begin(item: WorkItem, call: HandlerCall): void {
    this.tokens.left -= 1;
    item.call = call;
    item.startedAt = performance.now();
    item.deadline = item.startedAt + this.limits.timeoutMs;
    this.running.add(item);
  }

  private readonly finish = (item: WorkItem, settlement: Settlement): void => {
    if (item.call?.abandoned) this.events.hanging.ended();
    this.leave(item, settlement);
    this.saySettled();
  };

  /** Once for all items that end in the same moment: next ones are looked for once, too. */
  private saySettled(): void {
    if (this.saysSettled) return;
    this.saysSettled = true;
    queueMicrotask(() => {
      this.saysSettled = false;
      this.events.onSettled();
    });
  }

  private leave(item: WorkItem, settlement: Settlement): void {
    if (item.abandoned) return;
    this.settle(item, settlement);
    this.running.delete(item);
  }

  private timeout(item: WorkItem): Settlement {
    return this.runner.fail(item, { kind: 'timeout', message: `no result within ${this.limits.timeoutMs} ms` });
  }

  private free(item: WorkItem): void {
    item.abandoned = true;
    this.running.delete(item);
    if (!item.call || item.call.abandoned) return;
    item.call.abandoned = true;
    this.events.hanging.began(item.timedOut);
  }
}

function abortItem(item: WorkItem, reason: Error): void {
  // Also for a handler that never asked: if it does so from now on, it sees that it should stop.
  item.controller ??= new AbortController();
  item.controller.abort(reason);
}
