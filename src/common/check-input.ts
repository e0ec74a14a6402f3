import type { Type } from '@nestjs/common';
import { plainToInstance } from 'class-transformer';
import { type ValidationError, validateSync } from 'class-validator';
import { errorOf, fieldError, type FieldError } from './app-error.js';
import { nullableFields } from './nullable.js';
import { opaqueFields } from './opaque.js';
import { MAX_JSON_DEPTH } from './json-scan.js';
import { isTooDeep, unsafeKey, unstorableTexts } from './safe-json.js';

/** class-validator's constraint names, as the Zod-style codes of the documents' error body. Others are `custom`. */
const CODES: Record<string, FieldError['code']> = {
  isString: 'invalid_type',
  isInt: 'invalid_type',
  isNumber: 'invalid_type',
  isBoolean: 'invalid_type',
  isArray: 'invalid_type',
  isObject: 'invalid_type',
  isDefined: 'invalid_type',
  isEnum: 'invalid_enum_value',
  isIn: 'invalid_enum_value',
  min: 'too_small',
  minLength: 'too_small',
  arrayMinSize: 'too_small',
  isNotEmpty: 'too_small',
  max: 'too_big',
  maxLength: 'too_big',
  arrayMaxSize: 'too_big',
  whitelistValidation: 'unrecognized_keys',
};

/** A type error is told before a range error that follows from it ("timeout must be a number" before "not less than 1"). */
const RANK: FieldError['code'][] = ['unrecognized_keys', 'invalid_type', 'invalid_enum_value', 'too_small', 'too_big', 'custom'];

/**
 * Makes an instance of a class-validator class from a plain object.
 * @param at the path that stands before every field in the messages ("options", or empty)
 * @throws AppError INVALID_INPUT with one entry for each wrong field
 */
export function checkInput<T extends object>(type: Type<T>, plain: unknown, at = ''): T {
  if (typeof plain !== 'object' || plain === null || Array.isArray(plain)) {
    throw errorOf('INVALID_INPUT', [saying(at || 'body', 'must be a JSON object', 'invalid_type')]);
  }
  const instance = toInstance(type, plain as Record<string, unknown>, at);
  const found = validateSync(instance, { whitelist: true, forbidNonWhitelisted: true, forbidUnknownValues: false });
  const errors = [...found.flatMap((error) => fieldErrors(error, at)), ...unstorable(instance, at)];
  if (errors.length > 0) throw errorOf('INVALID_INPUT', errors);
  return instance;
}

/** Fields that are handed through are looked at where they are read. */
function unstorable(instance: object, at: string): FieldError[] {
  const opaque = opaqueFields(instance);
  const checked = Object.fromEntries(Object.entries(instance).filter(([field]) => !opaque.includes(field)));
  return unstorableTexts(checked, at).map((error) => saying(error.path, error.message, error.code));
}

/** A field that is null is as if it were not given, unless null means something there. */
function toInstance<T extends object>(type: Type<T>, plain: Record<string, unknown>, at: string): T {
  const opaque = opaqueFields(type.prototype as object);
  const untouched = Object.fromEntries(opaque.map((field) => [field, plain[field] ?? undefined]));
  const nullable = nullableFields(type.prototype as object);
  const isGiven = ([field, value]: [string, unknown]): boolean => !opaque.includes(field) && (value !== null || nullable.includes(field));
  const copied = Object.fromEntries(Object.entries(plain).filter(isGiven));
  refuseUnsafe(copied, at);
  const instance = plainToInstance(type, copied, { exposeUnsetFields: false });
  const inherited = inheritedNames(copied, instance, at);
  if (inherited.length > 0) throw errorOf('INVALID_INPUT', inherited);
  return Object.assign(instance, untouched);
}

/**
 * class-transformer leaves out names that every object inherits, such as toString. Within free JSON they are data, and put back; of a class
 * they are no fields.
 */
function inheritedNames(plain: unknown, made: unknown, at: string): FieldError[] {
  if (typeof plain !== 'object' || plain === null || typeof made !== 'object' || made === null) return [];
  const isFree = Array.isArray(made) || Object.getPrototypeOf(made) === Object.prototype;
  return Object.entries(plain).flatMap(([name, inner]) => {
    const path = at ? `${at}.${name}` : name;
    if (!(name in Object.prototype)) return inheritedNames(inner, (made as Record<string, unknown>)[name], path);
    if (!isFree) return [saying(path, 'is not a known field', 'unrecognized_keys')];
    (made as Record<string, unknown>)[name] = inner;
    return [];
  });
}

function refuseUnsafe(plain: object, at: string): void {
  const whole = at || 'body';
  if (isTooDeep(plain)) throw errorOf('INVALID_INPUT', [saying(whole, `may be nested ${MAX_JSON_DEPTH} levels deep at most`, 'too_big')]);
  const key = unsafeKey(plain);
  const path = at ? `${at}.${key}` : `${key}`;
  if (key) throw errorOf('INVALID_INPUT', [saying(path, 'is a forbidden key', 'unrecognized_keys')]);
}

/** What is said of a field in one breath: "name must be a string". */
function saying(path: string, predicate: string, code: FieldError['code']): FieldError {
  return { path, message: `${path} ${predicate}`, code };
}

function fieldErrors(error: ValidationError, at: string): FieldError[] {
  const path = at ? `${at}.${error.property}` : error.property;
  const own = Object.entries(error.constraints ?? {})
    .map(([constraint, message]) => worded(constraint, message, error.property, path))
    .sort((a, b) => RANK.indexOf(a.code) - RANK.indexOf(b.code));
  return [...own.slice(0, 1), ...(error.children ?? []).flatMap((child) => fieldErrors(child, path))];
}

/** Where class-validator's sentences name the property; in an error they begin with the whole path. */
const BEGINNINGS = ['', 'nested property ', 'each value in ', 'each value in nested property '];

function worded(constraint: string, message: string, property: string, path: string): FieldError {
  const code = CODES[constraint] ?? 'custom';
  if (constraint === 'whitelistValidation') return saying(path, 'is not a known field', code);
  const beginning = BEGINNINGS.find((each) => message.startsWith(`${each}${property} `));
  if (beginning === undefined) return fieldError(path, message, code);
  const rest = message.slice(beginning.length + property.length + 1);
  return beginning.startsWith('each') ? fieldError(path, `each value ${rest}`, code) : saying(path, rest, code);
}
