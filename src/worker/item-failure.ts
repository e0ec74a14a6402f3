import { AppError, type ErrorCode } from '../common/app-error.js';
import { toStorableText } from '../common/safe-json.js';
import { BatchStoppedError, PermanentError, ProviderWaitError, RetryLaterError } from '../operations/item-errors.js';

export type FailureKind =
  | 'retryable'
  | 'permanent'
  | 'timeout'
  | 'rate-limited'
  | 'interrupted'
  | 'invalid-payload'
  | 'invalid-result'
  | 'resource-limit'
  | 'poison';

const MAX_MESSAGE = 2_000;
const MAX_STACK = 4_000;
/** A handler that says "later" is asked again within a day, whatever it says. */
const MAX_LATER_MS = 86_400_000;

/** What the same item runs into again, however often it is tried. */
const FINAL_CODES = new Set<ErrorCode>(['INVALID_INPUT', 'TOO_LARGE']);

/** Why an item failed, and whether trying again can help. */
export interface ItemFailure {
  kind: FailureKind;
  message: string;
  /** Set for "not now": tried again after this many milliseconds without counting the attempt. */
  retryAfterMs?: number;
  /** The provider for whose sake it waits. */
  waitsFor?: string;
  /** What the handler threw. */
  thrown?: unknown;
}

/** The handler only did as its signal told it: what it threw says nothing of the item. */
export function isObedience({ thrown }: ItemFailure): boolean {
  try {
    if (thrown instanceof BatchStoppedError) return true;
    return typeof thrown === 'object' && thrown !== null && 'name' in thrown && thrown.name === 'AbortError';
  } catch {
    return false;
  }
}

export function isFinal(failure: ItemFailure): boolean {
  return failure.kind !== 'retryable' && failure.kind !== 'timeout' && failure.kind !== 'rate-limited';
}

/** Handlers throw anything: strings, null, frozen errors, proxies whose getters throw. It always comes out as one message. */
export function toFailure(thrown: unknown): ItemFailure {
  try {
    if (thrown instanceof RetryLaterError) {
      const retryAfterMs = Math.min(MAX_LATER_MS, Math.max(0, thrown.delayMs || 0));
      const waitsFor = thrown instanceof ProviderWaitError ? thrown.provider : undefined;
      return { kind: 'rate-limited', message: messageOf(thrown), retryAfterMs, waitsFor };
    }
    if (thrown instanceof PermanentError) return { kind: thrown.kind, message: messageOf(thrown), thrown };
    const permanent = thrown instanceof AppError && FINAL_CODES.has(thrown.code);
    return { kind: permanent ? 'permanent' : 'retryable', message: messageOf(thrown), thrown };
  } catch {
    return { kind: 'retryable', message: 'the handler threw something that cannot be read' };
  }
}

/** Where in the code it was thrown. V8 writes the text when it is asked for: 10 to 40 microseconds. */
export function stackOf({ thrown }: ItemFailure): string | null {
  try {
    const stack: unknown = thrown instanceof Error ? thrown.stack : undefined;
    return typeof stack === 'string' ? toStorableText(stack.slice(0, MAX_STACK)) : null;
  } catch {
    return null;
  }
}

function messageOf(thrown: unknown): string {
  const message: unknown = thrown instanceof Error ? thrown.message || thrown.name : thrown;
  const text = typeof message === 'string' ? message : `the handler threw ${String(message)}`;
  return toStorableText(text.slice(0, MAX_MESSAGE)) || 'the handler threw an empty message';
}
