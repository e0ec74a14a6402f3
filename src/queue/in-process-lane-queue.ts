import { AsyncResource } from 'node:async_hooks';
import { type Bell, type BellHandler, LaneQueue } from './lane-queue.js';

/** In a process that only answers requests nobody hears them; workers find the runs by their sweep. */
const MAX_WAITING = 10_000;

/** Bells within one process. */
export class InProcessLaneQueue extends LaneQueue {
  private readonly common = new BellList();
  private readonly express = new BellList();

  ring(bell: Bell, count: number): Promise<void> {
    (bell.express ? this.express : this.common).add(bell, count);
    return Promise.resolve();
  }

  listen(handler: BellHandler, concurrency: { common: number; express: number }): Promise<void> {
    // A bell rings within the request that started a batch; the work that follows is not part of that request.
    const bound = AsyncResource.bind(handler);
    this.common.listen(bound, concurrency.common);
    this.express.listen(bound, concurrency.express);
    return Promise.resolve();
  }

  mute(): Promise<void> {
    this.common.mute();
    this.express.mute();
    return Promise.resolve();
  }

  isHealthy(): Promise<boolean> {
    return Promise.resolve(true);
  }
}

/** A first-in-first-out list for each rank. */
class BellList {
  private readonly waiting = new Map<number, Bell[]>();
  private handler?: BellHandler;
  private concurrency = 0;
  private busy = 0;

  add(bell: Bell, count: number): void {
    const bells = this.waiting.get(bell.rank) ?? [];
    for (let n = 0; n < count && bells.length < MAX_WAITING; n += 1) bells.push(bell);
    this.waiting.set(bell.rank, bells);
    this.hear();
  }

  listen(handler: BellHandler, concurrency: number): void {
    this.handler = handler;
    this.concurrency = concurrency;
    this.hear();
  }

  mute(): void {
    this.handler = undefined;
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
