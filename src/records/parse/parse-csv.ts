import { type Options, parse } from 'csv-parse/sync';
import { invalidField } from '../../common/app-error.js';
import type { Line } from '../../common/lines.js';
import { isReservedName } from '../record-filter.js';
import { problemOfFields } from '../record-fields.js';
import { cutCsvRows } from './cut-csv-rows.js';
import type { ParsedRow } from './line.js';
import type { OpenSource } from './open-source.js';

const MAX_COLUMNS = 1_000;
const DELIMITERS = [',', ';', '\t'];
/** A plain decimal that JavaScript holds exactly: no leading zero (a postal code), no plus (a phone number), no exponent. */
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?$/;
const MAX_DIGITS = 15;

/** `auto`: true, false, plain numbers and empty cells become JSON's; `text`: every cell stays text. */
export type CellTypes = 'auto' | 'text';

export interface CsvOptions {
  cells?: CellTypes;
  /** A column whose cells always stay text: the key "1.10" is not the key "1.1". */
  textColumn?: string;
}

/**
 * Parses CSV with a header row. Cells are parted by comma, semicolon or tab, whichever the header row has most of; every row must
 * have as many cells as the header; a row that is wrong is reported and spoils no other.
 * @throws AppError INVALID_INPUT when the header is missing or wrong
 */
export async function* parseCsv({ head, all }: OpenSource, options: CsvOptions): AsyncGenerator<ParsedRow[]> {
  const delimiter = delimiterOf(head.toString('latin1'));
  let table: CsvTable | undefined;
  for await (let lines of cutCsvRows(all, delimiter)) {
    if (!table) {
      table = new CsvTable(lines[0]!, delimiter, options);
      lines = lines.slice(1);
    }
    if (lines.length > 0) yield table.parseRows(lines);
  }
  if (!table) throw invalidField('source', 'the CSV is empty; its first line must name the columns');
}

/** A cell in quotes may hold delimiters and line breaks of its own. */
const QUOTED_CELL = /(^|[,;\t\r\n])"(?:[^"]|"")*"/g;

/** Comma, semicolon or tab, whichever the text's first line that is not blank has most of outside quotes. */
export function delimiterOf(head: string): string {
  const lines = head.replace(QUOTED_CELL, '$1_').split(/\r\n?|\n/);
  const firstLine = lines.find((line) => line.trim() !== '') ?? '';
  const counts = DELIMITERS.map((delimiter) => firstLine.split(delimiter).length);
  return DELIMITERS[counts.indexOf(Math.max(...counts))]!;
}

class CsvTable {
  private readonly columns: string[];
  private readonly options: Options<string[]>;
  private readonly readCell: ((cell: string) => unknown)[];

  constructor(header: Line, delimiter: string, { cells = 'auto', textColumn }: CsvOptions) {
    this.options = { delimiter, record_delimiter: ['\n'], relax_column_count: true };
    this.columns = this.readHeader(header);
    this.readCell = this.columns.map((column) => (cells === 'text' || column === textColumn ? (cell: string) => cell : readCell));
  }

  /** One wrong row spoils the parser's whole block: then each half is parsed alone, until the row is found. */
  parseRows(lines: Line[]): ParsedRow[] {
    const records = this.records(lines.filter((line) => !line.problem).map((line) => line.text));
    if (records) {
      let next = 0;
      return lines.map(({ line, problem }) => (problem ? { line, problem } : this.toRow(line, records[next++]!)));
    }
    if (lines.length === 1) return [{ line: lines[0]!.line, problem: 'not CSV: a quote is not closed, or stands where none may' }];
    const middle = lines.length >> 1;
    return [...this.parseRows(lines.slice(0, middle)), ...this.parseRows(lines.slice(middle))];
  }

  private records(rows: string[]): string[][] | undefined {
    try {
      const records = parse(rows.join('\n'), this.options);
      return records.length === rows.length ? records : undefined;
    } catch {
      return undefined;
    }
  }

  private toRow(line: number, cells: string[]): ParsedRow {
    if (cells.length !== this.columns.length)
      return { line, problem: `the row has ${cells.length} cells and the header ${this.columns.length}` };
    const row = Object.fromEntries(this.columns.map((column, index) => [column, this.readCell[index]!(cells[index]!)]));
    const problem = problemOfFields(row);
    return problem ? { line, problem } : { line, row, text: JSON.stringify(row) };
  }

  private readHeader(header: Line): string[] {
    const wrong = (problem: string): Error => invalidField('source', `line ${header.line}: ${problem}`);
    if (header.problem) throw wrong(header.problem);
    const columns = this.records([header.text])?.[0]!.map((column) => column.trim());
    if (!columns) throw wrong('the header row is not valid CSV');
    if (columns.length > MAX_COLUMNS) throw wrong(`the CSV has ${columns.length} columns; at most ${MAX_COLUMNS} are allowed`);
    columns.forEach((column, index) => {
      if (column === '') throw wrong(`column ${index + 1} has no name`);
      if (isReservedName(column)) throw wrong(`${column} cannot be the name of a column`);
      if (columns.indexOf(column) !== index) throw wrong(`two columns are named ${column}`);
    });
    return columns;
  }
}

function readCell(cell: string): unknown {
  if (cell === '') return null;
  if (cell === 'true') return true;
  if (cell === 'false') return false;
  return NUMBER.test(cell) && cell.length <= MAX_DIGITS ? Number(cell) : cell;
}
