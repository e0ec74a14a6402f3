import type { Type } from '@nestjs/common';
import { plainToInstance } from 'class-transformer';
import { type ValidationError, validateSync } from 'class-validator';
import { AppError, type FieldError } from './app-error.js';
import { nullableFields } from './nullable.js';
import { opaqueFields } from './opaque.js';
import { isTooDeep, unsafeKey } from './safe-json.js';

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
    throw inputError([{ path: at || 'body', message: `${at || 'the body'} must be a JSON object`, code: 'invalid_type' }]);
  }
  const instance = toInstance(type, plain as Record<string, unknown>, at);
  const found = validateSync(instance, { whitelist: true, forbidNonWhitelisted: true, forbidUnknownValues: false });
  const errors = [...found.flatMap((error) => fieldErrors(error, at)), ...nulCharacters(instance, at)];
  if (errors.length > 0) throw inputError(errors);
  return instance;
}

/** PostgreSQL text holds every character but this one. */
function nulCharacters(instance: object, at: string): FieldError[] {
  return Object.entries(instance)
    .filter(([, value]) => typeof value === 'string' && value.includes('\0'))
    .map(([field]) => {
      const path = at ? `${at}.${field}` : field;
      return { path, message: `${path} must not hold a NUL character`, code: 'custom' };
    });
}

/** A field that is null is as if it were not given, unless null means something there. */
function toInstance<T extends object>(type: Type<T>, plain: Record<string, unknown>, at: string): T {
  const opaque = opaqueFields(type.prototype as object);
  const untouched = Object.fromEntries(opaque.map((field) => [field, plain[field] ?? undefined]));
  const nullable = nullableFields(type.prototype as object);
  const isGiven = ([field, value]: [string, unknown]): boolean => !opaque.includes(field) && (value !== null || nullable.includes(field));
  const copied = Object.fromEntries(Object.entries(plain).filter(isGiven));
  refuseUnsafe(copied, at);
  return Object.assign(plainToInstance(type, copied, { exposeUnsetFields: false }), untouched);
}

function refuseUnsafe(plain: object, at: string): void {
  const whole = at || 'body';
  if (isTooDeep(plain)) throw inputError([{ path: whole, message: `${whole} may be nested 100 levels deep at most`, code: 'too_big' }]);
  const key = unsafeKey(plain);
  const path = at ? `${at}.${key}` : `${key}`;
  if (key) throw inputError([{ path, message: `${path} is a forbidden key`, code: 'unrecognized_keys' }]);
}

export function inputError(errors: FieldError[]): AppError {
  return new AppError('INVALID_INPUT', errors.map((error) => error.message).join('; '), { details: { errors } });
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
