import type { MessagePort } from 'node:worker_threads';
import type { PlainError } from './plain-error.js';

/** What a thread is told to do. All of it is plain data. */
export interface ThreadTask {
  /** URL of the module whose `run` does the work. */
  module: string;
  input: unknown;
  /** What `run` is told beside its input. */
  context: object;
  port: MessagePort;
  memoryMb: number;
}

/** What a thread answers: the result as JSON text, or the error. */
export type ThreadReply = { cpuMs: number } & ({ json: string | undefined } | { error: PlainError });

/** What a thread tells while it works. `crashed`: something that its code started threw, and nobody caught it. */
export type FromThread =
  { type: 'began'; threadId: number } | { type: 'progress'; percent: number } | { type: 'crashed'; error: PlainError };

/** What a thread is told while it works. */
export interface ToThread {
  abort: PlainError;
}
