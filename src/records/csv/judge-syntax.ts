import { type CsvRow, type CsvSyntax, RowCutter } from './cut-rows.js';
import { looksLikeNumber } from './numbers.js';
import type { Sample } from './take-sample.js';

/** What parts cells, the usual first. */
export const DELIMITERS = [',', ';', '\t', '|'];
/** Rows of the beginning that are judged. */
const MAX_JUDGED = 500;
/** A single row that has more cells than those above it is hardly a table. */
const LONE_ROW = 0.3;
/** What stands above a table is parted by another delimiter: it is rather a row of that. */
const PARTED_ABOVE = 0.5;
/** Of many cells in each row, however odd they look. */
const LEAST_OF_WIDE = 0.3;

/** How a sample of a CSV reads with one syntax, and how likely it is the right one. */
export interface Judged {
  syntax: CsvSyntax;
  /** All rows of the sample, whatever is in them. */
  rows: CsvRow[];
  /** Cells that most of its rows have. */
  width: number;
  /** 0 to 1. */
  score: number;
  /** Cells in quotes, and cells that are filled with something else than a number. */
  quoted: number;
  words: number;
  /** Rows with quotes where none may be, or that cannot be read. */
  strays: number;
  /** The first row that counts is one cell. */
  beginsWhole: boolean;
}

export function judge({ text, isWhole, firstLine }: Sample, syntax: CsvSyntax): Judged {
  const cutter = new RowCutter(syntax, firstLine);
  const rows = [...cutter.cut(text), ...(isWhole ? cutter.end() : [])];
  const judged = rows.slice(0, MAX_JUDGED);
  const right = judged.filter((row) => !row.problem && !isNoRow(row));
  const width = usualWidth(right);
  const first = right.findIndex((row) => row.cells.length >= width);
  const table = right.slice(Math.max(0, first));
  const cells = judgeCells(table, syntax);
  const strays = judged.filter((row) => row.isStray ?? row.problem).length;
  const even = table.filter((row) => widthOf(row, width) === width && !row.isStray).length;
  const clean = cells.clean ** 2;
  const likeTable = width > 2 ? LEAST_OF_WIDE + (1 - LEAST_OF_WIDE) * clean : clean;
  const score = width < 2 ? 0 : (even / table.length) * likeTable * judgeAbove(right, Math.max(0, first));
  return { syntax, rows, width, score, ...cells, strays, beginsWhole: right[0]?.cells.length === 1 };
}

/** The less stands above a table, the likelier it is one. */
function judgeAbove(rows: CsvRow[], first: number): number {
  if (first === 0) return 1;
  if (first === rows.length - 1) return LONE_ROW;
  const isParted = rows.slice(0, first).some(({ cells }) => cells.length === 1 && DELIMITERS.some((other) => cells[0]!.includes(other)));
  return (1 - first / rows.length / 2) * (isParted ? PARTED_ABOVE : 1);
}

/** Comments and rows without a value say nothing of the syntax. */
function isNoRow({ cells, isComment }: CsvRow): boolean {
  return isComment === true || (cells.length === 1 && cells[0]!.startsWith('#')) || cells.every((cell) => cell.trim() === '');
}

/** How many cells look like one (a share), are in quotes, and are filled with something else than a number. */
function judgeCells(table: CsvRow[], syntax: CsvSyntax): Pick<Judged, 'quoted' | 'words'> & { clean: number } {
  let [all, clean, quoted, words] = [0, 0, 0, 0];
  for (const row of table) {
    row.cells.forEach((cell, at) => {
      const isQuoted = row.quoted?.[at] ?? false;
      all += 1;
      quoted += Number(isQuoted);
      words += Number(isQuoted || !(cell === '' || looksLikeNumber(cell)));
      clean += Number(isQuoted || isClean(cell, syntax));
    });
  }
  return { clean: all === 0 ? 0 : clean / all, quoted, words };
}

/** The number of cells above one that most rows have; of two the larger. */
function usualWidth(rows: CsvRow[]): number {
  const counts = new Map<number, number>();
  for (const { cells } of rows) if (cells.length > 1) counts.set(cells.length, (counts.get(cells.length) ?? 0) + 1);
  let [width, most] = [1, 0];
  for (const [cells, count] of counts) if (count > most || (count === most && cells > width)) [width, most] = [cells, count];
  return width;
}

/** Cells of a row; empty ones beyond the usual width do not count. */
function widthOf({ cells }: CsvRow, width: number): number {
  return cells.length > width && cells.slice(width).every((cell) => cell === '') ? width : cells.length;
}

/** Whether a cell looks like one: it holds no other delimiter, and does not begin in the middle of a sentence. */
function isClean(cell: string, { delimiter, quote }: CsvSyntax): boolean {
  if (cell === '' || looksLikeNumber(cell)) return true;
  if (delimiter === ',' && cell.startsWith(' ')) return false;
  return !DELIMITERS.some((other) => other !== delimiter && cell.includes(other)) && !(quote && cell.startsWith(quote));
}
