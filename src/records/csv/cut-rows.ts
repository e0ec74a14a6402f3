import { Seeker } from './seeker.js';

/** A row of a CSV as it stands there, or what is wrong with it. */
export interface CsvRow {
  /** The line that it begins at, counted from 1. */
  line: number;
  cells: string[];
  /** For each cell whether it is in quotes; left out when none is. */
  quoted?: boolean[];
  /** A quote stands where none may, and is taken for text. */
  isStray?: boolean;
  isComment?: boolean;
  /** Empty lines stand before it. */
  isAfterGap?: boolean;
  /** What is wrong with it; then its cells are its text. */
  problem?: string;
}

/** How a CSV is written. */
export interface CsvSyntax {
  /** One character. */
  delimiter: string;
  /** One character; left out when quotes mean nothing. */
  quote?: string;
  /** Before a quote it makes that text, as doubling does. */
  escape?: '\\';
  /** A line that begins with it is no row. */
  comment?: string;
  /** A blank follows each delimiter. */
  hasBlanks?: boolean;
}

/** Longest row, in characters. A longer one is a mistake in the file, or an attack on the memory. */
export const MAX_ROW_CHARACTERS = 1_048_576;

const TOO_LONG = `longer than ${MAX_ROW_CHARACTERS} characters`;
const OPEN_QUOTE = 'a quote opens a cell and is never closed; close it, or double quotes that are text';

/** Cells of a row that was passed over. */
const NOTHING: CsvRow = { line: 0, cells: [] };

/**
 * Cuts text into rows and cells. Rows end with LF, CRLF or CR, whichever comes; empty lines are passed over. A quote opens a cell only at
 * its beginning, also after blanks; any other one is text, and so is one that text follows when it closes. A quote that is never closed
 * spoils the line that it stands in and no other.
 *
 * csv-parse has no quick way to tell which cells were in quotes (its option `cast` makes it 20 times slower), and ends at the first quote
 * that is never closed; this one is tested against it.
 */
export class RowCutter {
  private text = '';
  private at = 0;
  private line = 1;
  /** Inside a row that is too long, up to its end. */
  private isSkipping = false;
  private hasGap = false;
  private readonly lineFeeds = new Seeker('\n');
  private readonly returns = new Seeker('\r');
  private readonly delimiters: Seeker;
  private readonly quotes?: Seeker;

  /** @param firstLine lines before it are passed over, whatever they hold */
  constructor(
    private readonly syntax: CsvSyntax,
    private readonly firstLine = 1,
  ) {
    this.delimiters = new Seeker(syntax.delimiter);
    if (syntax.quote !== undefined) this.quotes = new Seeker(syntax.quote);
  }

  /** The rows that this piece of text completes. */
  cut(piece: string): CsvRow[] {
    this.text = this.text.slice(this.at) + piece;
    this.at = 0;
    for (const seeker of [this.lineFeeds, this.returns, this.delimiters, this.quotes]) seeker?.lookIn(this.text);
    return this.rows(false);
  }

  /** The row that no line end completes. */
  end(): CsvRow[] {
    return this.rows(true);
  }

  private rows(isLast: boolean): CsvRow[] {
    const rows: CsvRow[] = [];
    while (this.at < this.text.length) {
      const row = this.next(isLast);
      if (!row) break;
      if (row === NOTHING) continue;
      if (this.hasGap) row.isAfterGap = true;
      this.hasGap = false;
      rows.push(row);
    }
    if (!this.isSkipping && this.text.length - this.at > MAX_ROW_CHARACTERS) {
      this.isSkipping = true;
      rows.push({ line: this.line, cells: [], problem: TOO_LONG });
    }
    // A carriage return may be half of a line end.
    if (this.isSkipping) this.at = this.text.length - (this.text.endsWith('\r') ? 1 : 0);
    return rows;
  }

  /** @returns undefined when more text is needed */
  private next(isLast: boolean): CsvRow | undefined {
    const { at, line } = this;
    const end = this.lineEnd(at, isLast);
    if (end === undefined) return undefined;
    const isPassedOver = end === at || this.isSkipping || line < this.firstLine;
    this.hasGap ||= end === at;
    this.isSkipping = false;
    if (isPassedOver) return this.leave(end, NOTHING);
    if (this.syntax.comment !== undefined && this.text.startsWith(this.syntax.comment, at)) {
      return this.leave(end, { line, cells: [this.text.slice(at, end)], isComment: true });
    }
    if (end - at > MAX_ROW_CHARACTERS) return this.leave(end, { line, cells: [], problem: TOO_LONG });
    if (this.quotes && this.quotes.from(at) < end) return this.rowWithQuotes(isLast);
    const cells = this.text.slice(at, end).split(this.syntax.delimiter);
    return this.leave(end, {
      line,
      cells: this.syntax.hasBlanks ? cells.map((cell, index) => (index > 0 ? withoutBlank(cell) : cell)) : cells,
    });
  }

