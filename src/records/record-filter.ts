import { type FieldError, invalidField } from '../common/app-error.js';
import { isStorable, UNSTORABLE_TEXT } from '../common/safe-json.js';

const MAX_CONDITIONS = 50;
const MAX_DEPTH = 5;
const MAX_LIST = 100;
const MAX_TEXT = 10_000;

export type Scalar = string | number | boolean | null;

/** One condition on the field at `path`. All conditions of a filter must hold. */
export type RecordCondition = { path: string[] } & (
  | { operator: 'eq' | 'ne' | 'contains'; value: Scalar }
  | { operator: 'gt' | 'gte' | 'lt' | 'lte'; value: string | number }
  | { operator: 'in'; value: Scalar[] }
  | { operator: 'exists'; value: boolean }
);

/** Names that mean something else than a field in JavaScript: never a field of a record, never part of a filter. */
const RESERVED = new Set(['__proto__', 'constructor', 'prototype']);

export function isReservedName(name: string): boolean {
  return RESERVED.has(name);
}

/**
 * Reads the filter language: `{ field: value }` is equality, `{ field: { operator: value } }` a comparison with
 * `eq ne gt gte lt lte in contains exists`; all must hold. `a.b` is field b inside field a, `a\.b` a field with a dot in its name.
 * @param at the path that stands before every field
 * @throws AppError INVALID_INPUT with the path of the wrong field
 */
export function parseRecordFilter(filter: unknown, at = 'filter'): RecordCondition[] {
  if (!isObject(filter)) throw invalidField(at, `must be an object such as {"status":"pending"}`, 'invalid_type');
  const conditions = Object.entries(filter).flatMap(([field, test]) => parseField(field, test, `${at}.${field}`));
  if (conditions.length > MAX_CONDITIONS)
    throw invalidField(at, `has ${conditions.length} conditions; give at most ${MAX_CONDITIONS}`, 'too_big');
  return conditions;
}

function parseField(field: string, test: unknown, at: string): RecordCondition[] {
  const path = parsePath(field, at);
  if (!isObject(test)) return [parseCondition(path, 'eq', test, at)];
  const entries = Object.entries(test);
  if (entries.length === 0) throw invalidField(at, `is an empty object; give a value or an operator such as {"gt":5}`);
  return entries.map(([operator, value]) => parseCondition(path, operator, value, `${at}.${operator}`));
}

function parsePath(field: string, at: string): string[] {
  const path = field.split(/(?<!\\)\./).map((part) => part.replaceAll('\\.', '.'));
  if (path.length > MAX_DEPTH) throw invalidField(at, `is nested deeper than ${MAX_DEPTH} fields`, 'too_big');
  if (path.includes('')) throw invalidField(at, `has an empty field name; write a\\.b for a field whose name has a dot`);
  if (field.length > 500) throw invalidField(at, 'a field name is longer than 500 characters', 'too_big');
  const reserved = path.find(isReservedName);
  if (reserved) throw invalidField(at, `${reserved} cannot be a field`, 'unrecognized_keys');
  refuseUnstorable(field, at);
  return path;
}

function parseCondition(path: string[], operator: string, value: unknown, at: string): RecordCondition {
  switch (operator) {
    case 'eq':
    case 'ne':
    case 'contains':
      return { path, operator, value: scalar(value, at) };
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte':
      return { path, operator, value: comparable(value, at) };
    case 'in':
      return { path, operator, value: list(value, at) };
    case 'exists':
      if (typeof value !== 'boolean') throw invalidField(at, `must be true or false`, 'invalid_type');
      return { path, operator, value };
    default:
      throw invalidField(at, unknownOperator(operator, at), 'unrecognized_keys');
  }
}

function unknownOperator(operator: string, at: string): string {
  if (isReservedName(operator)) return `${operator} cannot be a field`;
  const parent = at.slice(at.indexOf('.') + 1, -operator.length - 1);
  return `${operator} is not an operator (eq, ne, gt, gte, lt, lte, in, contains, exists); a nested field is written "${parent}.${operator}"`;
}

function scalar(value: unknown, at: string): Scalar {
  if (typeof value === 'string') {
    if (value.length > MAX_TEXT) throw invalidField(at, `is longer than ${MAX_TEXT} characters`, 'too_big');
    refuseUnstorable(value, at);
    return value;
  }
  if (value === null || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value))) return value;
  throw wrongType(at, `must be a string, number, boolean or null`);
}

function comparable(value: unknown, at: string): string | number {
  const checked = scalar(value, at);
  if (typeof checked === 'string' || typeof checked === 'number') return checked;
  throw wrongType(at, `must be a string or a number`);
}

function list(value: unknown, at: string): Scalar[] {
  if (!Array.isArray(value)) throw wrongType(at, `must be a list`);
  if (value.length === 0 || value.length > MAX_LIST)
    throw invalidField(at, `must have 1 to ${MAX_LIST} values`, value.length ? 'too_big' : 'too_small');
  return value.map((entry, index) => scalar(entry, `${at}.${index}`));
}

/** PostgreSQL stores no NUL and no half of a surrogate pair; such text can match nothing. */
function refuseUnstorable(text: string, at: string): void {
  if (!isStorable(text)) throw invalidField(at, UNSTORABLE_TEXT);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function wrongType(at: string, message: string): ReturnType<typeof invalidField> {
  return invalidField(at, message, 'invalid_type' satisfies FieldError['code']);
}
