import { sentenceOf } from '../../common/json-text.js';
import { problemOfJson } from '../../common/json-value.js';
import { linesOf } from '../../common/lines.js';
import { type Fields, problemOfFields } from '../record-fields.js';
import { cutJsonArray } from './cut-json-array.js';
import type { LargeNumbers } from './large-numbers.js';
import { JsonRows, type ParsedRow, type RowLine } from './line.js';
import { openSource } from './open-source.js';
import { type CsvOptions, parseCsv } from './parse-csv.js';

export const ROW_FORMATS = ['ndjson', 'json', 'csv'] as const;

/** NDJSON (one object a line), JSON (an array of objects), or CSV with a header row. */
export type RowFormat = (typeof ROW_FORMATS)[number];

export interface RowOptions extends CsvOptions {
  /** JSON only. Cells of CSV with more digits than a number holds stay text anyway. Default: refuse. */
  largeNumbers?: LargeNumbers;
}

/**
 * Reads rows from a stream of bytes, a chunk at a time: nothing is held but the chunk and an unfinished row, and no more is read
 * than is asked for. What is wrong with one row is reported in its place.
 * @throws AppError INVALID_INPUT when the whole is not of the format: a CSV without a header, a JSON that is no array
 */
export async function* parseRows(source: AsyncIterable<Buffer>, format: RowFormat, options: RowOptions = {}): AsyncGenerator<ParsedRow[]> {
  const opened = await openSource(source);
  if (format === 'csv') {
    yield* parseCsv(opened, options);
    if (options.largeNumbers === 'refuse') yield [{ warning: 'largeNumbers is for JSON: in CSV a cell with so many digits stays text' }];
  } else yield* jsonRows(format === 'json' ? cutJsonArray(opened.all) : linesOf(opened.all), options.largeNumbers);
}

async function* jsonRows(lines: AsyncIterable<RowLine[]>, largeNumbers: LargeNumbers = 'refuse'): AsyncGenerator<ParsedRow[]> {
  const rows = new JsonRows(largeNumbers);
  for await (const cut of lines) yield cut.map((line) => rows.read(line));
  const { warning } = rows;
  if (warning) yield [{ warning }];
}

const MEDIA_TYPES = new Map<string, RowFormat>([
  ['application/x-ndjson', 'ndjson'],
  ['application/ndjson', 'ndjson'],
  ['application/jsonl', 'ndjson'],
  ['application/json', 'json'],
  ['text/csv', 'csv'],
  ['text/tab-separated-values', 'csv'],
]);
const ENDINGS = new Map<string, RowFormat>([
  ['ndjson', 'ndjson'],
  ['jsonl', 'ndjson'],
  ['json', 'json'],
  ['csv', 'csv'],
  ['tsv', 'csv'],
]);

/** The format that a media type tells, or else the end of a file's name. */
export function rowFormatOf(mediaType: string, fileName = ''): RowFormat | undefined {
  const type = mediaType.split(';', 1)[0]!.trim().toLowerCase();
  return MEDIA_TYPES.get(type) ?? ENDINGS.get(fileName.slice(fileName.lastIndexOf('.') + 1).toLowerCase());
}

const SLICE = 500;

/** Rows that are in memory already. Their lines are their numbers. */
export async function* rowsFromArray(values: readonly unknown[]): AsyncGenerator<ParsedRow[]> {
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
