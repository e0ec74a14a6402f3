import { isReservedName } from './record-filter.js';

export type Fields = Record<string, unknown>;

const MAX_FIELDS = 1_000;
const MAX_DEPTH = 50;
const MAX_KEY = 512;
/** NUL and halves of surrogate pairs, which PostgreSQL does not store. Any surrogate is a suspect, and rare enough to look at twice. */
const SUSPECT = /[\0\ud800-\udfff]/;
const UNSTORABLE = /\0|\p{Surrogate}/u;

/** What is wrong with a value that should become a record's fields; undefined when nothing is. */
export function problemOfFields(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'a row must be a JSON object';
  if (Object.keys(value).length > MAX_FIELDS) return `a row may have at most ${MAX_FIELDS} fields`;
  return problemOfValue(value, 0);
}

/** What is wrong with a record's key; undefined when nothing is. */
export function problemOfKey(key: string): string | undefined {
  if (key === '') return 'a key must not be empty';
  if (key.length > MAX_KEY) return `a key may have at most ${MAX_KEY} characters`;
  return isStorable(key) ? undefined : 'a key must not have NUL or broken characters';
}

/** The row's own key: the text or number in its key field. */
export function keyOfRow(row: Fields, keyField: string): { key: string } | { problem: string } {
  const value = Object.hasOwn(row, keyField) ? row[keyField] : undefined;
  if (value === undefined || value === null) return { problem: `the key field ${keyField} is missing` };
  if (typeof value !== 'string' && typeof value !== 'number') return { problem: `the key field ${keyField} must be text or a number` };
  const problem = problemOfKey(String(value));
  return problem ? { problem: `${keyField}: ${problem}` } : { key: String(value) };
}

function problemOfValue(value: unknown, depth: number): string | undefined {
  if (typeof value === 'string') return isStorable(value) ? undefined : 'a text has NUL or broken characters, which cannot be stored';
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth >= MAX_DEPTH) return `a row may be nested at most ${MAX_DEPTH} deep`;
  for (const [name, inner] of Object.entries(value)) {
    if (isReservedName(name)) return `${name} cannot be the name of a field`;
    const problem = isStorable(name) ? problemOfValue(inner, depth + 1) : 'the name of a field has NUL or broken characters';
    if (problem) return problem;
  }
  return undefined;
}

function isStorable(text: string): boolean {
  return !SUSPECT.test(text) || !UNSTORABLE.test(text);
}
