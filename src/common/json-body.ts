import { AppError, invalidField } from './app-error.js';
import { unsafeKey } from './safe-json.js';

const MAX_DEPTH = 20;

/**
 * A request's JSON body. An empty one is undefined: clients that always send the JSON content type hit that on `/cancel`.
 * @throws AppError INVALID_INPUT for bytes that are not UTF-8, text that is not JSON, more than 20 levels, and prototype keys
 */
export function parseJsonBody(bytes: Buffer): unknown {
  const text = decode(bytes);
  if (text.trim() === '') return undefined;
  const value = parse(text);
  const deep = tooDeepAt(value, '', 1);
  if (deep !== undefined) throw invalidField(deep, `JSON may be nested ${MAX_DEPTH} levels deep at most`, 'too_big');
  const unsafe = unsafeKey(value, text);
  if (unsafe !== undefined) throw invalidField(unsafe, 'this key is refused in JSON; rename it', 'unrecognized_keys');
  return value;
}

function decode(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new AppError('INVALID_INPUT', 'the body is not valid UTF-8; send JSON as UTF-8', { cause });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError('INVALID_INPUT', `the body is not valid JSON: ${(cause as Error).message}`, { cause });
  }
}

/** The path of the first value below the allowed depth. Goes no deeper than that, so it cannot overflow the stack. */
function tooDeepAt(value: unknown, at: string, depth: number): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth > MAX_DEPTH) return at;
  for (const [key, inner] of Object.entries(value)) {
    const found = tooDeepAt(inner, at ? `${at}.${key}` : key, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}