  private rowWithQuotes(isLast: boolean): CsvRow | undefined {
    const row: CsvRow & { quoted: boolean[] } = { line: this.line, cells: [], quoted: [] };
    for (let from = this.at; ;) {
      const cell = this.quotedCell(from, isLast);
      if (cell === 'unfinished') return undefined;
      if (cell === 'open') return this.openQuote(isLast);
      const isQuoted = typeof cell === 'object';
      const end = isQuoted ? cell.end : this.cellEnd(from, isLast);
      if (end === undefined) return undefined;
      if (cell === 'stray') row.isStray = true;
      row.quoted.push(isQuoted);
      row.cells.push(isQuoted ? cell.text : this.plainCell(from, end));
      if (this.text[end] !== this.syntax.delimiter) return this.leave(end, row);
      from = end + 1;
    }
  }

  private plainCell(from: number, end: number): string {
    const cell = this.text.slice(from, end);
    return this.syntax.hasBlanks && from > this.at ? withoutBlank(cell) : cell;
  }

  /** The quoted cell that begins here; undefined for one that does not begin with a quote, "stray" for one that text follows. */
  private quotedCell(from: number, isLast: boolean): { text: string; end: number } | 'unfinished' | 'open' | 'stray' | undefined {
    const { text } = this;
    const quote = this.syntax.quote!;
    const open = this.afterBlanks(from);
    if (text[open] !== quote) return undefined;
    const close = this.closingQuote(open, quote);
    if (close === -1) return isLast || text.length - this.at > MAX_ROW_CHARACTERS ? 'open' : 'unfinished';
    const end = this.afterBlanks(close + 1);
    const isAtEnd = end === text.length;
    if (!isLast && (isAtEnd || (text[end] === '\r' && end + 1 === text.length))) return 'unfinished';
    const inside = text.slice(open + 1, close);
    if (isAtEnd || text[end] === this.syntax.delimiter || text[end] === '\n' || text[end] === '\r') {
      return { text: this.unescaped(inside, quote), end };
    }
    return /[\n\r]/.test(inside) ? 'open' : 'stray';
  }

  /** A quote that is doubled or escaped is text. */
  private closingQuote(open: number, quote: string): number {
    const { text } = this;
    let close = text.indexOf(quote, open + 1);
    while (close !== -1) {
      if (this.isEscaped(close)) close = text.indexOf(quote, close + 1);
      else if (text[close + 1] === quote) close = text.indexOf(quote, close + 2);
      else break;
    }
    return close;
  }

  private isEscaped(at: number): boolean {
    if (this.syntax.escape === undefined) return false;
    let from = at;
    while (this.text[from - 1] === this.syntax.escape) from -= 1;
    return (at - from) % 2 === 1;
  }

  private unescaped(inside: string, quote: string): string {
    const text = inside.includes(quote) ? inside.replaceAll(quote + quote, quote) : inside;
    return this.syntax.escape !== undefined && text.includes(this.syntax.escape) ? text.replace(/\\(["'\\])/g, '$1') : text;
  }

  private openQuote(isLast: boolean): CsvRow | undefined {
    const end = this.lineEnd(this.at, isLast);
    if (end === undefined) return undefined;
    return this.leave(end, { line: this.line, cells: [this.text.slice(this.at, end)], problem: OPEN_QUOTE });
  }

  private afterBlanks(from: number): number {
    let at = from;
    while ((this.text[at] === ' ' || this.text[at] === '\t') && this.text[at] !== this.syntax.delimiter) at += 1;
    return at;
  }

  private cellEnd(from: number, isLast: boolean): number | undefined {
    const delimiter = this.delimiters.from(from);
    const lineEnd = this.lineEnd(from, isLast) ?? Infinity;
    const end = Math.min(delimiter, lineEnd);
    return end === Infinity ? undefined : end;
  }

  /** Where the line ends that this place is in; undefined when the text so far does not tell. */
  private lineEnd(from: number, isLast: boolean): number | undefined {
    const end = Math.min(this.lineFeeds.from(from), this.returns.from(from));
    if (end === Infinity) return isLast ? this.text.length : undefined;
    return this.text[end] === '\r' && end + 1 === this.text.length && !isLast ? undefined : end;
  }

  /** @param end the line end that completes the row */
  private leave(end: number, row: CsvRow): CsvRow {
    this.line += 1;
    for (let inner = this.lineEnd(this.at, true)!; inner < end; inner = this.lineEnd(this.afterLineEnd(inner), true)!) this.line += 1;
    this.at = this.afterLineEnd(end);
    return row;
  }

  private afterLineEnd(end: number): number {
    return end + (this.text[end] === '\r' && this.text[end + 1] === '\n' ? 2 : 1);
  }
}

function withoutBlank(cell: string): string {
  return cell.startsWith(' ') ? cell.slice(1) : cell;
}
