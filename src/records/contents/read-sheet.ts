import { type CellContext, type RawCell, readCell } from './read-cell.js';
import { readXml, type XmlAttributes } from './read-xml.js';
import { isTrue, TextGatherer } from './workbook-parts.js';
import type { Oddity } from './workbook-warnings.js';

export interface SheetCell {
  /** Counted from 1. */
  column: number;
  text: string;
}

export interface SheetRow {
  /** Counted from 1. */
  number: number;
  /** Those that hold something, from left to right. */
  cells: SheetCell[];
}

/** What is told of a sheet while it is read. */
export interface SheetListener {
  /** A row that holds something, in the order of the file. */
  row(row: SheetRow): void;
  note(oddity: Oddity, at: string, count?: number): void;
}

/** Sheets of worksheets, and others: charts and dialogs have no cells, macros are programs. */
const WITHOUT_CELLS = new Map([
  ['chartsheet', 'a chart'],
  ['dialogsheet', 'a dialog'],
  ['macrosheet', 'a sheet of macros'],
]);

/**
 * Reads a sheet's rows and cells.
 * @returns what it is instead when it is no sheet of cells: "a chart"
 * @throws Error when it is broken
 */
export async function readSheet(xml: AsyncIterable<string>, context: CellContext, listener: SheetListener): Promise<string | undefined> {
  const reading = new SheetReading(context, listener);
  await readXml(xml, reading);
  return WITHOUT_CELLS.get(reading.root);
}

const MAX_COLUMNS = 16_384;

class SheetReading {
  root = '';
  private readonly gatherer = new TextGatherer();
  private row: SheetRow = { number: 0, cells: [] };
  private column = 0;
  private cell?: RawCell;
  private readonly note = (oddity: Oddity, at: string): void => this.listener.note(oddity, at);
  /** The part of a cell whose text comes: its value, formula or inline text. */
  private within = '';

  constructor(
    private readonly context: CellContext,
    private readonly listener: SheetListener,
  ) {}

  open(name: string, attributes: XmlAttributes, parent: string): void {
    if (parent === '') this.root = name;
    if (this.cell) this.openInCell(name, parent);
    else if (name === 'c' && parent === 'row') this.openCell(attributes);
    else if (name === 'row' && parent === 'sheetData') this.openRow(attributes);
    else if (name === 'mergeCell' && parent === 'mergeCells') this.listener.note('merged', attributes['ref']?.value ?? '');
    else if (name === 'col' && parent === 'cols') this.openColumns(attributes);
  }

  text(text: string): void {
    if (this.cell) this.gatherer.add(text);
  }

  close(name: string): void {
    if (name === 'c' && this.cell) this.closeCell(this.cell);
    else if (name === 'row') this.closeRow();
    else if (this.cell) this.closeInCell(this.cell, name);
  }

  private openColumns({ min, max, hidden }: XmlAttributes): void {
    const [first, last] = [columnNumber(min?.value), columnNumber(max?.value)];
    if (first && last && isTrue(hidden?.value)) this.listener.note('hiddenColumn', lettersOf(first), Math.max(1, last - first + 1));
  }

  private openRow({ r, hidden }: XmlAttributes): void {
    // Neither a row nor a cell need say where it is: then it stands behind the one before it.
    this.row = { number: rowNumber(r?.value) ?? this.row.number + 1, cells: [] };
    this.column = 0;
    if (isTrue(hidden?.value)) this.listener.note('hiddenRow', String(this.row.number));
  }

  private openCell({ r, t, s, vm }: XmlAttributes): void {
    const column = r?.value ? columnOf(r.value) : undefined;
    this.column = column ?? this.column + 1;
    if (this.column > MAX_COLUMNS) throw new Error(`a row has more than ${MAX_COLUMNS} cells`);
    const at = `${lettersOf(this.column)}${this.row.number}`;
    if (r?.value && !column) this.note('oddPlace', at);
    this.cell = { at, type: t?.value || 'n', style: s?.value || '0', isLinked: vm !== undefined };
  }

  private openInCell(name: string, parent: string): void {
    if (parent === 'c') {
      this.within = name;
      this.gatherer.start(name !== 'is');
    } else this.gatherer.open(name, parent);
  }

  private closeInCell(cell: RawCell, name: string): void {
    if (name !== this.within) return this.gatherer.close();
    this.within = '';
    const text = this.gatherer.end();
    if (name === 'f') cell.formula = text;
    else if (name === 'v' || name === 'is' || name === 't') cell.value = text;
  }

  private closeCell(cell: RawCell): void {
    this.cell = undefined;
    const text = readCell(cell, this.context, this.note);
    if (text === '') return;
    this.row.cells.push({ column: this.column, text });
    if (this.row.cells.length > MAX_COLUMNS) throw new Error(`a row has more than ${MAX_COLUMNS} cells`);
  }

  private closeRow(): void {
    this.row.cells = inOrder(this.row.cells);
    if (this.row.cells.length > 0) this.listener.row(this.row);
  }
}

/** Cells by their columns; of two at the same place the later one. */
export function inOrder(cells: SheetCell[]): SheetCell[] {
  if (cells.every(({ column }, index) => index === 0 || column > cells[index - 1]!.column)) return cells;
  return [...new Map(cells.map((cell) => [cell.column, cell])).values()].sort((a, b) => a.column - b.column);
}

function rowNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^[1-9]\d{0,6}$/.test(text) ? Number(text) : undefined;
}

function columnNumber(text: string | undefined): number | undefined {
  const number = text !== undefined && /^[1-9]\d{0,4}$/.test(text) ? Number(text) : undefined;
  return number === undefined ? undefined : Math.min(number, MAX_COLUMNS);
}

/** "AB" for 28. */
function lettersOf(column: number): string {
  const rest = (column - 1) % 26;
  return `${column > 26 ? lettersOf((column - 1 - rest) / 26) : ''}${String.fromCharCode(65 + rest)}`;
}

/** 28 for "AB7"; undefined for what names no cell. */
function columnOf(reference: string): number | undefined {
  const letters = /^\$?([A-Z]{1,3})\$?\d*$/i.exec(reference)?.[1];
  if (!letters) return undefined;
  return [...letters.toUpperCase()].reduce((column, letter) => 26 * column + letter.charCodeAt(0) - 64, 0);
}
