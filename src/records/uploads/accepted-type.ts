import type { AppError } from '../../common/app-error.js';
import { refusedFile } from './refused-file.js';

export type AcceptedType = 'pdf' | 'workbook' | 'csv';

const TYPES = new Map<string, { type: AcceptedType; mediaType: string }>([
  ['.pdf', { type: 'pdf', mediaType: 'application/pdf' }],
  ['.xlsx', { type: 'workbook', mediaType: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet' }],
  ['.xlsm', { type: 'workbook', mediaType: 'application/vnd.ms-excel.sheet.macroEnabled.12' }],
  ['.xltx', { type: 'workbook', mediaType: 'application/vnd.openxmlformats-officedocument.spreadsheetml.template' }],
  ['.xltm', { type: 'workbook', mediaType: 'application/vnd.ms-excel.template.macroEnabled.12' }],
  ['.csv', { type: 'csv', mediaType: 'text/csv' }],
]);

const REMEDY = new Map([
  ['.xls', 'this is the format of Excel before 2007: save it as .xlsx'],
  ['.xlsb', 'save it as .xlsx'],
  ['.ods', 'save it as .xlsx'],
  ['.xlam', 'this is an add-in: save the workbook that you mean as .xlsx'],
  ['.numbers', 'export it as .xlsx'],
  ['.zip', 'send the files in it one by one'],
  ['.txt', 'if it is a table, save it as .csv'],
]);

/** The type that a file's name claims. @throws AppError UNSUPPORTED_TYPE */
export function acceptedTypeOf(name: string, at: string): { type: AcceptedType; mediaType: string } {
  const ending = /\.[^.]*$/.exec(name)?.[0].toLowerCase() ?? '';
  const found = TYPES.get(ending);
  if (!found) throw wrongEnding(name, ending, at);
  return found;
}

function wrongEnding(name: string, ending: string, at: string): AppError {
  const remedy = REMEDY.get(ending) ?? 'leave it out, or save it as one of these';
  return refusedFile('UNSUPPORTED_TYPE', at, `${name} is not a PDF, Excel (.xlsx, .xlsm) or CSV file; ${remedy}`);
}
