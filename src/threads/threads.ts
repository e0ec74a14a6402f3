import { Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { Config } from '../config.js';
import type { Item, ItemContext, ItemLimits, ItemResult } from '../operations/item-handler.js';
import type { CpuLimit, ThreadCall } from './thread-call.js';
import { ThreadPools } from './thread-pools.js';
import { SPARE_PLACES, ThreadQueue } from './thread-queue.js';

/** Memory of a thread, when nobody says otherwise. */
const DEFAULT_MEMORY_MB = 256;

/** Work for a thread. */
export interface ThreadWork {
  /** A built module that exports `run(input, context)`: what it returns comes back as JSON, at most a million characters. */
  module: URL;
  /** Plain data. */
  input: unknown;
  /** Plain data that `run` is told beside `signal` and `progress`. */
  context?: object;
  /** MB that it may take, as objects and as much again as Buffers; a batch may allow less. Default 256. */
  memoryMb?: number;
  /** How long it may keep its thread busy; a batch may allow less. Default: no limit but the item's time limit. */
  cpu?: CpuLimit;
}

/** For whom a thread works. */
export interface ThreadUser {
  signal: AbortSignal;
  progress?: (percent: number) => void;
  /** Whose batch's limits hold, and whose time limit does not run while it waits for a thread. */
  item?: Pick<ItemContext, 'tenant' | 'batchId' | 'limits' | 'untimed'>;
}

/**
 * Does work in threads, WORKER_THREADS at a time, where it holds up nothing else and can be ended by force: a second after its signal was
 * aborted, or when it takes more memory or processor time than it may. What has no place yet waits, tenants and their batches in turns.
 */
@Injectable()
export class Threads implements OnApplicationShutdown {
  private readonly queue: ThreadQueue;
  private readonly pools: ThreadPools;
  private closed?: Error;

  constructor(config: Config) {
    this.queue = new ThreadQueue(config.workerThreads);
    this.pools = new ThreadPools(config.workerThreads + SPARE_PLACES);
  }

  /**
   * @throws ResourceLimitError for work that took too much, the signal's reason for work that was ended after it, and what the work
   * itself threw: PermanentError, RetryLaterError and AppError as such, others as an Error with name, message and stack
   */
  async run<T>(work: ThreadWork, user: ThreadUser): Promise<T> {
    const { signal, progress, item } = user;
    const untimed: Untimed = (wait) => item?.untimed(wait) ?? wait;
    if (this.closed) throw this.closed;
    const { tenant = '', batchId = '' } = item ?? {};
    const waiter = { tenant, batchId, memoryMb: work.memoryMb ?? DEFAULT_MEMORY_MB, limits: () => item?.limits ?? {} };
    const place = await untimed(this.queue.enter(waiter, signal));
    try {
      const events = { signal, progress, charge: (busyMs: number) => place.charge(busyMs) };
      const task = { module: work.module.href, input: work.input, context: work.context ?? {} };
      return (await this.pools.use({ memoryMb: place.memoryMb, cpu: lesser(work.cpu, shareOf(item?.limits)) }, events, (call) =>
        begunAndDone(call, call.run(task), untimed),
      )) as T;
    } finally {
      place.leave();
    }
  }

  /** Works a whole item by its operation's module. */
  async runItem(module: URL, memoryMb: number | undefined, item: Item, context: ItemContext): Promise<ItemResult | undefined> {
    const { batchId, tenant, operation, parameters, attempt, idempotencyKey, conflictResolution, limits } = context;
    const plain = { batchId, tenant, operation, parameters, attempt, idempotencyKey, conflictResolution, limits };
    const user: ThreadUser = { signal: context.signal, progress: (percent) => context.progress(percent), item: context };
    const result = await this.run<ItemResult | null | undefined>({ module, input: item, context: plain, memoryMb }, user);
    // As JSON has it, what is no number is null.
    return result ? { ...result, quality: result.quality ?? undefined } : undefined;
  }

  async onApplicationShutdown(): Promise<void> {
    this.closed = new Error('the worker shuts down');
    this.queue.close(this.closed);
    await this.pools.close(this.closed);
  }
}

/** What one item may use of its batch's share of the processor; undefined for no limit. */
function shareOf(limits: ItemLimits | undefined): CpuLimit | undefined {
  if (limits?.maxCpuPercent === undefined) return undefined;
  return { ms: (limits.timeoutMs * limits.maxCpuPercent) / 100, setBy: 'its share of its time limit (resourceLimits.maxCpuPercent)' };
}

function lesser(a: CpuLimit | undefined, b: CpuLimit | undefined): CpuLimit | undefined {
  return a && b ? (a.ms < b.ms ? a : b) : (a ?? b);
}

type Untimed = <T>(wait: Promise<T>) => Promise<T>;

/** That a thread has to start first is no fault of the item. */
async function begunAndDone(call: ThreadCall, result: Promise<unknown>, untimed: Untimed): Promise<unknown> {
  await untimed(Promise.race([call.began, result]));
  return result;
}
