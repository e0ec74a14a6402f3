import { Injectable } from '@nestjs/common';
import { Config } from '../config.js';
import { ProcessRecycler } from './process-recycler.js';

/**
 * Calls of item handlers that go on although they were told to stop, in this process. What such a call holds nobody can take from it, so
 * that it costs those first who made it: its batch is paused, then no item of its operation is started here, and only a very large number
 * of them costs the process, and all who share it.
 */
@Injectable()
export class HangingCalls {
  private readonly byOperation = new Map<string, number>();
  private readonly byRun = new Map<string, number>();
  private total = 0;

  constructor(
    private readonly config: Config,
    private readonly recycler: ProcessRecycler,
  ) {}

  /** A call of the run's handler has ignored its signal for too long. End it with {@link ended}. */
  began(operation: string, runId: string): void {
    add(this.byOperation, operation, 1);
    add(this.byRun, runId, 1);
    this.total += 1;
    if (this.areTooMany)
      this.recycler.report('stuck', `${this.total} calls of item handlers ignore their abort signals, and no more lanes are taken`);
  }

  ended(operation: string, runId: string): void {
    add(this.byOperation, operation, -1);
    add(this.byRun, runId, -1);
    this.total -= 1;
    if (!this.areTooMany) this.recycler.withdraw('stuck');
  }

  /** For the process to take any more work. */
  get areTooMany(): boolean {
    return this.total > this.config.hangingCalls;
  }

  areTooManyOf(operation: string): boolean {
    return this.of(operation) >= this.config.hangingCallsOfOperation;
  }

  areTooManyOfRun(runId: string): boolean {
    return this.ofRun(runId) >= this.config.hangingCallsOfBatch;
  }

  of(operation: string): number {
    return this.byOperation.get(operation) ?? 0;
  }

  ofRun(runId: string): number {
    return this.byRun.get(runId) ?? 0;
  }

  /** How many hang of each operation of which any does. */
  get operations(): ReadonlyMap<string, number> {
    return this.byOperation;
  }
}

function add(counts: Map<string, number>, name: string, change: 1 | -1): void {
  const count = (counts.get(name) ?? 0) + change;
  if (count > 0) counts.set(name, count);
  else counts.delete(name);
}
