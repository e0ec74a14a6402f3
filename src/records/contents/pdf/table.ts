import { type Cell, oneCell, partsOf, textOfCell } from './cells.js';

/** The cells of a line, and where it stands. */
export interface Row {
  cells: Cell[];
  baseline: number;
  size: number;
}

interface Span {
  left: number;
  right: number;
}

/** One line with gaps is no table. */
const MIN_ROWS = 2;
/** A longer table is read as several. */
const MAX_ROWS = 500;
/** Rows of a table follow each other within so many font sizes. */
const MAX_LEADING = 4;
/** A cell belongs to a column that it misses by no more than this share of the font size: headings are not aligned as what is below. */
const NEAR = 3;
const MAX_COLUMNS = 60;
/** A table has something in so many of its cells; what is scattered over a page has not. */
const MIN_FILLED = 0.35;

/**
 * Finds rows whose cells stand in the same columns from a line on.
 * @returns for each of these rows the texts of its cells, empty where it has none; fewer than two rows: no table begins here
 */
export function tableAt(rows: Row[], from: number): string[][] {
  const table = new Table();
  let length = 0;
  for (let at = from; at < Math.min(rows.length, from + MAX_ROWS); at += 1) {
    const row = rows[at]!;
    const above = rows[at - 1];
    if (at > from && row.baseline - above!.baseline > MAX_LEADING * Math.max(row.size, above!.size)) break;
    if (!table.add(row)) break;
    // A single cell at the end is a line of its own, between rows it goes on in its column.
    if (row.cells.length > 1) length = table.rows.length;
  }
  return table.texts(length);
}

class Table {
  readonly rows: Row[] = [];
  private columns: Span[] = [];

  /** @returns false when the row's cells do not stand in columns of their own */
  add(row: Row): boolean {
    if (this.rows.length === 0 && row.cells.length < 2) return false;
    return this.tryAdd(row) || this.tryAdd({ ...row, cells: row.cells.flatMap((cell) => this.parted(cell)) });
  }

  texts(length: number): string[][] {
    const rows = this.rows.slice(0, length);
    const columns = this.columns.filter((column) => rows.some(({ cells }) => cells.some((cell) => isIn(cell, column))));
    const filled = rows.reduce((sum, { cells }) => sum + cells.length, 0);
    if (rows.filter(({ cells }) => cells.length > 1).length < MIN_ROWS || filled < MIN_FILLED * rows.length * columns.length) return [];
    return rows.map(({ cells }) =>
      columns.map((column) => {
        const cell = cells.find((cell) => isIn(cell, column));
        return cell ? textOfCell(cell) : '';
      }),
    );
  }

  private tryAdd(row: Row): boolean {
    const columns = this.columns.map((column) => ({ ...column }));
    const taken = new Set<Span>();
    for (const cell of row.cells) {
      const column = columnFor(cell, columns, this.rows.length === 0 ? 0 : NEAR * row.size);
      if (column === 'none' || (column && taken.has(column))) return false;
      taken.add(column ? widened(column, cell) : inserted(columns, cell));
    }
    if (columns.length > MAX_COLUMNS || columns.some((column, index) => index > 0 && column.left < columns[index - 1]!.right)) return false;
    this.columns = columns;
    this.rows.push(row);
    return true;
  }

  /** A cell that lies over several columns, parted between them where it can be. */
  private parted(cell: Cell): Cell[] {
    if (this.columns.filter((column) => overlap(cell, column)).length < 2) return [cell];
    const groups = new Map<Span | undefined, Cell[]>();
    for (const part of partsOf(cell)) {
      const column = this.columns.find((column) => overlap(part, column));
      groups.set(column, [...(groups.get(column) ?? []), part]);
    }
    return [...groups.values()].map(oneCell);
  }
}

/** @returns undefined for a cell that stands beside all columns; 'none' for one that stands in two */
function columnFor(cell: Cell, columns: Span[], near: number): Span | undefined | 'none' {
  const over = columns.filter((column) => overlap(cell, column));
  if (over.length > 1) return 'none';
  if (over.length === 1) return over[0];
  const away = (column: Span): number => Math.max(column.left - cell.right, cell.left - column.right);
  return columns.filter((column) => away(column) < near).sort((a, b) => away(a) - away(b))[0];
}

function widened(column: Span, cell: Cell): Span {
  column.left = Math.min(column.left, cell.left);
  column.right = Math.max(column.right, cell.right);
  return column;
}

function inserted(columns: Span[], { left, right }: Cell): Span {
  const column = { left, right };
  const at = columns.findIndex((other) => other.left > left);
  columns.splice(at === -1 ? columns.length : at, 0, column);
  return column;
}

function overlap(a: Span, b: Span): boolean {
  return a.left < b.right && a.right > b.left;
}

function isIn(cell: Cell, column: Span): boolean {
  return cell.left >= column.left && cell.right <= column.right;
}
