import { inOrder, type SheetCell, type SheetRow } from './read-sheet.js';

/** Each join looks at all cells of its row, of which there may be 16,384. */
const MAX_JOINED = 10_000;
const MAX_GRID_CELL = 1_000;

/** Counts a sheet's rows, and keeps the first ones of them, also when the file has them in another order. */
export class SheetRows {
  rows = 0;
  /** The last column with a value, counted from 1. */
  columns = 0;
  /** Of all rows as text. */
  characters = 0;
  private readonly kept: SheetRow[] = [];
  private keptCharacters = 0;
  private last = 0;
  private joined = 0;

  /** @param maxCharacters of the rows that are kept; the first one is kept in any case */
  constructor(private readonly maxCharacters: number) {}

  /** @returns whether it stands where it should: after all that were added before it */
  add(row: SheetRow): boolean {
    const isInOrder = row.number > this.last;
    this.last = Math.max(this.last, row.number);
    this.columns = Math.max(this.columns, row.cells.at(-1)!.column);
    this.characters += lengthOf(row.cells);
    this.rows += 1;
    const last = this.kept.at(-1);
    if (!last || row.number > last.number) {
      if (!last || this.keptCharacters < this.maxCharacters) this.keep(row, this.kept.length);
    } else {
      this.insert(row);
    }
    return isInOrder;
  }

  /** Cells of the first row, from the first column on. */
  header(): string[] {
    return this.kept[0] ? inColumns(this.kept[0].cells) : [];
  }

  /** The kept rows as text: tabs between their columns, a line break after each. */
  text(): string {
    const pieces: string[] = [];
    let free = this.maxCharacters;
    const add = (text: string): void => {
      pieces.push(text.slice(0, free));
      free -= Math.min(free, text.length);
    };
    for (const { cells } of this.kept) {
      let column = 1;
      // A cell at a time: texts that are referred to often are long when they are put together.
      for (const cell of cells) {
        if (free === 0) break;
        add('\t'.repeat(cell.column - column));
        add(cell.text.includes('\t') ? cell.text.replaceAll('\t', ' ') : cell.text);
        column = cell.column;
      }
      add('\n');
    }
    return pieces.join('');
  }

  /** Cells of the rows whose text is told, each cut at some characters, and an empty row wherever the sheet has such between them. */
  grid(): string[][] {
    if (this.maxCharacters === 0) return [];
    return this.kept.flatMap(({ number, cells }, index) => {
      const texts = inColumns(cells).map((text) => text.slice(0, MAX_GRID_CELL));
      const before = this.kept[index - 1];
      return before && number > before.number + 1 ? [[], texts] : [texts];
    });
  }

  private insert(row: SheetRow): void {
    const index = this.indexOf(row.number);
    const same = this.kept[index]!;
    if (same.number === row.number) this.join(same, row.cells);
    else this.keep(row, index);
    while (this.kept.length > 1 && this.keptCharacters - lengthOf(this.kept.at(-1)!.cells) >= this.maxCharacters) {
      this.keptCharacters -= lengthOf(this.kept.pop()!.cells);
    }
  }

  /** Of the first kept row with this number or a later one. */
  private indexOf(number: number): number {
    let [low, high] = [0, this.kept.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.kept[middle]!.number < number) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private keep(row: SheetRow, index: number): void {
    this.kept.splice(index, 0, row);
    this.keptCharacters += lengthOf(row.cells);
  }

  /** Adds cells to a row that was there before. @throws Error when that happens more often than any mistake would make it */
  private join(row: SheetRow, cells: SheetCell[]): void {
    this.joined += 1;
    if (this.joined > MAX_JOINED) throw new Error(`more than ${MAX_JOINED} of its rows are there twice`);
    const before = lengthOf(row.cells);
    row.cells = inOrder([...row.cells, ...cells]);
    const added = lengthOf(row.cells) - before;
    this.keptCharacters += added;
    this.characters += added - lengthOf(cells);
    this.rows -= 1;
  }
}

/** Of a row as text: its cells, the tabs before them, and its line break. */
function lengthOf(cells: SheetCell[]): number {
  return cells.reduce((sum, { text }) => sum + text.length, cells.at(-1)!.column);
}

function inColumns(cells: SheetCell[]): string[] {
  const texts = new Array<string>(cells.at(-1)!.column).fill('');
  for (const { column, text } of cells) texts[column - 1] = text;
  return texts;
}
