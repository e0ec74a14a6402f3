import { Logger } from '@nestjs/common';
import { Piscina } from 'piscina';
import { fileURLToPath } from 'node:url';
import { type CallEvents, type CallLimits, ThreadCall } from './thread-call.js';

// Through the package's root: sources that a test compiles in memory find the built module, which a thread can load.
const WORKER = fileURLToPath(new URL('../../dist/threads/thread-worker.js', import.meta.url));
/** A thread with nothing to do ends after this long. */
const IDLE_MS = 5_000;
/** Of a thread's memory, what is for objects that have just been made; V8's own choice of 48 MB would not fit into a small limit. */
const YOUNG_SHARE = 1 / 8;
const MAX_YOUNG_MB = 48;

interface Pool {
  piscina: Piscina;
  calls: Set<ThreadCall>;
}

/** The threads of a process. V8 takes a thread's memory limit when the thread is made, so there is a pool for each limit in use. */
export class ThreadPools {
  private readonly logger = new Logger(ThreadPools.name);
  private readonly pools = new Map<number, Pool>();

  constructor(private readonly maxThreads: number) {}

  /** Makes a call in a thread of that memory limit; whoever asks sees to it that no more are under way than there may be threads. */
  async use<T>(limits: CallLimits, events: CallEvents, work: (call: ThreadCall) => Promise<T>): Promise<T> {
    const pool = this.poolOf(limits.memoryMb);
    const call = new ThreadCall(pool.piscina, limits, events);
    pool.calls.add(call);
    try {
      return await work(call);
    } finally {
      pool.calls.delete(call);
    }
  }

  /** Ends every thread. */
  async close(why: Error): Promise<void> {
    const pools = [...this.pools.values()];
    this.pools.clear();
    for (const { calls } of pools) for (const call of calls) call.kill(why);
    await Promise.all(pools.map(({ piscina }) => piscina.destroy()));
  }

  private poolOf(memoryMb: number): Pool {
    const pool = this.pools.get(memoryMb) ?? this.newPool(memoryMb);
    // The one used last comes last.
    this.pools.delete(memoryMb);
    this.pools.set(memoryMb, pool);
    this.endIdlePools(pool);
    return pool;
  }

  private newPool(memoryMb: number): Pool {
    const maxYoungGenerationSizeMb = Math.min(MAX_YOUNG_MB, Math.ceil(memoryMb * YOUNG_SHARE));
    const piscina = new Piscina({
      filename: WORKER,
      minThreads: 0,
      maxThreads: this.maxThreads,
      idleTimeout: IDLE_MS,
      // A thread that waits in Atomics.wait counts as busy, and what an item left behind would stand still until the next one.
      atomics: 'disabled',
      recordTiming: false,
      resourceLimits: { maxYoungGenerationSizeMb, maxOldGenerationSizeMb: memoryMb - maxYoungGenerationSizeMb },
    });
    const pool: Pool = { piscina, calls: new Set() };
    piscina.on('error', (error: Error) => this.endUnbegun(pool, error));
    return pool;
  }

  /** A thread that died without work, perhaps before it could begin with any: what waits for it would wait for ever. */
  private endUnbegun(pool: Pool, error: Error): void {
    this.logger.warn({ err: error }, 'a thread died while it had nothing to do');
    for (const call of pool.calls) if (!call.hasBegun) call.kill(new Error(`no thread could be started: ${error.message}`));
  }

  /** Threads that wait in pools of other limits give way, or there could be as many as there are limits. */
  private endIdlePools(wanted: Pool): void {
    for (const [memoryMb, pool] of this.pools) {
      if (this.threadCount < this.maxThreads) return;
      if (pool === wanted || pool.calls.size > 0) continue;
      this.pools.delete(memoryMb);
      void pool.piscina.destroy();
    }
  }

  private get threadCount(): number {
    let count = 0;
    for (const { piscina } of this.pools.values()) count += piscina.threads.length;
    return count;
  }
}
