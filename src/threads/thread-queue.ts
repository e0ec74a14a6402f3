import type { ItemLimits } from '../operations/item-handler.js';
import { CpuShare } from './cpu-share.js';

/** While something waits, the limits are looked at this often: nobody tells of a change. */
const LOOK_MS = 1_000;

/**
 * Places beyond the others, for tenants that have nothing at work: whoever fills all places with work that does not end holds up nobody
 * who wants little.
 */
export const SPARE_PLACES = 1;

/** What wants a thread. */
export interface Waiter {
  tenant: string;
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

interface TenantQueue {
  batches: Map<string, BatchQueue>;
  running: number;
}

interface BatchQueue {
  waiting: Set<Waiting>;
  running: number;
  /** Of its threads at work, together. */
  memoryMb: number;
  cpu: CpuShare;
}

/**
 * The places for threads of one process. A free one goes to the tenant that has the fewest, of equal ones to the one that had one last
 * the longest ago; its batches take turns, so that one with a thousand items does not hold up another.
 */
export class ThreadQueue {
  private readonly tenants = new Map<string, TenantQueue>();
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
    for (const { batches } of this.tenants.values()) {
      for (const { waiting } of batches.values()) {
        for (const { refuse } of waiting) refuse(reason);
        waiting.clear();
      }
    }
  }

  private batchOf({ tenant, batchId }: Waiter): BatchQueue {
    const { batches } = getOrAdd(this.tenants, tenant, () => ({ batches: new Map<string, BatchQueue>(), running: 0 }));
    return getOrAdd(batches, batchId, () => ({ waiting: new Set(), running: 0, memoryMb: 0, cpu: new CpuShare() }));
  }

  private fill(): void {
    while (this.startNext());
    this.wakeLater();
  }

  /** @returns false when nothing may start now */
  private startNext(): boolean {
    if (this.taken >= this.places + SPARE_PLACES) return false;
    const inTurn = [...this.tenants].sort(([, a], [, b]) => a.running - b.running);
    for (const [name, tenant] of inTurn) {
      if (this.taken >= this.places && tenant.running > 0) return false;
      const next = [...tenant.batches].find(([, batch]) => mayStart(batch));
      if (!next) continue;
      const [id, batch] = next;
      toEnd(tenant.batches, id, batch);
      this.start(name, tenant, batch);
      return true;
    }
    return false;
  }

  private start(name: string, tenant: TenantQueue, batch: BatchQueue): void {
    const [waiting] = batch.waiting;
    batch.waiting.delete(waiting!);
    const memoryMb = memoryOf(waiting!);
    const count = (change: 1 | -1): void => {
      toEnd(this.tenants, name, tenant);
      this.taken += change;
      tenant.running += change;
      batch.running += change;
      batch.memoryMb += change * memoryMb;
    };
    count(1);
    waiting!.start({
      memoryMb,
      charge: (busyMs) => batch.cpu.charge(busyMs),
      leave: () => {
        count(-1);
        this.fill();
      },
    });
  }

  /** Forgets batches that want nothing and owe nothing, and looks again when the first one has paid. */
  private wakeLater(): void {
    clearTimeout(this.timer);
    let soonest = Infinity;
    for (const [name, { batches }] of this.tenants) {
      for (const [id, { waiting, running, cpu }] of batches) {
        const { paidInMs } = cpu;
        if (waiting.size > 0) soonest = Math.min(soonest, LOOK_MS);
        if (paidInMs > 0) soonest = Math.min(soonest, paidInMs);
        else if (waiting.size === 0 && running === 0) batches.delete(id);
      }
      if (batches.size === 0) this.tenants.delete(name);
    }
    if (soonest < Infinity) this.timer = setTimeout(() => this.fill(), Math.max(1, soonest)).unref();
  }
}

/** Puts an entry behind all others. */
function toEnd<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key);
  map.set(key, value);
}

function getOrAdd<Value>(map: Map<string, Value>, key: string, create: () => Value): Value {
  const known = map.get(key);
  if (known !== undefined) return known;
  const value = create();
  map.set(key, value);
  return value;
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
