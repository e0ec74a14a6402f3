import type { ParsedRow } from '../../src/records/parse/line.js';
import { parseRows, type RowFormat, type RowOptions } from '../../src/records/parse/parse-rows.js';

/** Bytes in pieces of the given size, as a slow network brings them. */
export async function* inPieces(bytes: Buffer | string, size = 7): AsyncGenerator<Buffer> {
  const buffer = Buffer.from(bytes as string);
  for (let from = 0; from < buffer.length; from += size) {
    await Promise.resolve();
    yield buffer.subarray(from, from + size);
  }
}

/** What was read of rows, and what was told of all of them. */
export interface ReadRows {
  rows: Exclude<ParsedRow, { warning: string }>[];
  warnings: string[];
}

export async function parseAll(bytes: Buffer | string, format: RowFormat, options?: RowOptions, pieces = 7): Promise<ReadRows> {
  const found: ReadRows = { rows: [], warnings: [] };
  for await (const block of parseRows(() => inPieces(bytes, pieces), format, options)) {
    for (const entry of block) {
      if ('warning' in entry) found.warnings.push(entry.warning);
      else found.rows.push(entry);
    }
  }
  return found;
}

/** Each row's fields, or its line and what is wrong with it. */
export async function read(bytes: Buffer | string, format: RowFormat, options?: RowOptions): Promise<unknown[]> {
  const { rows } = await parseAll(bytes, format, options);
  return rows.map((row) => ('problem' in row ? `${row.line}: ${row.problem}` : row.row));
}
