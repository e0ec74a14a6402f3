import type { HangingCalls } from '../common/hanging-calls.js';
import type { ItemHandlerRegistry } from '../operations/item-handler.registry.js';

/**
 * This process's slots of operations that limit how many of their items it works at the same time, over all batches. One of which too many
 * calls hang has none.
 */
export class OperationSlots {
  private readonly taken = new Map<string, number>();

  constructor(
    private readonly registry: ItemHandlerRegistry,
    private readonly hanging: HangingCalls,
  ) {}

  /** Operations whose lanes are not simply taken. */
  get operations(): string[] {
    return this.registry.operations.filter((operation) => this.slotsOf(operation) < Infinity);
  }

  isFull(operation: string): boolean {
    return (this.taken.get(operation) ?? 0) >= this.slotsOf(operation);
  }

  /** @returns false when there is none; otherwise give it back */
  take(operation: string): boolean {
    if (this.isFull(operation)) return false;
    this.taken.set(operation, (this.taken.get(operation) ?? 0) + 1);
    return true;
  }

  giveBack(operation: string): void {
    this.taken.set(operation, this.taken.get(operation)! - 1);
  }

  private slotsOf(operation: string): number {
    if (this.hanging.areTooManyOf(operation)) return 0;
    return this.registry.get(operation)?.handler.slotsPerWorker ?? Infinity;
  }
}
