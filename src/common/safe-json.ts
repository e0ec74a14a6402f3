import type { FieldError } from './app-error.js';
import { MAX_JSON_DEPTH } from './json-scan.js';
import { toJson } from './json-value.js';

/** Whether a JSON value is nested too deep: what walks through it by recursion would overflow the stack. */
export function isTooDeep(value: unknown, levels = MAX_JSON_DEPTH): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isTooDeep(inner, levels - 1));
}

/** Keys that reach an object's prototype when somebody merges what a client sent. */
const UNSAFE = new Set(['__proto__', 'constructor', 'prototype']);
const MAY_BE_UNSAFE = /__proto__|constructor|prototype|\\u/;

/**
 * Finds a key that could reach a prototype, at any depth.
 * @param text the value's JSON text when it is at hand: most values are cleared by one look at it
 * @returns the dotted path of the first such key, or undefined
 */
export function unsafeKey(value: unknown, text?: string): string | undefined {
  if (text !== undefined && !MAY_BE_UNSAFE.test(text)) return undefined;
  return find(value, '');
}

function find(value: unknown, at: string): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  for (const key of Object.keys(value)) {
    const path = at ? `${at}.${key}` : key;
    if (UNSAFE.has(key)) return path;
    const inner = find((value as Record<string, unknown>)[key], path);
    if (inner) return inner;
  }
  return undefined;
}

/** What PostgreSQL does not store as text, in the words of every message. */
export const UNSTORABLE_TEXT = 'has a NUL character or half of a surrogate pair, which cannot be stored; leave it out';

/** Whether PostgreSQL stores a text: it has no NUL and no half of a surrogate pair. U+FFFF and other noncharacters are stored. */
export function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

/** Text that PostgreSQL stores: what it does not becomes U+FFFD. */
export function toStorableText(text: string): string {
  return isStorable(text) ? text : text.toWellFormed().replaceAll('\0', '\uFFFD');
}

/** The texts in a value, its keys among them, that cannot be stored. @param at the path of the value */
export function unstorableTexts(value: unknown, at: string): FieldError[] {
  if (typeof value === 'string') return isStorable(value) ? [] : [unstorable(at)];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const path = at ? `${at}.${name}` : name;
    return isStorable(name) ? unstorableTexts(inner, path) : [unstorable(path)];
  });
}

function unstorable(path: string): FieldError {
  return { path, message: UNSTORABLE_TEXT, code: 'custom' };
}

/** Of surrogates, JSON escapes only halves of pairs. */
const SUSPECT = /\\u(?:0000|d[89a-f])/;
const ESCAPE = /\\(?:u[0-9a-f]{4}|.)/g;
const UNSTORABLE_ESCAPE = /^\\u(?:0000|d[89a-f]..)$/;

/**
 * A value as JSON text that PostgreSQL takes as json and as jsonb: characters that it does not store become U+FFFD.
 * @param at the name of the value
 * @throws AppError INVALID_INPUT that names a field of which JSON would lose something
 */
export function toStorableJson(value: unknown, at: string): string | undefined {
  const text = toJson(value, at);
  if (text === undefined || !SUSPECT.test(text)) return text;
  return text.replace(ESCAPE, (escape) => (UNSTORABLE_ESCAPE.test(escape) ? '\uFFFD' : escape));
}
