import { AppError } from './app-error.js';

/** What tenants hold open in this process, so many at most each. */
export class TenantQuota {
  private readonly held = new Map<string, number>();

  /** @param what they are, in the plural, and the setting that limits them */
  constructor(
    private readonly limit: number,
    private readonly what: string,
  ) {}

  /**
   * @returns gives it back
   * @throws AppError RATE_LIMITED when the tenant has as many as it may
   */
  take(tenant: string): () => void {
    this.assertLeft(tenant);
    this.held.set(tenant, (this.held.get(tenant) ?? 0) + 1);
    return () => this.give(tenant);
  }

  /** @throws AppError RATE_LIMITED when the tenant has as many as it may */
  assertLeft(tenant: string): void {
    const held = this.held.get(tenant) ?? 0;
    if (held >= this.limit) throw new AppError('RATE_LIMITED', `the tenant has ${held} ${this.what} already; close some`);
  }

  private give(tenant: string): void {
    const left = this.held.get(tenant)! - 1;
    if (left > 0) this.held.set(tenant, left);
    else this.held.delete(tenant);
  }
}
