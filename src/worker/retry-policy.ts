import type { BatchOptions } from '../batches/batch.options.js';

type RetryOptions = Pick<BatchOptions, 'retryBackoff' | 'retryDelay' | 'retryMaxDelay' | 'retryJitter'>;

/**
 * Milliseconds to wait before a retry.
 * @param retry 1 for the first retry
 * @param random 0 to 1, decides the jitter
 */
export function retryDelayMs(options: RetryOptions, retry: number, random = Math.random()): number {
  const delay = Math.min(options.retryMaxDelay, options.retryDelay * growth(options.retryBackoff, retry));
  return options.retryJitter ? delay * (0.5 + random / 2) : delay;
}

function growth(backoff: RetryOptions['retryBackoff'], retry: number): number {
  switch (backoff) {
    case 'none':
      return 0;
    case 'fixed':
      return 1;
    case 'linear':
      return retry;
    case 'exponential':
      return 2 ** (retry - 1);
  }
}
