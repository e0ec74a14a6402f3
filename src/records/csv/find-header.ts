import type { CsvRow } from './cut-rows.js';
import { hasTypedCells, isEmptyRow, looksLikeNames } from './row-looks.js';
import type { SampleTable } from './find-syntax.js';

/** A line above the table, and what it was taken for. */
export interface LineAbove {
  line: number;
  text: string;
  kind: 'comment' | 'title' | 'empty';
}

export interface FoundHeader {
  /** The row that names the columns; undefined for a text without rows. */
  header?: CsvRow;
  above: LineAbove[];
}

/** A header is looked for in so many rows. */
const MAX_ABOVE = 30;

/**
 * Finds the row that names a table's columns: the first one that is no comment, no title and no note. A line that no delimiter parts is
 * taken for a title when a wider table follows. Other lines with few cells are, when a full row of names follows that typed cells follow.
 */
export function findHeader({ rows, width }: SampleTable): FoundHeader {
  const candidates = rows.filter((row) => !row.isComment);
  const above: LineAbove[] = [];
  for (const [at, row] of candidates.entries()) {
    const kind = at < MAX_ABOVE ? kindAbove(candidates, at, width) : undefined;
    if (!kind) return { header: row, above };
    above.push({ line: row.line, text: row.cells.filter((cell) => cell !== '').join(' '), kind });
  }
  return { above };
}

function kindAbove(rows: CsvRow[], at: number, width: number): LineAbove['kind'] | undefined {
  const { cells, problem } = rows[at]!;
  if (isEmptyRow(rows[at]!)) return 'empty';
  const below = rows.slice(at + 1).filter((row) => !isEmptyRow(row));
  if (problem || below.length === 0) return undefined;
  const filled = cells.filter((cell) => cell.trim() !== '').length;
  if (cells[0]!.startsWith('#') && (cells.length < width || isCommentAbove(cells[0]!, below))) return 'comment';
  if (width < 2) return undefined;
  if (cells.length === 1) return below.some((row) => row.cells.length >= width) ? 'title' : undefined;
  const isSparse = filled <= width / 2;
  return (cells.length < width || isSparse) && hasHeaderBelow(below, filled, width) ? 'title' : undefined;
}

/** Whether a line that begins with # and has as many cells as a row is a comment. The header may begin with # too. */
function isCommentAbove(text: string, below: CsvRow[]): boolean {
  return looksLikeNames(below[0]!) && (/^#[#\s]/.test(text) || typedRowsFollow(below, 0));
}

/** Whether a fuller row of names follows, and below that rows with numbers, dates or the like. */
function hasHeaderBelow(below: CsvRow[], filled: number, width: number): boolean {
  const at = below.findIndex(
    ({ cells }) => cells.length >= width && cells.filter((cell) => cell.trim() !== '').length > Math.max(filled, width / 2),
  );
  if (at === -1 || at > MAX_ABOVE || !looksLikeNames(below[at]!)) return false;
  return typedRowsFollow(below, at);
}

/** Whether at least half of the rows behind one have numbers or dates. */
function typedRowsFollow(rows: CsvRow[], at: number): boolean {
  const next = rows.slice(at + 1, at + 21);
  return next.length > 0 && 2 * next.filter(hasTypedCells).length >= next.length;
}
