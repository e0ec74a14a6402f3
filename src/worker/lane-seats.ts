import type { Bell } from '../queue/lane-queue.js';
import { WaitingBells } from './waiting-bells.js';

/** Of what a tenant must leave to others, an express bell of its own may still take one in so many. */
const EXPRESS_PART = 4;
/** The last one in so many seats is for tenants that hold none. */
const LAST_SHARE = 16;

/** Give it back when the work is done. */
export interface Seat {
  tenant: string;
}

/**
 * How many lanes this process works at the same time, and whose. A tenant may hold so many seats as a multiple of those that are free: the
 * fewer are left, the less anybody may hold, and some are always left for who comes next. Alone a tenant holds most of them; several
 * that want more than there is come to hold the same. A lane is not taken away from anybody: who holds too many gets no new one. Of those
 * who wait, the one who holds the fewest is seated first.
 */
export class LaneSeats {
  private readonly byTenant = new Map<string, number>();
  private readonly waiting = new WaitingBells();
  /** Seats a tenant may hold for each free one. */
  private readonly perFree: { common: number; express: number };
  /** Left to tenants that hold none. */
  private readonly last: number;
  private taken = 0;
  private closed = false;

  /**
   * @param alonePercent of the seats that a tenant may hold while it is alone
   * @param onSeated told of a bell that had to wait
   */
  constructor(
    private readonly total: number,
    alonePercent: number,
    private readonly onSeated: (bell: Bell, seat: Seat) => void,
  ) {
    const left = 100 - alonePercent;
    const express = left / EXPRESS_PART;
    this.perFree = { common: alonePercent / left, express: (alonePercent + express) / (left - express) };
    this.last = left === 0 ? 0 : Math.floor(total / LAST_SHARE);
  }

  /** Seats that somebody may take: not everybody may. */
  get free(): number {
    return this.closed ? 0 : this.total - this.taken;
  }

  get hasWaiting(): boolean {
    return !this.waiting.isEmpty;
  }

  /** Tenants that hold as many seats as they may. */
  get fullTenants(): string[] {
    return [...this.byTenant.keys()].filter((tenant) => !this.mayTake({ tenant, express: false }));
  }

  /** Whether the tenant has fewer seats than its part, among tenants that have any. */
  isBelowShare(tenant: string): boolean {
    const seats = this.held(tenant);
    const tenants = this.byTenant.size + (seats === 0 ? 1 : 0);
    return tenants > 1 && seats < this.total / tenants;
  }

  /** Whether somebody waits whom it would help that the tenant gives a seat up: it comes next itself, or one who holds fewer. */
  isInTheWay(tenant: string): boolean {
    return this.waiting.tenants.some((other) => other === tenant || this.held(other) < this.held(tenant));
  }

  /** @returns undefined when the bell has to wait; it is seated later. Nobody is when the process takes no more work. */
  take(bell: Bell): Seat | undefined {
    if (this.closed) return undefined;
    if (this.mayTake(bell)) return this.seat(bell.tenant);
    this.waiting.add(bell);
    return undefined;
  }

  /** Takes a seat if the tenant may have one at this moment. */
  takeFree(tenant: string): Seat | undefined {
    return !this.closed && this.mayTake({ tenant, express: false }) ? this.seat(tenant) : undefined;
  }

  leave({ tenant }: Seat): void {
    this.taken -= 1;
    const left = this.held(tenant) - 1;
    if (left > 0) this.byTenant.set(tenant, left);
    else this.byTenant.delete(tenant);
    this.seatWaiting();
  }

  /** From now on nobody is seated; those who wait are sent away. */
  close(): void {
    this.closed = true;
    this.waiting.clear();
  }

  private held(tenant: string): number {
    return this.byTenant.get(tenant) ?? 0;
  }

  private mayTake({ tenant, express }: Pick<Bell, 'tenant' | 'express'>): boolean {
    const free = this.total - this.taken;
    const held = this.held(tenant);
    if (held === 0) return free > 0;
    return free > this.last && held < free * (express ? this.perFree.express : this.perFree.common);
  }

  private seat(tenant: string): Seat {
    this.taken += 1;
    this.byTenant.set(tenant, this.held(tenant) + 1);
    return { tenant };
  }

  private seatWaiting(): void {
    for (let tenant = this.next(); tenant !== undefined; tenant = this.next()) {
      this.onSeated(this.waiting.takeFirstOf(tenant), this.seat(tenant));
    }
  }

  /** Of tenants whose first bell may be seated, the one who holds the fewest seats, and then the most urgent. */
  private next(): string | undefined {
    const firsts = this.waiting.tenants.map((tenant) => this.waiting.firstOf(tenant)!).filter((bell) => this.mayTake(bell));
    const order = (a: Bell, b: Bell) => this.held(a.tenant) - this.held(b.tenant) || a.rank - b.rank;
    return firsts.sort(order)[0]?.tenant;
  }
}
