/** What a media type says of rows: their format, or that it is to be found from the bytes. */
export type TypedRows = 'ndjson' | 'json' | 'csv' | 'any';

/** Types of bodies that may be rows. Programs differ in what they call CSV, and Windows calls it Excel. */
const ROW_TYPES = new Map<string, TypedRows>([
  ['application/x-ndjson', 'ndjson'],
  ['application/ndjson', 'ndjson'],
  ['application/jsonl', 'ndjson'],
  ['application/x-jsonl', 'ndjson'],
  ['application/jsonlines', 'ndjson'],
  ['application/x-jsonlines', 'ndjson'],
  ['application/json', 'json'],
  ['text/csv', 'csv'],
  ['text/x-csv', 'csv'],
  ['application/csv', 'csv'],
  ['application/x-csv', 'csv'],
  ['text/comma-separated-values', 'csv'],
  ['text/tab-separated-values', 'csv'],
  ['text/tsv', 'csv'],
  ['application/vnd.ms-excel', 'csv'],
  ['text/plain', 'any'],
  ['application/octet-stream', 'any'],
]);

/** Types that are sent where rows are wanted, and what to do instead. */
const NO_ROW_TYPES = new Map([
  ['application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', 'a workbook is no list of rows: save its sheet as CSV'],
  ['application/x-www-form-urlencoded', 'say what the body is: curl sends this type when no content type is given'],
  ['application/gzip', 'name the type of what is compressed, and content-encoding: gzip'],
  ['application/x-gzip', 'name the type of what is compressed, and content-encoding: gzip'],
  ['application/zip', 'send the files in it one by one'],
  ['application/xml', 'XML is not read: send NDJSON or CSV'],
  ['text/xml', 'XML is not read: send NDJSON or CSV'],
  ['text/html', 'HTML is not read: send NDJSON or CSV'],
  ['application/pdf', 'a PDF has no rows; POST /api/batch/upload reads its text'],
]);

/** Bodies of these types reach a route as a stream; the route says what it does with them. Those of JSON are read before it. */
export const STREAMED_TYPES = [...ROW_TYPES.keys(), ...NO_ROW_TYPES.keys()].filter((type) => type !== 'application/json');

/** A content type without its parameters, in lower case. */
function bareType(contentType: string): string {
  return contentType.split(';', 1)[0]!.trim().toLowerCase();
}

/** @returns undefined for a type that is none of rows */
export function rowsOfType(contentType: string): TypedRows | undefined {
  return ROW_TYPES.get(bareType(contentType));
}

const ENDINGS = new Map<string, TypedRows>([
  ['ndjson', 'ndjson'],
  ['jsonl', 'ndjson'],
  ['json', 'json'],
  ['csv', 'csv'],
  ['tsv', 'csv'],
  ['tab', 'csv'],
]);

/** What the end of a file's name says of rows. */
export function rowsOfName(name: string): TypedRows | undefined {
  return ENDINGS.get(name.slice(name.lastIndexOf('.') + 1).toLowerCase());
}

/** Why a body of this type is not read as rows, and what to do. */
export function whyNoRows(contentType: string): string {
  const type = bareType(contentType);
  const other = type.startsWith('multipart/') ? 'store a file with POST /api/files and import its fileId' : NO_ROW_TYPES.get(type);
  const why = other ?? 'send application/x-ndjson, text/csv or application/json';
  return `${contentType || 'a body without a content type'} is no format of rows; ${why}`;
}

/** Whether a type or a name says that tabs part the cells. */
export function isTabSeparated({ contentType = '', name = '' }: { contentType?: string; name?: string }): boolean {
  return /^text\/(?:tab-separated-values|tsv)$/.test(bareType(contentType)) || /\.(?:tsv|tab)$/i.test(name);
}

/** The charset that a content type declares. */
export function charsetOf(contentType: string): string | undefined {
  return /;\s*charset\s*=\s*(?:"([^"]*)"|([^\s;]+))/i
    .exec(contentType)
    ?.slice(1)
    .find((found) => found !== undefined);
}

/** Whether a content type says that no row names the columns (RFC 4180). */
export function declaresNoHeader(contentType: string): boolean {
  return /;\s*header\s*=\s*"?absent\b/i.test(contentType);
}
