import { setMaxListeners } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { AppError } from '../../common/app-error.js';
import { type RateLimit, requestsPerMinute } from './duration-estimate.js';

const MINUTE_MS = 60_000;
/** The longest that a timer can wait. */
const MAX_WAIT_MS = 2 ** 31 - 1;

/**
 * A token bucket for code in this process that calls a rate-limited service by itself: full at the beginning, refilled all the
 * time. Jobs need none: the service keeps their limits.
 * @throws AppError INVALID_INPUT for a number that is not above 0
 */
export function createRateLimiter(limit: RateLimit): RateLimiter {
  return new RateLimiter(requestsPerMinute(limit));
}

export class RateLimiter {
  private readonly end = new AbortController();
  /** Below 0 by as many as wait for theirs. */
  private tokens: number;
  private refilledAt = performance.now();
  private last: Promise<void> = Promise.resolve();

  /** @param perMinute calls in a minute; as many may be made at once after a quiet minute */
  constructor(readonly perMinute: number) {
    this.tokens = this.capacity;
    // Everybody who waits listens to it.
    setMaxListeners(0, this.end.signal);
  }

  /** Takes a token if one is there that nobody waits for. */
  tryAcquire(): boolean {
    this.assertOpen();
    this.refill();
    if (this.tokens < 1) return false;
    this.tokens -= 1;
    return true;
  }

  /**
   * Waits for a token; who comes first is served first.
   * @throws the signal's reason when it is aborted, AppError CONFLICT when the limiter is destroyed meanwhile
   */
  acquire(signal?: AbortSignal): Promise<void> {
    const turn = this.take(this.last, signal);
    this.last = turn.catch(() => undefined);
    return turn;
  }

  /** Ends every wait and refuses calls from now on. */
  destroy(): void {
    this.end.abort(destroyed());
  }

  /** @param before the turn of whoever came before: timers of a busy process may ring in another order */
  private async take(before: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
    this.assertOpen();
    signal?.throwIfAborted();
    this.refill();
    this.tokens -= 1;
    const waitMs = Math.ceil((-this.tokens / this.perMinute) * MINUTE_MS);
    if (waitMs > 0) await this.wait(Math.min(MAX_WAIT_MS, waitMs), signal);
    await before;
  }

  /** Who gives up leaves the token to others. */
  private async wait(ms: number, signal: AbortSignal | undefined): Promise<void> {
    const stop = signal ? AbortSignal.any([signal, this.end.signal]) : this.end.signal;
    try {
      await delay(ms, undefined, { signal: stop });
    } catch (cause) {
      this.tokens += 1;
      throw stop.aborted ? stop.reason : cause;
    }
  }

  private get capacity(): number {
    return Math.max(1, this.perMinute);
  }

  private refill(): void {
    const now = performance.now();
    this.tokens = Math.min(this.capacity, this.tokens + ((now - this.refilledAt) / MINUTE_MS) * this.perMinute);
    this.refilledAt = now;
  }

  private assertOpen(): void {
    if (this.end.signal.aborted) throw destroyed();
  }
}

function destroyed(): AppError {
  return new AppError('CONFLICT', 'this rate limiter is destroyed; make a new one with createRateLimiter');
}
