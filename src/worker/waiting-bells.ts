import type { Bell } from '../queue/lane-queue.js';

/** Bells of one tenant that wait; more are dropped, and the sweep finds their runs. */
const MAX_OF_TENANT = 1_000;
/** Bells of one run that wait: more than a process has lanes in use would find nothing. */
const MAX_OF_RUN = 64;

/** Bells that were heard while there was no lane for their tenants: express ones first, then by rank, then the oldest. */
export class WaitingBells {
  private readonly byTenant = new Map<string, Bell[]>();

  get isEmpty(): boolean {
    return this.byTenant.size === 0;
  }

  /** Those who have any. */
  get tenants(): string[] {
    return [...this.byTenant.keys()];
  }

  add(bell: Bell): void {
    const bells = this.byTenant.get(bell.tenant) ?? [];
    if (bells.length >= MAX_OF_TENANT || bells.filter(({ runId }) => runId === bell.runId).length >= MAX_OF_RUN) return;
    const before = bells.findIndex((other) => isBefore(bell, other));
    bells.splice(before === -1 ? bells.length : before, 0, bell);
    this.byTenant.set(bell.tenant, bells);
  }

  /** The tenant's first one. */
  firstOf(tenant: string): Bell | undefined {
    return this.byTenant.get(tenant)?.[0];
  }

  /** @returns that one, which does not wait any more */
  takeFirstOf(tenant: string): Bell {
    const bells = this.byTenant.get(tenant)!;
    const first = bells.shift()!;
    if (bells.length === 0) this.byTenant.delete(tenant);
    return first;
  }

  clear(): void {
    this.byTenant.clear();
  }
}

function isBefore(bell: Bell, other: Bell): boolean {
  if (bell.express !== other.express) return bell.express;
  return bell.rank < other.rank;
}
