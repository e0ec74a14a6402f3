import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { generateText, type LanguageModel, Output } from 'ai';
import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { assertWhole, toItemError } from './answer-errors.js';
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

// The package would print its warnings to the console.
globalThis.AI_SDK_LOG_WARNINGS = false;

/** An OpenAI-compatible endpoint that answers in JSON of a given schema (`response_format: json_schema`). */
export class AiEndpoint {
  private readonly model: LanguageModel;

  constructor(private readonly settings: EndpointSettings) {
    const { baseUrl, apiKey, model } = settings;
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
   * @throws RetryLaterError ("too many requests") | PermanentError (refused, cut off, or the quota is used up) | UnusableAnswer (no JSON,
   * or another shape) | ProviderFailure (anything else), and the signal's reason when that was no time limit. What they hold of the
   * provider's words is short and without the key.
   */
  async ask<Schema extends z.ZodObject>({ system, prompt, schema }: Question<Schema>, call: EndpointCall): Promise<z.infer<Schema>> {
    try {
      const answer = await generateText({
        model: this.model,
        system,
        prompt,
        output: Output.object({ schema, name: 'findings' }),
        maxRetries: 0,
        abortSignal: call.signal,
        // Hashed: it holds the tenant's name, which is none of the provider's business.
        headers: { 'idempotency-key': createHash('sha256').update(call.idempotencyKey).digest('hex') },
      });
      assertWhole(answer, this.settings);
      return answer.output as z.infer<Schema>;
    } catch (error) {
      throw toItemError(error, call.signal, this.settings);
    }
  }
}
