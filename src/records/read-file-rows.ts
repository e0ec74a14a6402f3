import { invalidField } from '../common/app-error.js';
import { isTabSeparated, rowsOfName, rowsOfType } from '../common/media-types.js';
import type { FileStore } from './file-store.js';
import { compressionOf, findFormat, FORMAT_BYTES } from './parse/find-format.js';
import type { ParsedRow } from './parse/line.js';
import { parseRows, type RowFormat, type RowOptions } from './parse/parse-rows.js';

/** A stored file, and how its rows are to be read. */
export interface FileRows extends RowOptions {
  fileId: string;
  /** Default: what the file's media type, its name or its bytes tell. */
  format?: RowFormat;
}

/**
 * The rows of a stored file.
 * @throws AppError NOT_FOUND for an unknown file, INVALID_INPUT for one that is empty or whose format cannot be told
 */
export async function* readFileRows(files: FileStore, tenant: string, input: FileRows): AsyncGenerator<ParsedRow[]> {
  const { fileId, format, ...options } = input;
  const file = await files.find(tenant, fileId);
  const { name, mediaType } = file;
  if (file.size === '0') throw invalidField('fileId', `${name} is empty`);
  const byType = rowsOfType(mediaType);
  const told = byType === undefined || byType === 'any' ? (rowsOfName(name) ?? byType) : byType;
  if (!format && !told) throw invalidField('format', `the format of ${name} (${mediaType}) is unknown; say format ndjson, json or csv`);
  const head = await bytesOf(files.read(file, FORMAT_BYTES));
  const compression = compressionOf(head);
  if (compression) throw invalidField('fileId', `${name} is compressed (${compression}); store what is in it`);
  const found = format ? { format } : await findFormat(head, told!);
  if ('other' in found) throw invalidField('format', `${name} is ${found.other}; say format ndjson, json or csv if it has rows`);
  if (found.warning) yield [{ warning: found.warning }];
  const expectedDelimiter = isTabSeparated({ contentType: mediaType, name }) ? '\t' : undefined;
  yield* parseRows(() => files.read(file), found.format, { expectedDelimiter, ...options });
}

async function bytesOf(source: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of source) chunks.push(chunk);
  return Buffer.concat(chunks);
}
