import { types } from 'node:util';
import { type FieldError, invalidField } from './app-error.js';
import { MAX_JSON_DEPTH } from './json-scan.js';

/** Names in the path of an error. */
const MAX_NAMES = 10;

/**
 * A value as JSON text; undefined for undefined. Whatever JSON would lose or change without a word is refused: numbers that are none,
 * BigInts, Maps, promises, functions, undefined within a list. A field that is undefined is left out.
 * @param at the name of the value, which stands before the path in the message
 * @throws AppError INVALID_INPUT that names the field
 */
export function toJson(value: unknown, at: string): string | undefined {
  const problem = problemOfJson(value, at);
  if (problem) throw invalidField(problem.path, problem.message, problem.code);
  return JSON.stringify(value);
}

/** What JSON would lose of a value, or change in it; undefined when it is nothing. It costs a quarter of what writing the JSON does. */
export function problemOfJson(value: unknown, at: string): FieldError | undefined {
  try {
    const found = find(value, []);
    if (!found) return undefined;
    const path = [at, ...found.path.slice(0, MAX_NAMES)].filter(Boolean).join('.');
    return { path, message: found.message, code: 'custom' };
  } catch (error) {
    return { path: at, message: `cannot be read: ${messageOf(error)}`, code: 'custom' };
  }
}

interface Problem {
  path: string[];
  message: string;
}

/** @param within the objects that hold the value */
function find(value: unknown, within: object[]): Problem | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return undefined;
    case 'number':
      return Number.isFinite(value) ? undefined : problem(`is ${value}, which is no JSON number; give null, or leave it out`);
    case 'object':
      return value === null ? undefined : findIn(value, within);
    case 'bigint':
      return problem(`is a BigInt, which JSON does not have; give it as text: "${value}"`);
    default:
      return problem(`is a ${typeof value}, which JSON does not have; leave it out`);
  }
}

function findIn(value: object, within: object[]): Problem | undefined {
  if (within.includes(value)) return problem('is circular: it holds itself');
  if (within.length >= MAX_JSON_DEPTH) return problem(`JSON may be nested ${MAX_JSON_DEPTH} levels deep at most`);
  within.push(value);
  const found = Array.isArray(value) ? findInList(value, within) : findInObject(value, within);
  within.pop();
  return found;
}

function findInList(values: unknown[], within: object[]): Problem | undefined {
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index];
    const found = value === undefined ? problem('is undefined within a list; give null') : find(value, within);
    if (found) return under(String(index), found);
  }
  return undefined;
}

function findInObject(value: object, within: object[]): Problem | undefined {
  if ('toJSON' in value && typeof value.toJSON === 'function') return findInItsJson(value as { toJSON(): unknown }, within);
  const names = Object.keys(value);
  if (!isPlain(value) && (names.length === 0 || types.isNativeError(value) || ArrayBuffer.isView(value))) {
    return problem(`is a ${value.constructor?.name || 'value'}, which JSON cannot hold; give a plain object, a list or text`);
  }
  for (const name of names) {
    const found = find((value as Record<string, unknown>)[name], within);
    if (found) return under(name, found);
  }
  return undefined;
}

/** A date, say, or whatever else tells by itself what it is in JSON. */
function findInItsJson(value: { toJSON(): unknown }, within: object[]): Problem | undefined {
  if (types.isDate(value)) return Number.isNaN(value.getTime()) ? problem('is an invalid date') : undefined;
  let json: unknown;
  try {
    json = value.toJSON();
  } catch (error) {
    return problem(`has a toJSON that fails: ${messageOf(error)}`);
  }
  return find(json, within);
}

/** Of the object prototype of any realm, or of none. */
function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null;
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function problem(message: string): Problem {
  return { path: [], message };
}

function under(name: string, { path, message }: Problem): Problem {
  return { path: [name, ...path], message };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
