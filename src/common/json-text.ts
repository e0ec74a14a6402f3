import { type AppError, errorOf, fieldError, type FieldError } from './app-error.js';
import { inexactNumbers, inexactSentence } from './exact-numbers.js';
import { JsonScan, MAX_JSON_DEPTH } from './json-scan.js';

/** A value, or what is wrong with its text. The path of what is wrong with all of it is empty. Inexact: only its numbers are wrong. */
export type ParsedJson = { value: unknown } | { errors: FieldError[]; isInexact?: boolean };

/** Names of a path that lead to what is nested too deep. */
const NAMES_SHOWN = 3;

/**
 * The one way in for JSON from outside: nothing that is nested too deep is parsed, and no number is rounded.
 * @param syntaxError how the sentence begins about text that is no JSON
 */
export function parseJson(text: string, syntaxError = 'not JSON'): ParsedJson {
  const deep = tooDeep(text);
  if (deep) return { errors: [deep] };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { errors: [{ path: '', message: `${syntaxError}: ${(error as Error).message}`, code: 'custom' }] };
  }
  const inexact = inexactNumbers(text);
  if (inexact.length === 0) return { value };
  const errors = inexact.map((number): FieldError => ({ path: number.path.join('.'), message: inexactSentence(number), code: 'custom' }));
  return { errors, isInexact: true };
}

/** What is wrong with text whose brackets are nested too deep. */
export function tooDeep(text: string): FieldError | undefined {
  if (!hasManyBrackets(text)) return undefined;
  const scan = new JsonScan(text);
  if (!scan.findTooDeep()) return undefined;
  const path = scan.path.slice(0, NAMES_SHOWN).join('.');
  return { path, message: `JSON may be nested ${MAX_JSON_DEPTH} levels deep at most`, code: 'too_big' };
}

/** Most text is cleared by counting its brackets, which takes a tenth of a walk through it. */
function hasManyBrackets(text: string): boolean {
  let left = MAX_JSON_DEPTH;
  for (const bracket of ['[', '{']) {
    for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1)) if ((left -= 1) < 0) return true;
  }
  return false;
}

/** The first errors in one sentence. */
export function sentenceOf(errors: FieldError[]): string {
  const sentences = errors.slice(0, 3).map(({ path, message }) => (path ? `${path}: ${message}` : message));
  return sentences.join('; ') + (errors.length > 3 ? `; and ${errors.length - 3} more` : '');
}

/** @param whole the name of the text, which stands before the path of each error */
export function jsonError(errors: FieldError[], whole = ''): AppError {
  const named = errors.map(({ path, message, code }): FieldError => {
    const full = [whole, path].filter(Boolean).join('.');
    return full ? fieldError(full, message, code) : { path: 'body', message, code };
  });
  return errorOf('INVALID_INPUT', named);
}
