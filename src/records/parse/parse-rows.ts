import { invalidField } from '../../common/app-error.js';
import { sentenceOf } from '../../common/json-text.js';
import { problemOfJson } from '../../common/json-value.js';
import { linesOf } from '../../common/lines.js';
import { toUtf8 } from '../../common/text/to-utf8.js';
import type { Rereadable } from '../csv/csv-rows.js';
import type { TableOptions } from '../csv/csv-table.js';
import { type CsvOptions, refuseCsvOptions } from '../csv/csv.options.js';
import { type Fields, problemOfFields } from '../record-fields.js';
import { cutJsonArray } from './cut-json-array.js';
import type { LargeNumbers } from './large-numbers.js';
import { JsonRows, type ParsedRow, type RowLine } from './line.js';
import { parseCsv } from './parse-csv.js';

export const ROW_FORMATS = ['ndjson', 'json', 'csv'] as const;

/** NDJSON (one object a line), JSON (an array of objects), or CSV with a header row. */
export type RowFormat = (typeof ROW_FORMATS)[number];

/** How rows are to be read. Of the settings of tables only the charset has a meaning for JSON. */
export interface RowOptions extends TableOptions {
  /** Only for JSON. Default: refuse. */
  largeNumbers?: LargeNumbers;
}

/**
 * Reads rows from bytes, a chunk at a time: nothing is held but the chunk and an unfinished row, and no more is read than is asked for.
 * CSV is read twice. What is wrong with one row is reported in its place, and what is to be known of all of them too.
 * @param read the bytes from their beginning; called once for other formats than CSV
 * @throws AppError INVALID_INPUT when the whole is not of the format: a CSV without a header, a JSON that is no array
 */
export async function* parseRows(read: Rereadable, format: RowFormat, options: RowOptions = {}): AsyncGenerator<ParsedRow[]> {
  const { largeNumbers, charset } = options;
  if (format === 'csv') {
    if (largeNumbers) throw invalidField('largeNumbers', 'is for JSON: in CSV what has so many digits stays text; leave it out');
    yield* parseCsv(read, options);
    return;
  }
  refuseCsvOptions(options, format);
  const bytes = toUtf8(read(), charset);
  yield* jsonRows(format === 'json' ? cutJsonArray(bytes) : linesOf(bytes), largeNumbers);
}

async function* jsonRows(lines: AsyncIterable<RowLine[]>, largeNumbers: LargeNumbers = 'refuse'): AsyncGenerator<ParsedRow[]> {
  const rows = new JsonRows(largeNumbers);
  for await (const cut of lines) yield cut.map((line) => rows.read(line));
  const { warning } = rows;
  if (warning) yield [{ warning }];
}

const SLICE = 500;

/**
 * Rows that are in memory already. Their lines are their numbers.
 * @throws AppError INVALID_INPUT for settings of bytes and of CSV
 */
export async function* rowsFromArray(
  values: readonly unknown[],
  settings: CsvOptions & { format?: RowFormat; largeNumbers?: LargeNumbers } = {},
): AsyncGenerator<ParsedRow[]> {
  refuseCsvOptions(settings, 'a JSON array');
  const { format, charset, largeNumbers } = settings;
  if (largeNumbers) throw invalidField('largeNumbers', 'is for rows that are read from text; give such numbers in rows as text');
  if (format !== undefined && format !== 'json') throw invalidField('format', `is ${format}, but the rows are a JSON array`);
  if (charset !== undefined) throw invalidField('charset', 'is for rows as bytes, and these are a JSON array; leave it out');
  for (let from = 0; from < values.length; from += SLICE) {
    yield values.slice(from, from + SLICE).map((row, index) => checkedRow(row, from + index + 1));
    await Promise.resolve();
  }
}

function checkedRow(row: unknown, line: number): ParsedRow {
  const notJson = problemOfJson(row, '');
  const problem = notJson ? sentenceOf([notJson]) : problemOfFields(row);
  return problem ? { line, problem } : { line, row: row as Fields, text: JSON.stringify(row) };
}
