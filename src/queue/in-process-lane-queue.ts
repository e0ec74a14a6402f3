import { AsyncResource } from 'node:async_hooks';
import { type Bell, type BellHandler, LaneQueue } from './lane-queue.js';

/** In a process that only answers requests nobody hears them; workers find the runs by their sweep. */
const MAX_WAITING = 10_000;

/** Bells within one process: a first-in-first-out list for each rank. */
export class InProcessLaneQueue extends LaneQueue {
  private readonly waiting = new Map<number, Bell[]>();
  private handler?: BellHandler;
  private concurrency = 0;
  private busy = 0;

  ring(bell: Bell, count: number): Promise<void> {
    const bells = this.waiting.get(bell.rank) ?? [];
    for (let n = 0; n < count && bells.length < MAX_WAITING; n += 1) bells.push(bell);
    this.waiting.set(bell.rank, bells);
    this.hear();
    return Promise.resolve();
  }

  listen(handler: BellHandler, concurrency: number): Promise<void> {
    // A bell rings within the request that started a batch; the work that follows is not part of that request.
    this.handler = AsyncResource.bind(handler);
    this.concurrency = concurrency;
    this.hear();
    return Promise.resolve();
  }

  mute(): Promise<void> {
    this.handler = undefined;
    return Promise.resolve();
  }

  hasWaiting(): Promise<boolean> {
    return Promise.resolve([...this.waiting.values()].some((bells) => bells.length > 0));
  }

  isHealthy(): Promise<boolean> {
    return Promise.resolve(true);
  }

  private hear(): void {
    while (this.handler && this.busy < this.concurrency) {
      const bell = this.next();
      if (!bell) return;
      this.busy += 1;
      void this.handler(bell).finally(() => {
        this.busy -= 1;
        this.hear();
      });
    }
  }

  private next(): Bell | undefined {
    const ranks = [...this.waiting.keys()].sort((a, b) => a - b);
    for (const rank of ranks) {
      const bell = this.waiting.get(rank)?.shift();
      if (bell) return bell;
    }
    return undefined;
  }
}
