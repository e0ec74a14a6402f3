import { AsyncLocalStorage } from 'node:async_hooks';
import { performance } from 'node:perf_hooks';
import { type MessagePort, threadId } from 'node:worker_threads';
import { sentenceOf } from '../common/json-text.js';
import { problemOfJson } from '../common/json-value.js';
import { InvalidResultError, ResourceLimitError } from '../operations/item-errors.js';
import { fromPlainError, type PlainError, toPlainError } from './plain-error.js';
import type { FromThread, ThreadReply, ThreadTask, ToThread } from './thread-messages.js';

/** How often it is looked at how much Buffers take. */
const MEMORY_MS = 50;
const MB = 1_048_576;
/** Larger results are refused here, before they take the memory of the whole process. What is recorded of an item is less. */
const MAX_REPLY_CHARACTERS = 1_048_576;

type Run = (input: unknown, context: object) => unknown;

/** Which task some code belongs to, also when it runs after its task has ended. */
const tasks = new AsyncLocalStorage<Task>();

// Without this an error that nobody catches ends the thread, and with it whichever item is in it by then.
process.on('uncaughtException', (error) => {
  if (!tasks.getStore()?.crash(error))
    process.emitWarning(`an item left behind in a thread what now failed: ${error.stack ?? error.message}`);
});

/** Does one task in this thread; the pool calls it, one task at a time. */
export default function work(message: ThreadTask): Promise<ThreadReply> {
  const task = new Task(message.port);
  return tasks.run(task, () => task.work(message));
}

class Task {
  private readonly controller = new AbortController();
  private ended = false;
  private percent?: number;

  constructor(private readonly port: MessagePort) {
    port.on('message', ({ abort }: ToThread) => this.controller.abort(fromPlainError(abort)));
    // The pool's own port keeps the thread alive.
    port.unref();
  }

  async work({ module, input, context, memoryMb }: ThreadTask): Promise<ThreadReply> {
    const before = performance.eventLoopUtilization();
    const watch = setInterval(() => this.checkMemory(memoryMb), MEMORY_MS).unref();
    this.tell({ type: 'began', threadId });
    const answer = await this.answer(module, input, context);
    clearInterval(watch);
    this.ended = true;
    this.port.close();
    return { ...answer, cpuMs: performance.eventLoopUtilization(before).active };
  }

  /** @returns false when the task has ended, and nobody waits for its errors any more */
  crash(error: unknown): boolean {
    if (!this.ended) this.tell({ type: 'crashed', error: toPlainError(error) });
    return !this.ended;
  }

  private async answer(module: string, input: unknown, context: object): Promise<{ json: string | undefined } | { error: PlainError }> {
    try {
      const { run } = (await import(module)) as { run?: Run };
      if (typeof run !== 'function') throw new Error(`${module} exports no function "run"`);
      const { signal } = this.controller;
      return { json: toJson(await run(input, { ...context, signal, progress: (percent: number) => this.progress(percent) })) };
    } catch (error) {
      return { error: toPlainError(error) };
    }
  }

  private progress(percent: number): void {
    // A message for each percent at most, however often a loop reports.
    const whole = Math.floor(percent);
    if (whole === this.percent) return;
    this.percent = whole;
    this.tell({ type: 'progress', percent });
  }

  /** V8 limits objects and texts by itself, but not what lies outside of its heap. */
  private checkMemory(memoryMb: number): void {
    const usedMb = process.memoryUsage().arrayBuffers / MB;
    if (usedMb > memoryMb)
      this.crash(new ResourceLimitError(`its Buffers take ${Math.ceil(usedMb)} MB; at most ${memoryMb} MB are allowed`));
  }

  private tell(message: FromThread): void {
    if (!this.ended) this.port.postMessage(message);
  }
}

function toJson(result: unknown): string | undefined {
  const problem = problemOfJson(result, '');
  if (problem) throw new InvalidResultError(`the result cannot be recorded: ${sentenceOf([problem])}`);
  const json = JSON.stringify(result) as string | undefined;
  if (json !== undefined && json.length > MAX_REPLY_CHARACTERS) {
    throw new InvalidResultError(`the result cannot be recorded: it has ${json.length} characters`);
  }
  return json;
}
