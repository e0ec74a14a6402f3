import type { HangingCalls } from '../common/hanging-calls.js';
import type { ItemHandlerRegistry } from '../operations/item-handler.registry.js';

/** A slot beyond the others, for a tenant that has none: whoever fills all slots with work that takes long holds up nobody else. */
const SPARE_SLOTS = 1;

/** A slot that is taken; give it back. */
export interface Slot {
  operation: string;
  /** It is the spare one: only a tenant that has no other may work in it. */
  isSpare: boolean;
  /** Whose item is worked in it; until one has been chosen, who asked for it. */
  tenant: string;
}

/**
 * This process's slots of operations that limit how many of their items it works at the same time, over all batches. One of which too many
 * calls hang has none.
 */
export class OperationSlots {
  private readonly taken = new Map<string, Set<Slot>>();
  /** Tenants by operation, the one whose item was chosen last at the end. */
  private readonly served = new Map<string, Set<string>>();

  constructor(
    private readonly registry: ItemHandlerRegistry,
    private readonly hanging: HangingCalls,
  ) {}

  /** Operations whose lanes are not simply taken. */
  get operations(): string[] {
    return this.registry.operations.filter((operation) => this.slotsOf(operation) < Infinity);
  }

  isFull(operation: string): boolean {
    return this.takenOf(operation).size >= this.slotsOf(operation);
  }

  /** @returns undefined when none is free, and the tenant may not have the spare one */
  take(operation: string, tenant: string): Slot | undefined {
    if (this.hanging.areTooManyOf(operation)) return undefined;
    const taken = this.takenOf(operation);
    const slot: Slot = { operation, isSpare: this.isFull(operation), tenant };
    if (taken.size >= this.slotsOf(operation) + SPARE_SLOTS || !this.mayUse(slot, tenant)) return undefined;
    taken.add(slot);
    return slot;
  }

  giveBack(slot: Slot): void {
    const taken = this.takenOf(slot.operation);
    taken.delete(slot);
    if (taken.size === 0) this.served.delete(slot.operation);
  }

  /** Whether an item of the tenant may be worked in the slot. */
  mayUse(slot: Slot, tenant: string): boolean {
    return !slot.isSpare || this.othersOf(slot, tenant) === 0;
  }

  use(slot: Slot, tenant: string): void {
    slot.tenant = tenant;
    const served = this.served.get(slot.operation) ?? new Set();
    served.delete(tenant);
    this.served.set(slot.operation, served.add(tenant));
  }

  /** Tenants in the order in which they come after all others: by how many slots they have, then by when they were last served. */
  inTurn(slot: Slot): string[] {
    return [...(this.served.get(slot.operation) ?? [])].sort((a, b) => this.othersOf(slot, a) - this.othersOf(slot, b));
  }

  private othersOf(slot: Slot, tenant: string): number {
    return [...this.takenOf(slot.operation)].filter((other) => other !== slot && other.tenant === tenant).length;
  }

  private takenOf(operation: string): Set<Slot> {
    const taken = this.taken.get(operation) ?? new Set();
    this.taken.set(operation, taken);
    return taken;
  }

  private slotsOf(operation: string): number {
    if (this.hanging.areTooManyOf(operation)) return 0;
    return this.registry.get(operation)?.handler.slotsPerWorker ?? Infinity;
  }
}
