import { AppError } from '../../common/app-error.js';
import { toStorableText } from '../../common/safe-json.js';

export interface ReadOptions {
  /** Aborted: reading stops with the signal's reason. */
  signal?: AbortSignal;
  /** Told how far it is, 0 to 100, while it reads. */
  onProgress?: (percent: number) => void;
  /** Of `text`; what is longer is cut. Default 100,000. */
  maxTextCharacters?: number;
}

/** What every kind of contents has. */
interface Text {
  /** The text from its beginning, cut at the most characters that were asked for. */
  text: string;
  /** Characters of the whole text. */
  characters: number;
  /** What of the file was not read, or not surely, in sentences. */
  warnings?: string[];
}

export interface PdfContents extends Text {
  kind: 'pdf';
  pages: number;
}

export interface SheetContents {
  name: string;
  /** Rows with a value in them, the header included. */
  rows: number;
  /** The last column with a value, counted from 1. */
  columns: number;
  /** The first row with a value in it, at most 100 cells of it. */
  header: string[];
}

export interface WorkbookContents extends Text {
  kind: 'workbook';
  sheets: SheetContents[];
}

export type ColumnType = 'integer' | 'number' | 'boolean' | 'date' | 'text' | 'empty';

export interface CsvColumn {
  /** As the header row has it; "column 3" where that is empty. */
  name: string;
  type: ColumnType;
}

export interface CsvContents extends Text {
  kind: 'csv';
  /** Rows after the header. */
  rows: number;
  /** Of these, rows with more or fewer cells than the header. */
  raggedRows: number;
  columns: CsvColumn[];
  delimiter: string;
}

export interface TextContents extends Text {
  kind: 'text';
  lines: number;
}

export type Contents = PdfContents | WorkbookContents | CsvContents | TextContents;

/** The error of a file that can never be read, however often it is tried. */
export function unreadable(what: string, why: string): AppError {
  return new AppError('UNPROCESSABLE', toStorableText(`this ${what} cannot be opened: ${why}`.slice(0, 1_000)));
}

/** Gathers a text of any length, and keeps its beginning. */
export class Excerpt {
  characters = 0;
  private readonly parts: string[] = [];
  private kept = 0;

  constructor(private readonly maxCharacters: number) {}

  add(text: string): void {
    this.characters += text.length;
    const free = this.maxCharacters - this.kept;
    if (free <= 0) return;
    const part = text.slice(0, free);
    this.kept += part.length;
    this.parts.push(part);
  }

  toText(): Text {
    return { text: toStorableText(this.parts.join('')), characters: this.characters };
  }
}
