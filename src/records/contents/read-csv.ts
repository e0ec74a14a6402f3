import { parse } from 'csv-parse';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { delimiterOf } from '../parse/parse-csv.js';
import { ColumnTypeFinder } from './column-type.js';
import { type CsvContents, Excerpt, type ReadOptions, unreadable } from './contents.js';
import { decodeText } from './decode-text.js';
import { counted } from './read-text.js';

const MAX_COLUMNS = 1_000;
const MAX_ROW_CHARACTERS = 1_048_576;
const MAX_NAME = 200;

/**
 * Reads CSV of any length whose first row names the columns; cells are parted by comma, semicolon or tab. Rows with more or fewer
 * cells than the header are counted, not refused.
 * @param size bytes of the whole file
 */
export async function readCsv(bytes: AsyncIterable<Buffer>, size: number, options: Required<ReadOptions>): Promise<CsvContents> {
  const texts = decodeText(counted(bytes, size, options), 'CSV');
  const first = await texts.next();
  const head = first.done ? '' : first.value;
  const delimiter = delimiterOf(head);
  const table = new Table(new Excerpt(options.maxTextCharacters));
  const parser = parse({
    delimiter,
    relax_quotes: true,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: MAX_ROW_CHARACTERS,
  });
  await pipeline(Readable.from(joined(head, texts)), parser, async (rows: AsyncIterable<string[]>) => {
    for await (const row of rows) table.add(row);
  });
  if (!table.header) throw unreadable('CSV', 'it is empty; its first line must name the columns');
  return { kind: 'csv', delimiter, ...table.toContents() };
}

async function* joined(head: string, rest: AsyncIterable<string>): AsyncGenerator<string> {
  yield head;
  yield* rest;
}

class Table {
  header?: string[];
  private rows = 0;
  private raggedRows = 0;
  private types: ColumnTypeFinder[] = [];

  constructor(private readonly excerpt: Excerpt) {}

  add(row: string[]): void {
    this.excerpt.add(`${row.join('\t')}\n`);
    const { header } = this;
    if (!header) return this.readHeader(row);
    this.rows += 1;
    if (row.length !== header.length) this.raggedRows += 1;
    const cells = Math.min(row.length, header.length);
    for (let at = 0; at < cells; at += 1) this.types[at]!.add(row[at]!);
  }

  toContents(): Omit<CsvContents, 'kind' | 'delimiter'> {
    const columns = this.header!.map((name, index) => ({ name, type: this.types[index]!.type }));
    return { rows: this.rows, raggedRows: this.raggedRows, columns, ...this.excerpt.toText() };
  }

  private readHeader(row: string[]): void {
    if (row.length > MAX_COLUMNS) throw unreadable('CSV', `it has ${row.length} columns; at most ${MAX_COLUMNS} are read`);
    this.header = row.map((name, index) => name.trim().slice(0, MAX_NAME) || `column ${index + 1}`);
    this.types = row.map(() => new ColumnTypeFinder());
  }
}
