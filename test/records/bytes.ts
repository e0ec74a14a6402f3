import type { ParsedRow } from '../../src/records/parse/line.js';
import { parseRows, type RowFormat } from '../../src/records/parse/parse-rows.js';
import type { CsvOptions } from '../../src/records/parse/parse-csv.js';

/** Bytes in pieces of the given size, as a slow network brings them. */
export async function* inPieces(bytes: Buffer | string, size = 7): AsyncGenerator<Buffer> {
  const buffer = Buffer.from(bytes as string);
  for (let from = 0; from < buffer.length; from += size) {
    await Promise.resolve();
    yield buffer.subarray(from, from + size);
  }
}

export async function parseAll(source: AsyncIterable<Buffer>, format: RowFormat, options?: CsvOptions): Promise<ParsedRow[]> {
  const rows: ParsedRow[] = [];
  for await (const block of parseRows(source, format, options)) rows.push(...block);
  return rows;
}

/** Each row's fields, or its line and what is wrong with it. */
export async function read(text: Buffer | string, format: RowFormat, options?: CsvOptions): Promise<unknown[]> {
  const rows = await parseAll(inPieces(text), format, options);
  return rows.map((row) => ('problem' in row ? `${row.line}: ${row.problem}` : row.row));
}
