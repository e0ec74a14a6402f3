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
  async acquire(signal?: AbortSignal): Promise<void> {
    this.assertOpen();
    signal?.throwIfAborted();
    this.refill();
    this.tokens -= 1;
    if (this.tokens >= 0) return;
    const stop = signal ? AbortSignal.any([signal, this.end.signal]) : this.end.signal;
    try {
      const waitMs = Math.ceil((-this.tokens / this.perMinute) * MINUTE_MS);
      await delay(Math.min(MAX_WAIT_MS, waitMs), undefined, { signal: stop });
    } catch (cause) {
      this.tokens += 1;
      throw stop.aborted ? stop.reason : cause;
    }
  }

  /** Ends every wait and refuses calls from now on. */
  destroy(): void {
    this.end.abort(destroyed());
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
