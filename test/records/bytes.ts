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

export async function parseAll(source: AsyncIterable<Buffer>, format: RowFormat, options?: RowOptions): Promise<ParsedRow[]> {
  const rows: ParsedRow[] = [];
  for await (const block of parseRows(source, format, options)) rows.push(...block);
  return rows;
}

/** Each row's fields, or its line and what is wrong with it, and at the end the warning. */
export async function read(text: Buffer | string, format: RowFormat, options?: RowOptions): Promise<unknown[]> {
  const rows = await parseAll(inPieces(text), format, options);
  return rows.map((row) => {
    if ('warning' in row) return `warning: ${row.warning}`;
    return 'problem' in row ? `${row.line}: ${row.problem}` : row.row;
  });
}
