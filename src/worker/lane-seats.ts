/** One in so many seats is kept for express bells. */
const KEPT_SHARE = 4;
/** Of the kept ones a tenant takes one in so many. */
const TENANT_SHARE = 4;

/** Whoever wants a seat. */
export interface SeatRequest {
  tenant: string;
  express: boolean;
}

/** Give it back when the work is done. */
export interface Seat {
  tenant: string;
  /** It is one of those that are kept for express bells. */
  isKept: boolean;
}

interface Waiter extends SeatRequest {
  seated: (seat: Seat | undefined) => void;
}

/**
 * How many lanes this process works at the same time, and whose. A quarter of the seats is kept for runs that have just come and for
 * tenants with less than their share, so that nobody waits behind a batch that fills the others; no tenant may fill these.
 */
export class LaneSeats {
  private readonly byTenant = new Map<string, number>();
  private readonly keptByTenant = new Map<string, number>();
  private readonly kept: number;
  private taken = 0;
  private waiters: Waiter[] = [];
  private closed = false;

  constructor(private readonly total: number) {
    this.kept = Math.floor(total / KEPT_SHARE);
  }

  get common(): number {
    return this.total - this.kept;
  }

  /** Seats for work that nobody hurries. */
  get free(): number {
    return this.closed ? 0 : Math.max(0, this.common - this.taken);
  }

  get hasWaiting(): boolean {
    return this.waiters.length > 0;
  }

  /** Seats that are taken. */
  get busy(): number {
    return this.taken;
  }

  /** An express bell that finds no seat because its tenant has its part of the kept ones: it waits with the common ones. */
  isOverShare({ tenant, express }: SeatRequest): boolean {
    return express && this.free === 0 && (this.keptByTenant.get(tenant) ?? 0) >= Math.max(1, Math.floor(this.kept / TENANT_SHARE));
  }

  /** Whether the tenant has fewer seats than its part, among tenants that have any. */
  isBelowShare(tenant: string): boolean {
    const seats = this.byTenant.get(tenant) ?? 0;
    const tenants = this.byTenant.size + (seats === 0 ? 1 : 0);
    return tenants > 1 && seats < this.total / tenants;
  }

  /** @returns undefined when the process takes no more work */
  take(request: SeatRequest): Promise<Seat | undefined> {
    return new Promise((seated) => {
      this.waiters.push({ ...request, seated });
      this.seatWaiters();
    });
  }

  /** Takes a common seat if one is free at this moment. */
  takeFree(tenant: string): Seat | undefined {
    return this.free > 0 ? this.seat({ tenant, express: false }) : undefined;
  }

  leave({ tenant, isKept }: Seat): void {
    this.taken -= 1;
    decrease(this.byTenant, tenant);
    if (isKept) decrease(this.keptByTenant, tenant);
    this.seatWaiters();
  }

  /** From now on nobody is seated; those who wait are sent away. */
  close(): void {
    this.closed = true;
    this.seatWaiters();
  }

  private seatWaiters(): void {
    const waiters = this.waiters;
    this.waiters = [];
    for (const waiter of [...waiters.filter(({ express }) => express), ...waiters.filter(({ express }) => !express)]) {
      if (this.closed) waiter.seated(undefined);
      else if (this.taken < (waiter.express ? this.total : this.common)) waiter.seated(this.seat(waiter));
      else this.waiters.push(waiter);
    }
  }

  private seat({ tenant }: SeatRequest): Seat {
    const isKept = this.taken >= this.common;
    this.taken += 1;
    increase(this.byTenant, tenant);
    if (isKept) increase(this.keptByTenant, tenant);
    return { tenant, isKept };
  }
}

function increase(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function decrease(counts: Map<string, number>, name: string): void {
  const left = counts.get(name)! - 1;
  if (left > 0) counts.set(name, left);
  else counts.delete(name);
}
