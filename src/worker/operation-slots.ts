import type { ItemHandlerRegistry } from '../operations/item-handler.registry.js';

/** This process's slots of operations that limit how many of their items it works at the same time, over all batches. */
export class OperationSlots {
  private readonly taken = new Map<string, number>();

  constructor(private readonly registry: ItemHandlerRegistry) {}

  /** Operations that are worked in slots. */
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
    return this.registry.get(operation)?.handler.slotsPerWorker ?? Infinity;
  }
}
