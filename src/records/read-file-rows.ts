import { invalidField } from '../common/app-error.js';
import type { FileStore } from './file-store.js';
import type { CellTypes } from './parse/parse-csv.js';
import type { LargeNumbers } from './parse/large-numbers.js';
import type { ParsedRow } from './parse/line.js';
import { parseRows, type RowFormat, rowFormatOf } from './parse/parse-rows.js';

export interface FileRows {
  fileId: string;
  /** Default: what the file's media type or the end of its name tells. */
  format?: RowFormat;
  keyField?: string;
  cells?: CellTypes;
  largeNumbers?: LargeNumbers;
}

/**
 * The rows of a stored file.
 * @throws AppError NOT_FOUND for an unknown file, INVALID_INPUT for one whose format cannot be told
 */
export async function* readFileRows(files: FileStore, tenant: string, input: FileRows): AsyncGenerator<ParsedRow[]> {
  const file = await files.find(tenant, input.fileId);
  const format = input.format ?? rowFormatOf(file.mediaType, file.name);
  if (!format) throw invalidField('format', `the format of ${file.name} (${file.mediaType}) is unknown; say format ndjson, json or csv`);
  const { cells, keyField: textColumn, largeNumbers } = input;
  yield* parseRows(files.read(file), format, { cells, textColumn, largeNumbers });
}
