import { type AppError, type ErrorCode, errorOf, type FieldError, fieldError } from '../../common/app-error.js';

/** Why a file of an upload is refused. @param at its place in the form: "file.0" */
export function refusedFile(code: ErrorCode, at: string, problem: string, issue: FieldError['code'] = 'custom'): AppError {
  return errorOf(code, [fieldError(at, problem, issue)]);
}
