import { type CellTypes, ColumnTypeFinder, type DecimalMarks, type FoundType } from './column-type.js';
import type { RaggedRows } from './csv.options.js';
import type { CsvRow } from './cut-rows.js';
import { LineNotes } from './line-notes.js';
import { isEmptyRow, isFirstCellOnly, looksLikeNote, looksLikeTotal } from './row-looks.js';

/** Columns that are read of a table. */
export const MAX_COLUMNS = 1_000;
/** Lines below a table that can be notes. */
const MAX_BELOW = 20;

/** What is known of a table before its rows are looked at. */
export interface TableShape {
  /** Cells of the header row, or else of most rows. */
  width: number;
  /** Cells that a row must have: up to the last one that the header names. */
  named: number;
  raggedRows: RaggedRows;
}

/** Whether a row counts, and how its cells fit the header: with fewer, with values beyond it, or with more than can be read. */
export type RowKind = 'empty' | 'comment' | 'wrong' | 'even' | 'short' | 'long' | 'wide';

/** A line that begins with # and that no delimiter parts is a comment, where others are parted. */
export function kindOf(row: CsvRow, { width, named }: TableShape): RowKind {
  const { cells } = row;
  if (row.problem !== undefined) return 'wrong';
  if (row.isComment || (width > 1 && cells.length === 1 && cells[0]!.startsWith('#'))) return 'comment';
  if (isEmptyRow(row)) return 'empty';
  if (cells.length < named) return 'short';
  if (cells.length <= width) return 'even';
  const last = cells.findLastIndex((cell) => cell.trim() !== '');
  return last < width ? 'even' : last < MAX_COLUMNS ? 'long' : 'wide';
}

/** Looks at all rows of a table, for what can only be said of all of them: the types of its columns, where it ends, what is odd in it. */
export class TableSurvey {
  rows = 0;
  /** The first line of what stands below the table. */
  end = Infinity;
  /** What stands below the table. */
  below: CsvRow[] = [];
  /** What is wrong with the first row that cannot be read. */
  problem?: string;
  /** The line of the last row, if that sums up the others. */
  total?: number;
  readonly notes = {
    empty: new LineNotes(),
    comment: new LineNotes(),
    wrong: new LineNotes(),
    short: new LineNotes(),
    long: new LineNotes(),
    wide: new LineNotes(),
    stray: new LineNotes(),
  };

  private readonly marks: DecimalMarks = { '.': false, ',': false };
  private readonly finders: ColumnTypeFinder[] = [];
  private hasGap = false;
  /** There are rows of one cell in the midst of the table: then one at its end is no note. */
  private hasSingles = false;

  constructor(private readonly shape: TableShape) {}

  /** @returns whether it is a row of the table, as far as it can be told now */
  add(row: CsvRow): boolean {
    const kind = kindOf(row, this.shape);
    this.hasGap ||= kind === 'empty' || row.isAfterGap === true;
    if (kind === 'empty' || kind === 'comment') {
      this.notes[kind].add(row.line);
      return false;
    }
    if (this.below.length < MAX_BELOW && this.mayStandBelow(row)) {
      this.below.push(row);
      return false;
    }
    this.takeBelow();
    this.take(row, kind);
    this.hasGap = false;
    return kind !== 'wrong';
  }

  /** No more rows come. */
  finish(): void {
    if (this.below.length > 0) this.end = this.below[0]!.line;
  }

  /** The type of the column at an index; empty for one that no row has. */
  typeOf(index: number, cells: CellTypes, delimiter: string): FoundType {
    return this.finders[index]?.find(cells, delimiter) ?? { type: 'empty', mark: '.' };
  }

  /** Columns that any row has. */
  get columns(): number {
    return this.finders.length;
  }

  private mayStandBelow(row: CsvRow): boolean {
    if (row.problem !== undefined || this.shape.width < 2) return false;
    const isApart = this.hasGap || this.below.length > 0;
    if (row.cells.length > 1) return isApart && (isFirstCellOnly(row) || looksLikeTotal(row));
    return isApart || (this.rows > 0 && !this.hasSingles && looksLikeNote(row));
  }

  /** Rows follow what seemed to stand below the table: so it is in it. */
  private takeBelow(): void {
    for (const row of this.below) this.take(row, kindOf(row, this.shape));
    this.below = [];
  }

  private take(row: CsvRow, kind: RowKind): void {
    if (kind !== 'even') this.notes[kind].add(row.line);
    if (row.isStray) this.notes.stray.add(row.line);
    if (row.problem !== undefined) this.problem ??= `line ${row.line}: ${row.problem}`;
    if (kind === 'wrong' || kind === 'wide' || (kind !== 'even' && this.shape.raggedRows !== 'pad')) return;
    this.rows += 1;
    this.hasSingles ||= row.cells.length === 1;
    this.total = looksLikeTotal(row) ? row.line : undefined;
    const { cells, quoted, line } = row;
    const columns = Math.min(cells.length, MAX_COLUMNS);
    while (this.finders.length < columns) this.finders.push(new ColumnTypeFinder(this.marks));
    for (let index = 0; index < columns; index += 1) this.finders[index]!.add(cells[index]!, quoted?.[index] ?? false, line);
  }
}
