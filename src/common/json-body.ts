import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyRequest } from 'fastify';
import { AppError, invalidField } from './app-error.js';
import { jsonError, parseJson } from './json-text.js';
import { unsafeKey } from './safe-json.js';

interface RouteWithJson {
  jsonAsText?: boolean;
}

/** Hands a route its JSON body as text: it holds rows, of which each is read by itself. */
export const JsonAsText = (): MethodDecorator => RouteConfig({ jsonAsText: true } satisfies RouteWithJson);

/** A request's JSON body: a value, or its text where the route wants that. @throws AppError INVALID_INPUT */
export function readJsonBody(request: FastifyRequest, bytes: Buffer): unknown {
  const text = decode(bytes);
  return (request.routeOptions.config as RouteWithJson).jsonAsText ? text : parseJsonBody(text);
}

/**
 * The value of a JSON body. An empty one is undefined: clients that always send the JSON content type hit that on `/cancel`.
 * @throws AppError INVALID_INPUT for text that is not JSON, more than 100 levels, numbers that JavaScript would round, and prototype keys
 */
export function parseJsonBody(text: string): unknown {
  if (text.trim() === '') return undefined;
  const parsed = parseJson(text, 'the body is not valid JSON');
  if ('errors' in parsed) throw jsonError(parsed.errors);
  const unsafe = unsafeKey(parsed.value, text);
  if (unsafe !== undefined) throw invalidField(unsafe, 'this key is refused in JSON; rename it', 'unrecognized_keys');
  return parsed.value;
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new AppError('INVALID_INPUT', 'the body is not valid UTF-8; send JSON as UTF-8', { cause });
  }
}
