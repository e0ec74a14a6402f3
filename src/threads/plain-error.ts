import { AppError, type ErrorCode, type ErrorDetails } from '../common/app-error.js';
import { BatchStoppedError, InvalidResultError, PermanentError, ResourceLimitError, RetryLaterError } from '../operations/item-errors.js';

/** An error on its way from one thread to another: a copy of the error itself would lose its class and all but name, message and stack. */
export interface PlainError {
  name: string;
  message: string;
  stack?: string;
  /** Of RetryLaterError. */
  delayMs?: number;
  /** Of AppError, and of the operating system's errors. */
  code?: string;
  syscall?: string;
  details?: ErrorDetails;
}

/** Those that decide what becomes of an item; one that extends them counts as they do. */
const DECIDING = [ResourceLimitError, InvalidResultError, PermanentError, RetryLaterError, BatchStoppedError, AppError];

/** Handlers throw anything; whatever it is, it comes out as text. */
export function toPlainError(thrown: unknown): PlainError {
  try {
    if (typeof thrown !== 'object' || thrown === null || !('message' in thrown)) return { name: 'Error', message: String(thrown) };
    const { name, message, stack, delayMs, code, syscall, details } = thrown as Partial<Record<keyof PlainError, unknown>>;
    const deciding = DECIDING.find((type) => thrown instanceof type);
    const plain: PlainError = { name: deciding?.name ?? String(name), message: String(message) };
    if (typeof stack === 'string') plain.stack = stack;
    if (typeof delayMs === 'number') plain.delayMs = delayMs;
    if (typeof code === 'string') plain.code = code;
    if (typeof syscall === 'string') plain.syscall = syscall;
    if (deciding === AppError) plain.details = structuredClone(details as ErrorDetails);
    return plain;
  } catch {
    return { name: 'Error', message: 'the handler threw something that cannot be read' };
  }
}

/** The error again, of the class that decides what becomes of an item. */
export function fromPlainError(plain: PlainError): Error {
  const error = restore(plain);
  if (plain.stack !== undefined) Object.defineProperty(error, 'stack', { value: plain.stack, configurable: true, writable: true });
  return error;
}

function restore({ name, message, delayMs, code, syscall, details }: PlainError): Error {
  switch (name) {
    case 'PermanentError':
      return new PermanentError(message);
    case 'ResourceLimitError':
      return new ResourceLimitError(message);
    case 'InvalidResultError':
      return new InvalidResultError(message);
    case 'RetryLaterError':
      return new RetryLaterError(message, delayMs ?? 0);
    case 'BatchStoppedError':
      return new BatchStoppedError();
    case 'TimeoutError':
      return new DOMException(message, 'TimeoutError');
    case 'AppError':
      return new AppError(code as ErrorCode, message, { details });
    default:
      return Object.assign(new Error(message), { name }, code !== undefined && { code }, syscall !== undefined && { syscall });
  }
}
