import { toStorableText } from '../common/safe-json.js';
import { PermanentError, RetryLaterError } from '../operations/item-handler.js';
import { ProviderFailure } from './provider-failure.js';
import { UnusableAnswer } from './unusable-answer.js';

/** What a piece of work tells of the provider. */
export type Verdict = { verdict: 'answered' | 'unknown' } | { verdict: 'failed'; error: string };

export const ANSWERED: Verdict = { verdict: 'answered' };

const MAX_ERROR = 500;

const ANSWERS = [PermanentError, RetryLaterError, UnusableAnswer];

/** A provider that refuses, says "later" or answers nonsense is there. Of any other error nobody knows whose fault it was: a shutdown's, say. */
export function verdictOf(error: unknown): Verdict {
  if (error instanceof ProviderFailure) return { verdict: 'failed', error: toStorableText(error.message.slice(0, MAX_ERROR)) };
  return ANSWERS.some((type) => error instanceof type) ? ANSWERED : { verdict: 'unknown' };
}
