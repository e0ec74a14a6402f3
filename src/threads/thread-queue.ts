import { CpuShare } from './cpu-share.js';

/** What wants a thread. */
export interface Waiter {
  /** Work of one batch is held to the batch's limits, and takes turns with that of others. */
  batchId: string;
  /** What a thread for it may take. */
  memoryMb: number;
  maxMemoryMb?: number;
  maxCpuPercent?: number;
}

/** A thread's place, taken until it is left. */
export interface Place {
  /** The thread was busy for this long; told as it goes on, or when it has ended. */
  charge(busyMs: number): void;
  leave(): void;
}

interface Waiting {
  memoryMb: number;
  start: (place: Place) => void;
  refuse: (reason: Error) => void;
}

interface BatchQueue {
  waiting: Set<Waiting>;
  running: number;
  /** Of its threads at work, together. */
  memoryMb: number;
  maxMemoryMb: number;
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
      const batch = this.batchOf(waiter);
      const onAbort = (): void => {
        batch.waiting.delete(waiting);
        reject(signal.reason as Error);
      };
      const waiting: Waiting = {
        memoryMb: waiter.memoryMb,
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

  private batchOf({ batchId, maxMemoryMb = Infinity, maxCpuPercent }: Waiter): BatchQueue {
    const known = this.batches.get(batchId);
    if (known) {
      // They may have been changed since the item before came.
      known.maxMemoryMb = maxMemoryMb;
      known.cpu.percent = maxCpuPercent;
      return known;
    }
    const batch: BatchQueue = { waiting: new Set(), running: 0, memoryMb: 0, maxMemoryMb, cpu: new CpuShare(maxCpuPercent) };
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
    const { memoryMb } = waiting!;
    batch.running += 1;
    batch.memoryMb += memoryMb;
    this.taken += 1;
    // To the end of the line of batches.
    this.batches.delete(id);
    this.batches.set(id, batch);
    waiting!.start({
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
      if (paidInMs > 0) soonest = Math.min(soonest, paidInMs);
      else if (waiting.size === 0 && running === 0) this.batches.delete(id);
    }
    if (soonest < Infinity) this.timer = setTimeout(() => this.fill(), Math.max(1, soonest)).unref();
  }
}

function mayStart({ waiting, memoryMb, maxMemoryMb, cpu }: BatchQueue): boolean {
  const [first] = waiting;
  return first !== undefined && memoryMb + first.memoryMb <= maxMemoryMb && cpu.paidInMs === 0;
}
