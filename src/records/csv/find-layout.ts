import { invalidField } from '../../common/app-error.js';
import { ByteSurvey } from '../../common/text/byte-survey.js';
import { findCharset, type TextCharset } from '../../common/text/charset.js';
import { type CsvOptions, givenSyntax } from './csv.options.js';
import { csvRows, type Rereadable } from './csv-rows.js';
import type { CsvRow, CsvSyntax } from './cut-rows.js';
import { findHeader, type LineAbove } from './find-header.js';
import { findSyntax, rareDelimiter } from './find-syntax.js';
import { isEmptyRow } from './row-looks.js';
import { MAX_COLUMNS, type TableShape } from './table-survey.js';
import { takeSample } from './take-sample.js';

/** How a CSV is written, and where its table begins. */
export interface Layout {
  charset: TextCharset;
  syntax: CsvSyntax;
  /** The first line says what parts the cells, in the way of Excel. */
  hasSeparatorLine: boolean;
  /** What may part the cells of a table of one column. */
  rareDelimiter?: string;
  above: LineAbove[];
  /** Undefined when no row names the columns. */
  header?: CsvRow;
  /** It was said which row names the columns. */
  isHeaderGiven: boolean;
  /** The line that the header begins at, or else the first row. */
  firstLine: number;
  shape: TableShape;
}

export interface LayoutOptions extends CsvOptions {
  /** What the file's name or type speaks for. */
  expectedDelimiter?: string;
}

/** Why bytes cannot be read as a table. */
export class NoTable extends Error {}

/**
 * Settings that are given are obeyed, the rest is found out: the charset by all bytes, the rest by the beginning.
 * @throws NoTable for a text without rows or with a header that cannot be read; AppError INVALID_INPUT for settings that contradict each
 * other or the bytes
 */
export async function findLayout(read: Rereadable, options: LayoutOptions): Promise<Layout> {
  const given = givenSyntax(options);
  const charset = findCharset(await ByteSurvey.of(read()), options.charset);
  const sample = await takeSample(read, charset);
  const hasSeparatorLine = sample.separator !== undefined;
  const table = findSyntax(sample, hasSeparatorLine ? { delimiter: sample.separator, ...given } : given, options.expectedDelimiter);
  const { syntax, rows, width } = table;
  if (rows.every(isEmptyRow)) throw new NoTable('it is empty; its first line must name the columns');
  const isHeaderGiven = options.header !== undefined;
  const { header, above } =
    options.header === undefined ? findHeader(table) : { header: await rowAt(options.header, read, { charset, syntax }), above: [] };
  return {
    ...{ charset, syntax, hasSeparatorLine, above, header, isHeaderGiven },
    rareDelimiter: given.delimiter === undefined ? rareDelimiter(table) : undefined,
    firstLine: header?.line ?? sample.firstLine,
    shape: shapeOf(header, width, options),
  };
}

function shapeOf(header: CsvRow | undefined, width: number, { raggedRows = 'pad' }: LayoutOptions): TableShape {
  if (!header) return { width, named: width, raggedRows };
  if (header.problem !== undefined) throw new NoTable(`line ${header.line}: ${header.problem}`);
  const named = header.cells.findLastIndex((cell) => cell.trim() !== '') + 1;
  if (named > MAX_COLUMNS) throw new NoTable(`it has ${named} columns; at most ${MAX_COLUMNS} are read`);
  return { width: header.cells.length, named, raggedRows };
}

/** The row that begins at a line, or none. */
async function rowAt(
  line: number | 'none',
  read: Rereadable,
  { charset, syntax }: Pick<Layout, 'charset' | 'syntax'>,
): Promise<CsvRow | undefined> {
  if (line === 'none') return undefined;
  for await (const [row] of csvRows(read, charset, syntax, line)) {
    if (row?.line === line) return row;
    break;
  }
  throw invalidField('header', `no row begins at line ${line}; name the line of the row that names the columns, or none`);
}
