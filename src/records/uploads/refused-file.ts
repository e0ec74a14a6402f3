import { AppError, type ErrorCode, type FieldError } from '../../common/app-error.js';

/** Why a file of an upload is refused. @param at its place in the form: "file.0" */
export function refusedFile(code: ErrorCode, at: string, message: string, issue: FieldError['code'] = 'custom'): AppError {
  return new AppError(code, `${at}: ${message}`, { details: { errors: [{ path: at, message, code: issue }] } });
}
