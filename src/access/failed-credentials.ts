import { AppError } from '../common/app-error.js';

const MINUTE_MS = 60_000;
/** Addresses remembered; the one that began first is forgotten first. */
const MAX_ADDRESSES = 10_000;

/**
 * Wrong credentials by address, in this process. A key is too long to be found by trying; what this bounds is the noise, and it tells
 * a program with a wrong key to stop asking. Nobody is locked out: behind a proxy many clients share an address.
 */
export class FailedCredentials {
  private readonly minutes = new Map<string, { failures: number; endsAt: number }>();

  constructor(private readonly perMinute: number) {}

  /** Counts one more. @throws AppError RATE_LIMITED when there were too many within a minute */
  count(address: string): void {
    const now = performance.now();
    const minute = this.minuteOf(address, now);
    minute.failures += 1;
    if (minute.failures <= this.perMinute) return;
    const retryAfterMs = minute.endsAt - now;
    const message =
      `more than ${this.perMinute} wrong API keys or tokens in a minute from ${address} (FAILED_CREDENTIALS_PER_MINUTE); ` +
      `send a valid one, or try again in ${Math.ceil(retryAfterMs / 1_000)} s`;
    throw new AppError('RATE_LIMITED', message, { details: { retryAfterMs } });
  }

  private minuteOf(address: string, now: number): { failures: number; endsAt: number } {
    const known = this.minutes.get(address);
    if (known && known.endsAt > now) return known;
    const minute = { failures: 0, endsAt: now + MINUTE_MS };
    // Deleted first, so that the map's order is that of their beginnings.
    this.minutes.delete(address);
    this.minutes.set(address, minute);
    if (this.minutes.size > MAX_ADDRESSES) this.minutes.delete(this.minutes.keys().next().value!);
    return minute;
  }
}
