import type { ItemLimits } from '../operations/item-handler.js';
import { CpuShare } from './cpu-share.js';

/** While something waits, the limits are looked at this often: nobody tells of a change. */
const LOOK_MS = 1_000;

/** What wants a thread. */
export interface Waiter {
  /** Work of one batch is held to the batch's limits, and takes turns with that of others. */
  batchId: string;
  /** What it wants to take at most. */
  memoryMb: number;
  /** The batch's limits as they are at the moment. */
  limits: () => Pick<ItemLimits, 'maxMemoryMb' | 'maxCpuPercent'>;
}

/** A thread's place, taken until it is left. */
export interface Place {
  /** What the thread may take. */
  memoryMb: number;
  /** The thread was busy for this long; told as it goes on, or when it has ended. */
  charge(busyMs: number): void;
  leave(): void;
}

interface Waiting extends Pick<Waiter, 'memoryMb' | 'limits'> {
  start: (place: Place) => void;
  refuse: (reason: Error) => void;
}

interface BatchQueue {
  waiting: Set<Waiting>;
  running: number;
  /** Of its threads at work, together. */
  memoryMb: number;
  cpu: CpuShare;
}

/** The places for threads of one process. Batches that wait take turns, so that one with a thousand items does not hold up another. */
export class ThreadQueue {
  private readonly batches = new Map<string, BatchQueue>();
  private taken = 0;
  private timer?: NodeJS.Timeout;

  constructor(private readonly places: number) {}

  /** Waits for a place. @throws the signal's reason when it is aborted first */
  enter(waiter: Waiter, signal: AbortSignal): Promise<Place> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason as Error);
      const batch = this.batchOf(waiter.batchId);
      const onAbort = (): void => {
        batch.waiting.delete(waiting);
        reject(signal.reason as Error);
      };
      const waiting: Waiting = {
        memoryMb: waiter.memoryMb,
        limits: waiter.limits,
        start: (place) => {
          signal.removeEventListener('abort', onAbort);
          resolve(place);
        },
        refuse: reject,
      };
      signal.addEventListener('abort', onAbort, { once: true });
      batch.waiting.add(waiting);
      this.fill();
    });
  }

  /** Refuses whatever waits. */
  close(reason: Error): void {
    clearTimeout(this.timer);
    for (const { waiting } of this.batches.values()) {
      for (const { refuse } of waiting) refuse(reason);
      waiting.clear();
    }
  }

  private batchOf(batchId: string): BatchQueue {
    const known = this.batches.get(batchId);
    if (known) return known;
    const batch: BatchQueue = { waiting: new Set(), running: 0, memoryMb: 0, cpu: new CpuShare() };
    this.batches.set(batchId, batch);
    return batch;
  }

  private fill(): void {
    for (let next = this.next(); next; next = this.next()) this.start(next);
    this.wakeLater();
  }

  private next(): [string, BatchQueue] | undefined {
    if (this.taken >= this.places) return undefined;
    return [...this.batches].find(([, batch]) => mayStart(batch));
  }

  private start([id, batch]: [string, BatchQueue]): void {
    const [waiting] = batch.waiting;
    batch.waiting.delete(waiting!);
    const memoryMb = memoryOf(waiting!);
    batch.running += 1;
    batch.memoryMb += memoryMb;
    this.taken += 1;
    // To the end of the line of batches.
    this.batches.delete(id);
    this.batches.set(id, batch);
    waiting!.start({
      memoryMb,
      charge: (busyMs) => batch.cpu.charge(busyMs),
      leave: () => {
        batch.running -= 1;
        batch.memoryMb -= memoryMb;
        this.taken -= 1;
        this.fill();
      },
    });
  }

  /** Forgets batches that want nothing and owe nothing, and looks again when the first one has paid. */
  private wakeLater(): void {
    clearTimeout(this.timer);
    let soonest = Infinity;
    for (const [id, { waiting, running, cpu }] of this.batches) {
      const { paidInMs } = cpu;
      if (waiting.size > 0) soonest = Math.min(soonest, LOOK_MS);
      if (paidInMs > 0) soonest = Math.min(soonest, paidInMs);
      else if (waiting.size === 0 && running === 0) this.batches.delete(id);
    }
    if (soonest < Infinity) this.timer = setTimeout(() => this.fill(), Math.max(1, soonest)).unref();
  }
}

function mayStart({ waiting, memoryMb, cpu }: BatchQueue): boolean {
  const [first] = waiting;
  if (!first) return false;
  const { maxMemoryMb = Infinity, maxCpuPercent } = first.limits();
  cpu.percent = maxCpuPercent;
  return memoryMb + memoryOf(first) <= maxMemoryMb && cpu.paidInMs === 0;
}

/** No more than its batch allows: else it could never start. */
function memoryOf({ memoryMb, limits }: Waiting): number {
  return Math.min(memoryMb, limits().maxMemoryMb ?? Infinity);
}
