import {
  APICallError,
  JSONParseError,
  type FinishReason,
  InvalidResponseDataError,
  NoObjectGeneratedError,
  NoOutputGeneratedError,
  TypeValidationError,
} from 'ai';
import { ProviderFailure } from '../../breakers/provider-failure.js';
import { UnusableAnswer } from '../../breakers/unusable-answer.js';
import { PermanentError, RetryLaterError } from '../../operations/item-handler.js';
import { RedirectedError, ReplyTooLargeError } from './bounded-fetch.js';
import { complaintIn, shownWords } from './provider-words.js';

/** Whose provider it is: which key must not be shown, which model is asked for. */
export interface Asked {
  apiKey: string | undefined;
  model: string;
}

/** How long to wait when a provider says "too many" and not how long. */
const DEFAULT_WAIT_MS = 5_000;
const MIN_WAIT_MS = 1_000;
/** A provider that wants a longer wait has a limit a day, which is used up. */
const MAX_WAIT_MS = 3_600_000;

const PAYMENT_REQUIRED = 402;
const REQUEST_TIMEOUT = 408;
const TOO_MANY = 429;
const UNAVAILABLE = 503;

/** Codes of a limit that no time lifts: OpenAI and Azure, Moonshot, Anthropic, DeepSeek, OpenRouter, Together, Alibaba. */
const USED_UP = new Set([
  'insufficient_quota',
  'exceeded_current_quota_error',
  'billing_hard_limit_reached',
  'billing_not_active',
  'billing_error',
  'insufficient_balance',
  'insufficient_credits',
  'insufficient_funds',
  'credit_limit',
  'payment_required',
  'arrearage',
]);
const FILTERED = new Set(['content_filter', 'content_policy_violation', 'responsibleaipolicyviolation']);

/**
 * What a request's error means for its item and for the provider. A ProviderFailure is the provider's fault and counted; an
 * UnusableAnswer may be better next time; a PermanentError never is. @param signal the request's
 */
export function toItemError(error: unknown, signal: AbortSignal, asked: Asked): unknown {
  if (signal.aborted) {
    const reason: unknown = signal.reason;
    const late = reason instanceof DOMException && reason.name === 'TimeoutError';
    return late ? new ProviderFailure('the AI provider did not answer within the time limit') : reason;
  }
  if (error instanceof UnusableAnswer || error instanceof PermanentError) return error;
  if (NoObjectGeneratedError.isInstance(error)) return toAnswerError(error, asked);
  if (NoOutputGeneratedError.isInstance(error) || InvalidResponseDataError.isInstance(error)) return new ProviderFailure(NO_ANSWER);
  const causes = causesOf(error);
  if (causes.some((cause) => cause instanceof ReplyTooLargeError)) return new UnusableAnswer('the AI provider answered more than 4 MB');
  if (causes.some((cause) => cause instanceof RedirectedError)) {
    return new ProviderFailure('the AI provider sends requests to another address, which is not followed; check AI_BASE_URL');
  }
  if (!APICallError.isInstance(error) || error.statusCode === undefined) return new ProviderFailure('the AI provider cannot be reached');
  if (error.statusCode < 400 && !causes.some(isAboutForm)) return new ProviderFailure('the AI provider broke off its answer');
  return toStatusError(error.statusCode, error, asked);
}

/** The answer came whole, and is not of the form that it has to be. */
function isAboutForm(cause: unknown): boolean {
  return JSONParseError.isInstance(cause) || TypeValidationError.isInstance(cause);
}

const NO_ANSWER = 'the AI provider answered something else than the findings that were asked for';

/** @throws when the answer was cut or filtered: what there is of it, if anything, is not the whole */
export function assertWhole({ finishReason, text }: { finishReason: FinishReason; text: string }, asked: Asked): void {
  if (finishReason === 'content-filter') throw refused(shownWords(text, asked.apiKey));
  if (finishReason === 'length' && text === '') throw cut(asked);
}

