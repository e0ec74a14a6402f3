import { toStorableText } from '../common/safe-json.js';
import { PermanentError, RetryLaterError } from '../operations/item-handler.js';
import { ProviderFailure } from './provider-failure.js';

/** What a piece of work tells of the provider. */
export type Verdict = { verdict: 'answered' | 'unknown' } | { verdict: 'failed'; error: string };

export const ANSWERED: Verdict = { verdict: 'answered' };

const MAX_ERROR = 500;

/** A provider that refuses or says "later" is there. Of any other error nobody knows whose fault it was: a shutdown's, say. */
export function verdictOf(error: unknown): Verdict {
  if (error instanceof ProviderFailure) return { verdict: 'failed', error: toStorableText(error.message.slice(0, MAX_ERROR)) };
  return error instanceof PermanentError || error instanceof RetryLaterError ? ANSWERED : { verdict: 'unknown' };
}
