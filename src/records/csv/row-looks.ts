import type { CsvRow } from './cut-rows.js';
import { looksLikeNumber } from './numbers.js';

const LOOKS_LIKE_DATE = /^\d{1,4}[./-]\d{1,2}[./-]\d{1,4}\b/;
const YEAR = /^(?:19|20)\d\d$/;
/** Ends a file on DOS. */
const END_OF_FILE = '\x1a';

/** Whether a row has nothing but delimiters and blanks. */
export function isEmptyRow({ cells, problem }: CsvRow): boolean {
  return problem === undefined && cells.every((cell) => cell.trim() === '' || cell === END_OF_FILE);
}

/** Whether a row can name columns: it has no dates, and no numbers but years. */
export function looksLikeNames({ cells, problem }: CsvRow): boolean {
  return (
    problem === undefined && cells.every((cell) => !isTyped(cell) || YEAR.test(cell.trim())) && cells.some((cell) => cell.trim() !== '')
  );
}

/** Whether a spreadsheet filled up a line of three or more cells with delimiters. */
export function isFirstCellOnly({ cells }: CsvRow): boolean {
  return cells.length > 2 && cells[0]!.trim() !== '' && cells.slice(1).every((cell) => cell.trim() === '');
}

export function hasTypedCells({ cells }: CsvRow): boolean {
  return cells.some(isTyped);
}

function isTyped(cell: string): boolean {
  return looksLikeNumber(cell) || LOOKS_LIKE_DATE.test(cell.trim());
}

const TOTAL = /^(?:(?:grand|sub)[ -]?)?total|^sum(?:me|ma)?\b|^(?:ins)?gesamt|^zusammen\b|^somme\b|^suma\b|^razem\b|^итого/i;
const NOTE = /^[*#(©]|^(?:source|quelle|fuente|note|notes|hinweis|generated|exported|report|page|end of)\b|:(?:\s|$)|\S\s+\S+\s+\S/i;

/** Whether a row sums up those above it. */
export function looksLikeTotal({ cells }: CsvRow): boolean {
  return TOTAL.test(cells.find((cell) => cell.trim() !== '')?.trim() ?? '');
}

/** Whether a line without delimiters is prose more than a value. */
export function looksLikeNote(row: CsvRow): boolean {
  return looksLikeTotal(row) || NOTE.test(row.cells[0]!.trim());
}
