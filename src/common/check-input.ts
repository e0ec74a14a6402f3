import type { Type } from '@nestjs/common';
import { plainToInstance } from 'class-transformer';
import { type ValidationError, validateSync } from 'class-validator';
import { AppError, type FieldError } from './app-error.js';
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

const MAX_ERRORS = 100;
const MAX_IN_SENTENCE = 10;

/** A type error is told before a range error that follows from it ("timeout must be a number" before "not less than 1"). */
const RANK: FieldError['code'][] = ['unrecognized_keys', 'invalid_type', 'invalid_enum_value', 'too_small', 'too_big', 'custom'];

/**
 * Makes an instance of a class-validator class from a plain object.
 * @param at the path that stands before every field in the messages ("options", or empty)
 * @throws AppError INVALID_INPUT with one entry for each wrong field
 */
export function checkInput<T extends object>(type: Type<T>, plain: unknown, at = ''): T {
  if (typeof plain !== 'object' || plain === null || Array.isArray(plain)) {
    throw inputError([{ path: at || 'body', message: `${at || 'the body'} must be a JSON object`, code: 'invalid_type' }]);
  }
  const instance = toInstance(type, plain as Record<string, unknown>, at);
  const found = validateSync(instance, { whitelist: true, forbidNonWhitelisted: true, forbidUnknownValues: false });
  const errors = found.flatMap((error) => fieldErrors(error, at));
  errors.push(...unstorable(instance, at));
  if (errors.length > 0) throw inputError(errors);
  return instance;
}

/** Fields that are handed through are looked at where they are read. */
function unstorable(instance: object, at: string): FieldError[] {
  const opaque = opaqueFields(instance);
  const checked = Object.fromEntries(Object.entries(instance).filter(([field]) => !opaque.includes(field)));
  return unstorableTexts(checked, at).map((error) => ({ ...error, message: `${error.path} ${error.message}` }));
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
  if (inherited.length > 0) throw inputError(inherited);
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
    if (!isFree) return [{ path, message: `${path} is not a known field`, code: 'unrecognized_keys' }];
    (made as Record<string, unknown>)[name] = inner;
    return [];
  });
}

function refuseUnsafe(plain: object, at: string): void {
  const whole = at || 'body';
  if (isTooDeep(plain))
    throw inputError([{ path: whole, message: `${whole} may be nested ${MAX_JSON_DEPTH} levels deep at most`, code: 'too_big' }]);
  const key = unsafeKey(plain);
  const path = at ? `${at}.${key}` : `${key}`;
  if (key) throw inputError([{ path, message: `${path} is a forbidden key`, code: 'unrecognized_keys' }]);
}

/** The first hundred errors, and the first ten in the sentence: a body can have a hundred thousand. */
export function inputError(errors: FieldError[]): AppError {
  const sentences = errors.slice(0, MAX_IN_SENTENCE).map((error) => error.message);
  if (errors.length > sentences.length) sentences.push(`and ${errors.length - sentences.length} more`);
  return new AppError('INVALID_INPUT', sentences.join('; '), { details: { errors: errors.slice(0, MAX_ERRORS) } });
}

function fieldErrors(error: ValidationError, at: string): FieldError[] {
  const path = at ? `${at}.${error.property}` : error.property;
  const own = Object.entries(error.constraints ?? {})
    .map(([constraint, message]): FieldError => ({
      path,
      message: wording(constraint, message, path),
      code: CODES[constraint] ?? 'custom',
    }))
    .sort((a, b) => RANK.indexOf(a.code) - RANK.indexOf(b.code));
  return [...own.slice(0, 1), ...(error.children ?? []).flatMap((child) => fieldErrors(child, path))];
}

function wording(constraint: string, message: string, path: string): string {
  return constraint === 'whitelistValidation' ? `${path} is not a known field` : message;
}
