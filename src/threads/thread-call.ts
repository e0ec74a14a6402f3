import type { Piscina } from 'piscina';
import { type EventLoopUtilization } from 'node:perf_hooks';
import { MessageChannel, type Worker } from 'node:worker_threads';
import { ResourceLimitError } from '../operations/item-errors.js';
import { fromPlainError, toPlainError } from './plain-error.js';
import type { FromThread, ThreadReply, ThreadTask, ToThread } from './thread-messages.js';

/** After its signal was aborted, work has this long to end before its thread is ended. Shorter than the engine's own patience. */
const GRACE_MS = 1_000;
/** How often it is looked at how busy a thread is. */
const CPU_MS = 100;

/** What a call may take. */
export interface CallLimits {
  memoryMb: number;
  /** How long its thread may be busy with it; undefined for no limit. */
  cpu?: CpuLimit;
}

export interface CpuLimit {
  ms: number;
  /** Words for an error: what sets the limit. */
  setBy: string;
}

export interface CallEvents {
  signal: AbortSignal;
  progress?(percent: number): void;
  /** The thread was busy for so much longer. */
  charge(busyMs: number): void;
}

/** One piece of work in one thread, which is ended when the work does not keep its limits. */
export class ThreadCall {
  /** Resolves when a thread has begun with it. */
  readonly began: Promise<void>;
  private readonly channel = new MessageChannel();
  private readonly killer = new AbortController();
  private readonly onAbort = (): void => this.abort();
  private begin!: () => void;
  /** Why its thread was ended. */
  private failure?: Error;
  private worker?: Worker;
  private atBegin?: EventLoopUtilization;
  private chargedMs = 0;
  private graceTimer?: NodeJS.Timeout;
  private cpuTimer?: NodeJS.Timeout;

  constructor(
    private readonly pool: Piscina,
    private readonly limits: CallLimits,
    private readonly events: CallEvents,
  ) {
    this.began = new Promise((resolve) => (this.begin = resolve));
    this.channel.port1.on('message', (message: FromThread) => this.hear(message));
  }

  async run(task: Omit<ThreadTask, 'port' | 'memoryMb'>): Promise<unknown> {
    const { signal } = this.events;
    const { port2: port } = this.channel;
    try {
      signal.throwIfAborted();
      signal.addEventListener('abort', this.onAbort, { once: true });
      const message: ThreadTask = { ...task, port, memoryMb: this.limits.memoryMb };
      const reply = (await this.pool.run(message, { transferList: [port], signal: this.killer.signal })) as ThreadReply;
      this.charge(reply.cpuMs);
      if ('error' in reply) throw fromPlainError(reply.error);
      return reply.json === undefined ? undefined : (JSON.parse(reply.json) as unknown);
    } catch (error) {
      throw this.failure ?? this.explained(error as Error);
    } finally {
      signal.removeEventListener('abort', this.onAbort);
      clearTimeout(this.graceTimer);
      clearInterval(this.cpuTimer);
      this.channel.port1.close();
    }
  }

  /** Ends the thread, whatever it does. */
  kill(why: Error): void {
    this.failure ??= why;
    this.killer.abort();
  }

  get hasBegun(): boolean {
    return this.worker !== undefined;
  }

  private hear(message: FromThread): void {
    switch (message.type) {
      case 'began':
        this.worker = this.pool.threads.find(({ threadId }) => threadId === message.threadId);
        this.atBegin = this.worker?.performance.eventLoopUtilization();
        if (this.limits.cpu) this.cpuTimer = setInterval(() => this.watchCpu(), CPU_MS);
        return this.begin();
      case 'progress':
        return this.events.progress?.(message.percent);
      case 'crashed':
        return this.kill(fromPlainError(message.error));
    }
  }

  private abort(): void {
    const reason = this.events.signal.reason as Error;
    this.channel.port1.postMessage({ abort: toPlainError(reason) } satisfies ToThread);
    this.graceTimer = setTimeout(() => this.kill(reason), GRACE_MS);
  }

  private watchCpu(): void {
    const busyMs = this.worker!.performance.eventLoopUtilization().active - this.atBegin!.active;
    this.charge(busyMs);
    const { ms, setBy } = this.limits.cpu!;
    if (busyMs > ms)
      this.kill(new ResourceLimitError(`it kept its thread busy for ${Math.round(busyMs)} ms; ${Math.round(ms)} ms are ${setBy}`));
  }

  /** @param busyMs since it began */
  private charge(busyMs: number): void {
    this.events.charge(Math.max(0, busyMs - this.chargedMs));
    this.chargedMs = Math.max(this.chargedMs, busyMs);
  }

  private explained(error: Error & { code?: string }): Error {
    if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') {
      return new ResourceLimitError(`it needs more than ${this.limits.memoryMb} MB of memory, and its thread was ended`);
    }
    const exit = /^worker exited with code: (-?\d+)/.exec(error.message);
    return exit ? new Error(`its thread ended with code ${exit[1]} in the midst of it`) : error;
  }
}
