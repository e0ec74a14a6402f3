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
  NO_SPACE: 507,
} as const;

export type ErrorCode = keyof typeof HTTP_STATUS;

/** One wrong field. */
export interface FieldError {
  /** Dotted down to array indexes: "items.3.key". */
  path: string;
  /** A sentence that begins with the path, or with the number of the line, and has it nowhere else. */
  message: string;
  /** Follows Zod's issue codes. */
  code: 'invalid_type' | 'invalid_enum_value' | 'too_small' | 'too_big' | 'unrecognized_keys' | 'custom';
}

export interface ErrorDetails {
  errors?: FieldError[];
  /** For each of them: lines, and paths of other fields, that its message names. An interface that calls them otherwise renames them too. */
  mentions?: string[][];
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

/** @param problem what is wrong with the field, without its path */
export function fieldError(path: string, problem: string, code: FieldError['code'] = 'custom'): FieldError {
  return { path, message: `${path}: ${problem}`, code };
}

const MAX_ERRORS = 100;
const MAX_IN_SENTENCE = 10;

/**
 * An error about some fields, which says what is wrong with each of them: the first hundred, and the first ten in its sentence, as a body can
 * have a hundred thousand. @param mentions see {@link ErrorDetails}
 */
export function errorOf(code: ErrorCode, errors: FieldError[], mentions?: string[][]): AppError {
  const sentences = errors.slice(0, MAX_IN_SENTENCE).map(({ message }) => message);
  if (errors.length > sentences.length) sentences.push(`and ${errors.length - sentences.length} more`);
  return new AppError(code, sentences.join('; '), { details: { errors: errors.slice(0, MAX_ERRORS), ...(mentions && { mentions }) } });
}

/** Bad input in one field. */
export function invalidField(path: string, problem: string, code: FieldError['code'] = 'custom'): AppError {
  return errorOf('INVALID_INPUT', [fieldError(path, problem, code)]);
}

/** Input that is right in its form and cannot be done. */
export function unprocessable(path: string, problem: string): AppError {
  return errorOf('UNPROCESSABLE', [fieldError(path, problem)]);
}

/** The same error in the words of an interface that calls fields otherwise. @param rename a path as that interface has it */
export function renameFields({ code, message, details, cause }: AppError, rename: (path: string) => string): AppError {
  const { errors, mentions = [], ...others } = details;
  const renamed = errors?.map((error, index) => renameField(error, mentions[index] ?? [], rename));
  const sentence = (errors ?? []).reduce((text, error, index) => text.replace(error.message, () => renamed![index]!.message), message);
  return new AppError(code, sentence, { details: { ...others, errors: renamed }, cause });
}

function renameField({ path, message, code }: FieldError, mentions: string[], rename: (path: string) => string): FieldError {
  const own = message.startsWith(path) ? rename(path) + message.slice(path.length) : message;
  return { path: rename(path), message: mentions.reduce((text, mention) => text.replaceAll(mention, rename(mention)), own), code };
}
