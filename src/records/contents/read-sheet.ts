import { readXml } from './read-xml.js';
import { isTrue, TextGatherer } from './workbook-parts.js';

/** What the cells of a workbook refer to. */
export interface CellContext {
  sharedStrings: string[];
  /** For each style, whether it shows a number as a date. */
  dateStyles: boolean[];
  /** Whether days are counted from 1904. */
  from1904: boolean;
}

export interface SheetRow {
  /** What its cells show, from left to right, without the empty ones. */
  texts: string[];
  /** The last column with a value, counted from 1. */
  lastColumn: number;
}

interface Cell {
  column: number;
  type: string;
  isDate: boolean;
}

const MAX_COLUMNS = 16_384;

/** Tells the rows of a sheet that have values, in their order. @throws Error when it is broken */
export async function readSheet(xml: AsyncIterable<string>, context: CellContext, onRow: (row: SheetRow) => void): Promise<void> {
  const gatherer = new TextGatherer();
  let row: SheetRow = { texts: [], lastColumn: 0 };
  let cell: Cell | undefined;
  let column = 0;

  const openRow = (): void => {
    row = { texts: [], lastColumn: 0 };
    column = 0;
  };
  const openCell = ({ r, t = 'n', s }: Record<string, string>): void => {
    // A cell need not say where it is: then it stands beside the one before it.
    column = r === undefined ? column + 1 : columnOf(r);
    if (column > MAX_COLUMNS) throw new Error(`a row has more than ${MAX_COLUMNS} cells`);
    cell = { column, type: t, isDate: s !== undefined && context.dateStyles[Number(s)] === true };
    gatherer.start();
  };
  const closeCell = ({ column: at, type, isDate }: Cell): void => {
    cell = undefined;
    const text = textOf(gatherer.text, type, isDate, context);
    if (text === '') return;
    row.texts.push(text);
    row.lastColumn = at;
  };

  await readXml(xml, {
    open: (name, attributes) => {
      if (name === 'c') openCell(attributes);
      else if (cell) gatherer.open(name);
      else if (name === 'row') openRow();
    },
    text: (text) => {
      if (cell) gatherer.add(text);
    },
    close: (name) => {
      if (name === 'c' && cell) closeCell(cell);
      else if (cell) gatherer.close(name);
      else if (name === 'row' && row.texts.length > 0) onRow(row);
    },
  });
}

/** 28 for "AB7". */
function columnOf(reference: string): number {
  const letters = /^[A-Z]{1,3}(?=\d*$)/.exec(reference)?.[0];
  if (!letters) throw new Error(`it has a cell named ${reference.slice(0, 20)}`);
  return [...letters].reduce((column, letter) => 26 * column + letter.charCodeAt(0) - 64, 0);
}

/** What a cell shows: a formula its stored result, formatted text its letters, a date its ISO form. */
function textOf(value: string, type: string, isDate: boolean, { sharedStrings, from1904 }: CellContext): string {
  switch (type) {
    case 's':
      return sharedStrings[Number(value)] ?? '';
    case 'b':
      return value === '' ? '' : String(isTrue(value));
    case 'n':
      return numberOf(value, isDate, from1904);
    default:
      return value;
  }
}

const DAYS_TO_1970 = 25_569;
const DAYS_TO_1904 = 1_462;

function numberOf(value: string, isDate: boolean, from1904: boolean): string {
  const number = Number(value);
  if (value.trim() === '' || Number.isNaN(number)) return '';
  if (!isDate) return String(number);
  const date = new Date(Math.round((number - DAYS_TO_1970 + (from1904 ? DAYS_TO_1904 : 0)) * 86_400_000));
  return Number.isNaN(date.getTime()) ? String(number) : date.toISOString().replace('T00:00:00.000Z', '');
}
