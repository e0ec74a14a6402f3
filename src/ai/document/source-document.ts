/** A document as the analyzers take it. */
export interface SourceDocument {
  /** Its record's fields; empty for a stored file without one. */
  fields: Record<string, unknown>;
  /** What its file says; empty for a record without one. */
  fileText: string;
  /** Fields and file together, as lines; at most {@link MAX_TEXT} characters. */
  text: string;
  /** True when it was longer. */
  truncated: boolean;
  /** What of its file was not read, or not surely. */
  warnings: string[];
}

/** Characters of a document that are read. */
export const MAX_TEXT = 100_000;
const MAX_DEPTH = 5;
const MAX_ENTRIES = 1_000;
/** A longer text is a paragraph of its own, not the value of a field. */
const MAX_VALUE = 200;

type Fields = Record<string, unknown>;

/**
 * @param cut whether the file's text was cut already
 * @param warnings of whoever read the file
 */
export function toSourceDocument(fields: Fields, fileText: string, cut = false, warnings: string[] = []): SourceDocument {
  const lines: string[] = [];
  addFields(fields, lines, 0);
  const text = [lines.join('\n'), fileText].filter(Boolean).join('\n\n').toWellFormed();
  return { fields, fileText, text: text.slice(0, MAX_TEXT).toWellFormed(), truncated: cut || text.length > MAX_TEXT, warnings };
}

/** "name: value" for each field, a row for each object of a list. */
function addFields(fields: Fields, lines: string[], depth: number): void {
  for (const [name, value] of Object.entries(fields)) {
    if (lines.length >= MAX_ENTRIES) return;
    if (value === null || value === undefined || value === '') continue;
    if (isTable(value)) addTable(name, value, lines);
    else if (Array.isArray(value)) lines.push(`${name}: ${value.map(toText).join(', ')}`);
    else if (typeof value !== 'object') addValue(name, toText(value), lines);
    else if (depth < MAX_DEPTH) addFields(value as Fields, lines, depth + 1);
  }
}

function addValue(name: string, text: string, lines: string[]): void {
  if (text.length > MAX_VALUE || text.includes('\n')) lines.push('', text, '');
  else lines.push(`${name}: ${text}`);
}

function isTable(value: unknown): value is Fields[] {
  return Array.isArray(value) && value.length > 0 && value.every((row) => typeof row === 'object' && row !== null && !Array.isArray(row));
}

function addTable(name: string, rows: Fields[], lines: string[]): void {
  const columns = [...new Set(rows.slice(0, MAX_ENTRIES).flatMap((row) => Object.keys(row)))];
  lines.push('', name, row(columns));
  for (const fields of rows.slice(0, MAX_ENTRIES)) lines.push(row(columns.map((column) => fields[column])));
  lines.push('');
}

function row(cells: unknown[]): string {
  return `| ${cells.map((cell) => toText(cell).replace(/[\n|]/g, ' ')).join(' | ')} |`;
}

function toText(value: unknown): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
