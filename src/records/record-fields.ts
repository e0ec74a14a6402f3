import { MAX_JSON_DEPTH } from '../common/json-scan.js';
import { isStorable } from '../common/safe-json.js';
import { isReservedName } from './record-filter.js';

export type Fields = Record<string, unknown>;

const MAX_FIELDS = 1_000;
const MAX_KEY = 512;
/** Names in the path of a problem. */
const MAX_NAMES = 10;

/** What is wrong with a JSON value that should become a record's fields; undefined when nothing is. */
export function problemOfFields(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'a row must be a JSON object';
  if (Object.keys(value).length > MAX_FIELDS) return `a row may have at most ${MAX_FIELDS} fields`;
  const found = problemOfValue(value, 0);
  if (!found) return undefined;
  const path = found.path.slice(0, MAX_NAMES).join('.');
  return path ? `${path}: ${found.message}` : found.message;
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

interface FieldProblem {
  path: string[];
  message: string;
}

function problemOfValue(value: unknown, depth: number): FieldProblem | undefined {
  if (typeof value === 'string')
    return isStorable(value) ? undefined : wrong('a text has NUL or broken characters, which cannot be stored');
  if (typeof value !== 'object' || value === null) return undefined;
  if (depth >= MAX_JSON_DEPTH) return wrong(`a row may be nested at most ${MAX_JSON_DEPTH} deep`);
  for (const [name, inner] of Object.entries(value)) {
    if (isReservedName(name)) return wrong(`${name} cannot be the name of a field`);
    const found = isStorable(name) ? problemOfValue(inner, depth + 1) : wrong('the name of a field has NUL or broken characters');
    if (found) return { path: [name, ...found.path], message: found.message };
  }
  return undefined;
}

function wrong(message: string): FieldProblem {
  return { path: [], message };
}
