import type { Line } from '../../common/lines.js';
import { RowBuffer } from './line.js';

const NEWLINE = 0x0a;
const QUOTE = 0x22;

/**
 * Cuts CSV into its rows without reading them; empty lines are passed over. A newline inside a quoted cell ends no row. Only a quote
 * at the start of a cell opens one, so a stray quote spoils its own row and not the ones after it. Yields what each chunk completed:
 * no more than a chunk and a row are held.
 */
export async function* cutCsvRows(source: AsyncIterable<Buffer>, delimiter: string): AsyncGenerator<Line[]> {
  const cutter = new CsvCutter(delimiter.charCodeAt(0));
  for await (const chunk of source) {
    const rows = cutter.cut(chunk);
    if (rows.length > 0) yield rows;
  }
  const last = cutter.end();
  if (last.length > 0) yield last;
}

class CsvCutter {
  private readonly row = new RowBuffer();
  private line = 1;
  private inQuotes = false;
  private atCellStart = true;
  private innerNewlines = 0;

  constructor(private readonly delimiter: number) {}

  cut(chunk: Buffer): Line[] {
    const rows: Line[] = [];
    let from = 0;
    for (let at = 0; at < chunk.length; at += 1) {
      if (!this.endsRow(chunk[at]!)) continue;
      this.row.add(chunk.subarray(from, at));
      this.take(rows);
      from = at + 1;
    }
    this.row.add(chunk.subarray(from));
    // A quote that stays open for so long was no quote: the next line is a row again.
    if (this.row.isTooLong) this.inQuotes = false;
    return rows;
  }

  end(): Line[] {
    const rows: Line[] = [];
    this.take(rows);
    return rows;
  }

  private endsRow(byte: number): boolean {
    if (this.inQuotes) {
      // A doubled quote closes and opens again.
      this.inQuotes = byte !== QUOTE;
      this.atCellStart = !this.inQuotes;
      if (byte === NEWLINE) this.innerNewlines += 1;
      return false;
    }
    this.inQuotes = byte === QUOTE && this.atCellStart;
    this.atCellStart = byte === NEWLINE || byte === this.delimiter;
    return byte === NEWLINE;
  }

  private take(rows: Line[]): void {
    const row = this.row.take(this.line);
    this.line += 1 + this.innerNewlines;
    this.innerNewlines = 0;
    if (row.text.endsWith('\r')) row.text = row.text.slice(0, -1);
    if (row.problem || row.text !== '') rows.push(row);
  }
}
