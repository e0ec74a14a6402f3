import { AppError, errorOf, fieldError, invalidField } from '../common/app-error.js';
import { charsetOf, declaresNoHeader, isTabSeparated, rowsOfType, whyNoRows } from '../common/media-types.js';
import { toCharset } from '../common/text/charset.js';
import { peek } from '../common/text/peek.js';
import type { FileStore } from './file-store.js';
import { compressionOf, findFormat, FORMAT_BYTES, type FoundFormat } from './parse/find-format.js';
import type { ParsedRow } from './parse/line.js';
import { parseRows, type RowFormat, type RowOptions } from './parse/parse-rows.js';

/** How the rows of a body are to be read. */
export interface StreamRows extends RowOptions {
  /** What the sender calls the body; its parameters are settings too. */
  contentType?: string;
  /** Default: what the content type or the bytes tell. */
  format?: RowFormat;
}

/** Bytes that tell whether something is compressed. */
const MARK_BYTES = 4;

/**
 * The rows of a body, which comes only once: CSV, which is read twice, lies on the disk meanwhile.
 * @throws AppError UNSUPPORTED_TYPE for what is no rows; INVALID_INPUT for an empty body, and for settings that contradict the content type
 */
export async function* readStreamRows(files: FileStore, source: AsyncIterable<Buffer>, input: StreamRows): AsyncGenerator<ParsedRow[]> {
  const { contentType, format, ...given } = input;
  const options = withParameters(given, contentType ?? '');
  const told = contentType === undefined ? 'any' : rowsOfType(contentType);
  if (!told) throw new AppError('UNSUPPORTED_TYPE', whyNoRows(contentType ?? ''));
  if (format && told !== 'any' && told !== format)
    throw invalidField('format', `is ${format}, but the content type says ${told}; say one of them`);
  const sure = format ?? (told === 'any' || told === 'csv' ? undefined : told);
  const { head, all, close } = await peek(source, sure ? MARK_BYTES : FORMAT_BYTES);
  try {
    const found: FoundFormat = sure ? { format: sure } : await findFormat(head, told);
    assertRows(head, found);
    if (found.warning) yield [{ warning: found.warning }];
    if (found.format === 'csv') yield* spooledRows(files, all, options);
    else yield* parseRows(() => all, found.format, options);
  } finally {
    await close();
  }
}

function assertRows(head: Buffer, found: FoundFormat): asserts found is Extract<FoundFormat, { format: RowFormat }> {
  if (head.length === 0) throw invalidField('source', 'the body is empty; send the rows in it');
  const compression = compressionOf(head);
  if (compression) throw notRead(`are compressed (${compression}); send what is in them, or gzip with content-encoding: gzip`);
  if ('other' in found) throw notRead(`are ${found.other}; send NDJSON, a JSON array or CSV, and say which with format`);
}

async function* spooledRows(files: FileStore, source: AsyncIterable<Buffer>, options: RowOptions): AsyncGenerator<ParsedRow[]> {
  const spooled = await files.spool(source);
  try {
    yield* parseRows(spooled.read, 'csv', options);
  } finally {
    await spooled.remove();
  }
}

function notRead(why: string): AppError {
  return errorOf('UNSUPPORTED_TYPE', [fieldError('source', `the bytes ${why}`)]);
}

/** The settings, and those that are parameters of the content type: charset and header (RFC 4180). */
function withParameters(options: RowOptions, contentType: string): RowOptions {
  const { charset, header } = options;
  const declared = charsetOf(contentType);
  if (charset !== undefined && declared !== undefined && toCharset(charset) !== toCharset(declared)) {
    throw invalidField('charset', `is ${charset}, but the content type says ${declared}; say one of them`);
  }
  const noHeader = declaresNoHeader(contentType) ? ('none' as const) : undefined;
  if (noHeader && typeof header === 'number')
    throw invalidField('header', `is ${header}, but the content type says header=absent; say one of them`);
  const expectedDelimiter = isTabSeparated({ contentType }) ? '\t' : undefined;
  return { ...options, charset: charset ?? declared, header: header ?? noHeader, expectedDelimiter };
}
