import type { RunStatus } from '../../src/batches/batch.state.js';

export const MAX_RETRIES = 1;

export type ItemState = 'pending' | 'held' | 'waiting' | 'succeeded' | 'failed';

interface ModelItem {
  state: ItemState;
  attempt: number;
  /** Number of the lane that holds it. */
  lane?: number;
}

/** free: given back. expired: its worker is presumed dead. */
interface ModelLane {
  fence: number;
  lease: 'free' | 'held' | 'expired';
}

/** A worker's belief: it may have lost the lane long ago. */
export interface ModelWorker {
  run: number;
  lane: number;
  fence: number;
}

/** What a batch of items in chunks of one must be after any sequence of commands, written without a look at the real thing. */
export class BatchModel {
  /** undefined: deleted */
  status: RunStatus | undefined = 'pending';
  sealed = false;
  run = 1;
  readonly items: ModelItem[] = [];
  lanes: ModelLane[];
  readonly workers: ModelWorker[] = [];

  constructor(items: number, lanes: number) {
    for (let n = 0; n < items; n += 1) this.addItem();
    this.lanes = Array.from({ length: lanes }, () => ({ fence: 0, lease: 'free' }));
  }

  get isOpen(): boolean {
    return this.status === 'pending' || this.status === 'running' || this.status === 'paused';
  }

  get isTerminal(): boolean {
    return this.status === 'completed' || this.status === 'failed' || this.status === 'cancelled';
  }

  count(state: ItemState): number {
    return this.items.filter((item) => item.state === state).length;
  }

  addItem(): void {
    this.items.push({ state: 'pending', attempt: 1 });
  }

  /** Whether the fence that the worker has is the one that counts. */
  holds({ run, lane, fence }: ModelWorker): boolean {
    const held = this.lanes[lane];
    return this.status !== undefined && run === this.run && held!.fence === fence && held!.lease !== 'free';
  }

  heldBy({ lane }: ModelWorker): number[] {
    return this.items.flatMap((item, seq) => (item.state === 'held' && item.lane === lane ? [seq] : []));
  }

  /** The lane that a worker gets, if it gets one. */
  claim(): ModelWorker | undefined {
    const no = this.status === 'running' ? this.lanes.findIndex(({ lease }) => lease !== 'held') : -1;
    const taken = this.lanes[no];
    if (!taken) return undefined;
    if (taken.lease === 'expired') this.giveBack(no);
    Object.assign(taken, { fence: taken.fence + 1, lease: 'held' });
    const worker = { run: this.run, lane: no, fence: taken.fence };
    this.workers.push(worker);
    return worker;
  }

  giveBack(lane: number): void {
    for (const item of this.items)
      if (item.state === 'held' && item.lane === lane) Object.assign(item, { state: 'pending', lane: undefined });
  }

  fail(seq: number): 'deferred' | 'failed' {
    const item = this.items[seq]!;
    const again = item.attempt <= MAX_RETRIES;
    Object.assign(item, again ? { state: 'waiting', attempt: item.attempt + 1 } : { state: 'failed' }, { lane: undefined });
    return again ? 'deferred' : 'failed';
  }

  /** What the look at a run that may be over decides. */
  end(): void {
    if (this.status === 'stopping') {
      this.lanes.forEach((lane, no) => {
        if (lane.lease !== 'expired') return;
        this.giveBack(no);
        Object.assign(lane, { fence: lane.fence + 1, lease: 'free' });
      });
      if (this.lanes.every(({ lease }) => lease === 'free')) this.status = 'cancelled';
      return;
    }
    const isDone = this.items.every(({ state }) => state === 'succeeded' || state === 'failed');
    if ((this.status !== 'running' && this.status !== 'paused') || !this.sealed || !isDone) return;
    this.status = this.items.length === 0 || this.count('succeeded') > 0 ? 'completed' : 'failed';
  }

  /** A new run of just the failed items; what a cancel left unworked stays so. */
  retry(): void {
    this.run += 1;
    this.status = 'running';
    for (const item of this.items) if (item.state === 'failed') Object.assign(item, { state: 'pending', attempt: 1 });
    this.lanes = this.lanes.map(() => ({ fence: 0, lease: 'free' }));
  }
}