function toAnswerError({ finishReason, text, cause }: NoObjectGeneratedError, asked: Asked): Error {
  if (finishReason === 'content-filter') return refused(shownWords(text, asked.apiKey));
  if (finishReason === 'length') return cut(asked);
  const remedy = `if it goes on, choose a model that answers in a given JSON schema (AI_MODEL is ${asked.model})`;
  const what = TypeValidationError.isInstance(cause) ? 'is JSON of another shape than was asked for' : 'is not JSON';
  return new UnusableAnswer(`the AI provider's answer ${what}; ${remedy}`);
}

function cut({ model }: Asked): PermanentError {
  const remedy = `give the document in parts, or choose a model that may answer more (AI_MODEL is ${model})`;
  return new PermanentError(`the AI provider's answer was cut off at its greatest length; ${remedy}`);
}

function refused(words: string | undefined): PermanentError {
  return new PermanentError(`the AI provider refused to analyze this document${said(words)}`);
}

function toStatusError(status: number, { responseHeaders = {}, responseBody }: APICallError, { apiKey, model }: Asked): Error {
  if (status < 400) return new ProviderFailure(NO_ANSWER);
  const { codes, message } = complaintIn(responseBody);
  const words = shownWords(message, apiKey);
  if (status === PAYMENT_REQUIRED || (status < 500 && codes.some((code) => USED_UP.has(code)))) return usedUp(status, words);
  if (status === TOO_MANY) return toWait(status, responseHeaders, words);
  if (status === UNAVAILABLE && responseHeaders['retry-after'] !== undefined) {
    return new RetryLaterError(`the AI provider is busy (HTTP ${status})`, Math.min(MAX_WAIT_MS, waitMs(responseHeaders)));
  }
  if (status >= 500 || status === REQUEST_TIMEOUT) return new ProviderFailure(`the AI provider failed (HTTP ${status})`);
  if (codes.some((code) => FILTERED.has(code))) return refused(words);
  return new PermanentError(`the AI provider refused the request (HTTP ${status})${whatToDo(status, words, model)}`);
}

/** Of a key that is wrong a provider may repeat a part: its words are not shown. */
function whatToDo(status: number, words: string | undefined, model: string): string {
  switch (status) {
    case 401:
      return '; check AI_API_KEY';
    case 403:
      return `; check AI_API_KEY, and whether it may use the model ${model} (AI_MODEL)`;
    case 404:
      return `${said(words)}; check AI_MODEL (${model}) and AI_BASE_URL`;
    case 413:
      return '; the document is too long for it: give it in parts';
    default:
      return said(words);
  }
}

function toWait(status: number, headers: Record<string, string>, words: string | undefined): Error {
  const wait = waitMs(headers);
  if (wait > MAX_WAIT_MS) return usedUp(status, words, `it asks to wait ${inHours(wait)}`);
  return new RetryLaterError(`the AI provider is busy (HTTP ${status})${said(words)}`, wait);
}

function usedUp(status: number, words: string | undefined, until?: string): PermanentError {
  const remedy = `${until ?? 'add credit, or raise its limit'}; then repeat the failed documents`;
  return new PermanentError(`the AI provider's quota is used up (HTTP ${status})${said(words)}; ${remedy}`);
}

function said(words: string | undefined): string {
  return words === undefined ? '' : `: ${words}`;
}

function inHours(ms: number): string {
  return `${Math.round(ms / 360_000) / 10} h`;
}

/** Of the headers `retry-after-ms` and `retry-after`, in seconds or as a date; at least a second. */
function waitMs(headers: Record<string, string>): number {
  const precise = Number(headers['retry-after-ms'] ?? NaN);
  const { 'retry-after': given } = headers;
  const seconds = Number(given ?? NaN);
  const wait = !Number.isNaN(precise) ? precise : !Number.isNaN(seconds) ? seconds * 1_000 : Date.parse(given ?? '') - Date.now();
  return Number.isNaN(wait) ? DEFAULT_WAIT_MS : Math.max(MIN_WAIT_MS, wait);
}

const MAX_CAUSES = 5;

/** An error and what it came of: the package wraps what fetching and parsing throw. */
function causesOf(error: unknown): unknown[] {
  const causes: unknown[] = [];
  for (let cause = error; cause !== undefined && causes.length < MAX_CAUSES; cause = cause instanceof Error ? cause.cause : undefined) {
    causes.push(cause);
  }
  return causes;
}
