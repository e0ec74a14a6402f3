import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import {
  APICallError,
  generateText,
  InvalidResponseDataError,
  type LanguageModel,
  NoObjectGeneratedError,
  NoOutputGeneratedError,
  Output,
} from 'ai';
import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { ProviderFailure } from '../../breakers/provider-failure.js';
import { PermanentError, RetryLaterError } from '../../operations/item-handler.js';
import { boundedFetch } from './bounded-fetch.js';

export interface EndpointSettings {
  baseUrl: string;
  apiKey: string | undefined;
  model: string;
}

export interface Question<Schema extends z.ZodObject> {
  system: string;
  prompt: string;
  /** What the answer must be. */
  schema: Schema;
}

export interface EndpointCall {
  /** The same for every try of one piece of work. */
  idempotencyKey: string;
  signal: AbortSignal;
}

/** How long to wait when a provider says "too many" and not how long. */
const DEFAULT_WAIT_MS = 5_000;
const MIN_WAIT_MS = 1_000;
const MAX_WAIT_MS = 3_600_000;
/** 4xx answers that say nothing against the request itself. */
const REQUEST_TIMEOUT = 408;
const TOO_MANY = 429;
const UNAVAILABLE = 503;

// The package would print its warnings to the console.
globalThis.AI_SDK_LOG_WARNINGS = false;

/** An OpenAI-compatible endpoint that answers in JSON of a given schema (`response_format: json_schema`). */
export class AiEndpoint {
  private readonly model: LanguageModel;

  constructor({ baseUrl, apiKey, model }: EndpointSettings) {
    const provider = createOpenAICompatible({
      name: 'provider',
      baseURL: baseUrl,
      apiKey,
      supportsStructuredOutputs: true,
      fetch: boundedFetch,
    });
    this.model = provider(model);
  }

  /**
   * One request; whoever calls tries again.
   * @throws RetryLaterError ("too many requests") | PermanentError (the request itself was refused) | ProviderFailure (anything else), and
   * the signal's reason when that was no time limit. None of them holds what the provider wrote: it may repeat the key.
   */
  async ask<Schema extends z.ZodObject>({ system, prompt, schema }: Question<Schema>, call: EndpointCall): Promise<z.infer<Schema>> {
    try {
      const { output } = await generateText({
        model: this.model,
        system,
        prompt,
        output: Output.object({ schema, name: 'findings' }),
        maxRetries: 0,
        abortSignal: call.signal,
        // Hashed: it holds the tenant's name, which is none of the provider's business.
        headers: { 'idempotency-key': createHash('sha256').update(call.idempotencyKey).digest('hex') },
      });
      return output as z.infer<Schema>;
    } catch (error) {
      throw toItemError(error, call.signal);
    }
  }
}

function toItemError(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) {
    const reason: unknown = signal.reason;
    const late = reason instanceof DOMException && reason.name === 'TimeoutError';
    return late ? new ProviderFailure('the AI provider did not answer within the time limit') : reason;
  }
  if (NOT_WHAT_WAS_ASKED.some((kind) => kind.isInstance(error))) return new ProviderFailure(GARBAGE);
  if (!APICallError.isInstance(error) || error.statusCode === undefined) return new ProviderFailure('the AI provider cannot be reached');
  return toStatusError(error.statusCode, error.responseHeaders?.['retry-after']);
}

const NOT_WHAT_WAS_ASKED = [NoObjectGeneratedError, NoOutputGeneratedError, InvalidResponseDataError];
const GARBAGE = 'the AI provider answered something else than the findings that were asked for';

function toStatusError(status: number, retryAfter: string | undefined): Error {
  if (status < 400) return new ProviderFailure(GARBAGE);
  if (status === TOO_MANY || (status === UNAVAILABLE && retryAfter !== undefined)) {
    return new RetryLaterError(`the AI provider is busy (HTTP ${status})`, waitMs(retryAfter));
  }
  if (status >= 400 && status < 500 && status !== REQUEST_TIMEOUT) {
    const hint = status === 401 || status === 403 ? '; check AI_API_KEY' : '';
    return new PermanentError(`the AI provider refused the request (HTTP ${status})${hint}`);
  }
  return new ProviderFailure(`the AI provider failed (HTTP ${status})`);
}

/** Of a Retry-After header: seconds, or the time until a date. */
function waitMs(retryAfter: string | undefined): number {
  if (retryAfter === undefined) return DEFAULT_WAIT_MS;
  const seconds = Number(retryAfter);
  const wait = Number.isNaN(seconds) ? Date.parse(retryAfter) - Date.now() : seconds * 1_000;
  return Number.isNaN(wait) ? DEFAULT_WAIT_MS : Math.min(MAX_WAIT_MS, Math.max(MIN_WAIT_MS, wait));
}
