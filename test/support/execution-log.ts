import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';

export interface Execution {
  pid: number;
  /** Milliseconds since 1970, as its process saw them. */
  startedAt: number;
  /** Unset: it never came to its end. */
  endedAt?: number;
}

/** What the services' item handlers wrote down of their own, see trial-operation.mjs: the truth about what was executed. */
export class ExecutionLog {
  /** Executions of each item, in the order in which they began, by batch and the item's idempotency key. */
  private readonly byBatch = new Map<string, Map<string, Execution[]>>();
  private readonly running = new Map<number, Map<string, Execution>>();
  private readonly positions = new Map<string, number>();
  private readonly rests = new Map<string, string>();

  constructor(readonly folder: string) {}

  /** Items whose handlers have begun and not ended in the process. */
  inFlightOn(pid: number): number {
    this.read(`${pid}.log`);
    return this.running.get(pid)?.size ?? 0;
  }

  get inFlight(): number {
    this.readAll();
    return [...this.running.values()].reduce((sum, items) => sum + items.size, 0);
  }

  of(batchId: string): ReadonlyMap<string, readonly Execution[]> {
    this.readAll();
    const items = this.byBatch.get(batchId) ?? new Map<string, Execution[]>();
    for (const executions of items.values()) executions.sort((a, b) => a.startedAt - b.startedAt);
    return items;
  }

  /** The process is no more: what it was at will never end. @returns how many items that were */
  close(pid: number): number {
    const inFlight = this.inFlightOn(pid);
    this.running.delete(pid);
    return inFlight;
  }

  /** Of a batch that was looked at and is not needed any more. */
  forget(batchId: string): void {
    this.byBatch.delete(batchId);
  }

  private readAll(): void {
    for (const file of readdirSync(this.folder)) this.read(file);
  }

  private read(file: string): void {
    const from = this.positions.get(file) ?? 0;
    const handle = openSync(join(this.folder, file), 'r');
    try {
      const bytes = Buffer.alloc(fstatSync(handle).size - from);
      if (bytes.length === 0) return;
      readSync(handle, bytes, 0, bytes.length, from);
      this.positions.set(file, from + bytes.length);
      const lines = `${this.rests.get(file) ?? ''}${bytes.toString()}`.split('\n');
      this.rests.set(file, lines.pop()!);
      for (const line of lines) this.take(parseInt(file), line.split(' '));
    } finally {
      closeSync(handle);
    }
  }

  private take(pid: number, [mark, key, , at]: string[]): void {
    if (mark !== '+' && mark !== '-') return;
    const running = this.running.get(pid) ?? new Map<string, Execution>();
    this.running.set(pid, running);
    if (mark === '-') {
      const execution = running.get(key!);
      if (execution) execution.endedAt = Number(at);
      running.delete(key!);
      return;
    }
    const execution = { pid, startedAt: Number(at) };
    running.set(key!, execution);
    const batchId = key!.split(':')[1]!;
    const items = this.byBatch.get(batchId) ?? new Map<string, Execution[]>();
    this.byBatch.set(batchId, items);
    items.set(key!, [...(items.get(key!) ?? []), execution]);
  }
}
