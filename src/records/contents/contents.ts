import { AppError } from '../../common/app-error.js';
import { toStorableText } from '../../common/safe-json.js';

export interface ReadOptions {
  /** Aborted: reading stops with the signal's reason. */
  signal?: AbortSignal;
  /** Told how far it is, 0 to 100, while it reads. */
  onProgress?: (percent: number) => void;
  /** Of `text`; what is longer is cut. Default 100,000. */
  maxTextCharacters?: number;
  /** Whether a workbook's cells are told too, as far as its text is. Default false. */
  cells?: boolean;
}

/** What every kind of contents has. */
interface Text {
  /** The text from its beginning, cut at the most characters that were asked for. */
  text: string;
  /** Characters of the whole text. */
  characters: number;
  /** What of the file was not read, or not surely, in sentences; left out when there is nothing. */
  warnings?: string[];
}

export interface PdfContents extends Text {
  kind: 'pdf';
  pages: number;
  /** True when its text is longer than what was asked for: then `characters` counts the pages that were read, and there are more. */
  truncated: boolean;
}

export interface SheetContents {
  name: string;
  /** Rows with a value in them, the header included. */
  rows: number;
  /** The last column with a value, counted from 1. */
  columns: number;
  /** The first row with a value in it, at most 100 cells of it from the sheet's first column on. */
  header: string[];
  /** Only for a sheet that is not shown. */
  state?: 'hidden' | 'veryHidden';
  /** Only when asked for: its first rows, as far as its text is told, each from the first column on, and an empty one for blank rows. */
  cells?: string[][];
}

export interface WorkbookContents extends Text {
  kind: 'workbook';
  sheets: SheetContents[];
}

export type ColumnType = 'integer' | 'number' | 'boolean' | 'date' | 'text' | 'empty';

export interface CsvColumn {
  /** As the header row has it; "column 3" where that is empty, "name 2" where an earlier column has the name. */
  name: string;
  type: ColumnType;
}

export interface CsvContents extends Text {
  kind: 'csv';
  /** Rows after the header that have a value. */
  rows: number;
  /** Of these, rows with fewer cells than the header, or with values beyond it. */
  raggedRows: number;
  columns: CsvColumn[];
  delimiter: string;
  /** Only of text that is not UTF-8: the one that it was read in. */
  charset?: string;
}

export interface TextContents extends Text {
  kind: 'text';
  lines: number;
  /** Only of text that is not UTF-8: the one that it was read in. */
  charset?: string;
}

export type Contents = PdfContents | WorkbookContents | CsvContents | TextContents;

/** The error of a file that can never be read, however often it is tried. */
export function unreadable(what: string, why: string): AppError {
  return new AppError('UNPROCESSABLE', toStorableText(`this ${what} cannot be opened: ${why}`.slice(0, 1_000)));
}

/** An error of the operating system, unlike those that say what is wrong with the bytes. */
export function isDiskError(error: unknown): error is NodeJS.ErrnoException {
  return typeof error === 'object' && error !== null && 'syscall' in error;
}

/** The parsers throw errors, and now and then something else. */
export function messageOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error);
}

/** Gathers a text of any length, and keeps its beginning. */
export class Excerpt {
  characters = 0;
  private readonly parts: string[] = [];
  private kept = 0;

  constructor(private readonly maxCharacters: number) {}

  /** @param characters of the whole text, of which only the beginning is given */
  add(text: string, characters = text.length): void {
    this.characters += characters;
    const free = this.maxCharacters - this.kept;
    if (free <= 0) return;
    const part = text.slice(0, free);
    this.kept += part.length;
    this.parts.push(part);
  }

  /** Characters that are still kept. */
  get free(): number {
    return this.maxCharacters - this.kept;
  }

  toText(): Text {
    return { text: toStorableText(this.parts.join('')), characters: this.characters };
  }
}
