const MAX_DEPTH = 100;

/**
 * Whether a JSON value is nested more than 100 levels deep: what walks through it by recursion would overflow the stack.
 * @param text the value's JSON text when it is at hand: each level takes two brackets, so that a short one is cleared by its length
 */
export function isTooDeep(value: unknown, text?: string): boolean {
  return (text === undefined || text.length > 2 * MAX_DEPTH) && isDeeper(value, MAX_DEPTH);
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => isDeeper(inner, levels - 1));
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

const UNSTORABLE = /\\u(?:0000|[dD][89a-fA-F][0-9a-fA-F]{2})/;

/** JSON text that PostgreSQL takes as json and as jsonb: NUL and lone surrogates, which jsonb refuses, become U+FFFD. */
export function toStorableJson(value: unknown): string | undefined {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined || !UNSTORABLE.test(text)) return text;
  return JSON.stringify(clean(value));
}

/** Text that PostgreSQL accepts. */
export function toStorableText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\uFFFD');
}

function clean(value: unknown): unknown {
  if (typeof value === 'string') return toStorableText(value);
  if (Array.isArray(value)) return value.map(clean);
  if (typeof value !== 'object' || value === null) return value;
  const plain = (value as { toJSON?: () => unknown }).toJSON?.() ?? value;
  if (typeof plain !== 'object' || plain === null) return clean(plain);
  return Object.fromEntries(Object.entries(plain).map(([key, inner]) => [toStorableText(key), clean(inner)]));
}
