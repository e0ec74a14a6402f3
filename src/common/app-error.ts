/** The closed set of error codes, and the HTTP status each one answers with. */
export const HTTP_STATUS = {
  INVALID_INPUT: 400,
  UNAUTHORIZED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  CONFLICT: 409,
  TOO_LARGE: 413,
  UNSUPPORTED_TYPE: 415,
  UNPROCESSABLE: 422,
  RATE_LIMITED: 429,
  INTERNAL: 500,
  UNAVAILABLE: 503,
} as const;

export type ErrorCode = keyof typeof HTTP_STATUS;

/** One wrong field. `path` is dotted down to array indexes ("items.3.key"); `code` follows Zod's issue codes. */
export interface FieldError {
  path: string;
  message: string;
  code: 'invalid_type' | 'invalid_enum_value' | 'too_small' | 'too_big' | 'unrecognized_keys' | 'custom';
}

export interface ErrorDetails {
  errors?: FieldError[];
  /** When it may be tried again; answered as the `Retry-After` header. */
  retryAfterMs?: number;
}

/**
 * Every expected failure. The message says what, which one and what to do:
 * "batch 3f2e is completed; only a paused batch can be resumed".
 */
export class AppError extends Error {
  readonly details: ErrorDetails;

  constructor(
    readonly code: ErrorCode,
    message: string,
    options: { details?: ErrorDetails; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.name = 'AppError';
    this.details = options.details ?? {};
  }
}

/** Bad input in one field. */
export function invalidField(path: string, message: string, code: FieldError['code'] = 'custom'): AppError {
  return new AppError('INVALID_INPUT', `${path}: ${message}`, { details: { errors: [{ path, message, code }] } });
}

/** Input that is right in its form and cannot be done. */
export function unprocessable(path: string, message: string): AppError {
  return new AppError('UNPROCESSABLE', `${path}: ${message}`, { details: { errors: [{ path, message, code: 'custom' }] } });
}
