import { isUtf8 } from 'node:buffer';
import type { Line } from '../../common/lines.js';
import { type Fields, problemOfFields } from '../record-fields.js';

/** What is wrong with the row that begins at a line. Lines count from 1. */
export interface Problem {
  line: number;
  problem: string;
}

/** A row and its JSON text, or why there is none, or something to know of all rows. */
export type ParsedRow = { line: number; row: Fields; text: string } | Problem | { warning: string };

/** Bytes of one row. More is a mistake in the file, or an attack on the memory. */
const MAX_ROW_BYTES = 1_048_576;

/** Gathers the pieces of one row, which may come in several chunks, and holds no more of them than a row may have. */
export class RowBuffer {
  private parts: Buffer[] = [];
  private size = 0;

  get isTooLong(): boolean {
    return this.size > MAX_ROW_BYTES;
  }

  add(part: Buffer): void {
    this.size += part.length;
    if (this.isTooLong) this.parts = [];
    else if (part.length > 0) this.parts.push(part);
  }

  /** What was gathered, as text; empties the buffer. */
  take(line: number): Line {
    const { isTooLong, parts } = this;
    this.parts = [];
    this.size = 0;
    if (isTooLong) return { line, text: '', problem: `longer than ${MAX_ROW_BYTES} bytes` };
    const bytes = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
    return isUtf8(bytes) ? { line, text: bytes.toString('utf8') } : { line, text: '', problem: 'not valid UTF-8' };
  }
}

/** Reads a line as a JSON object that can be stored. */
export function parseJsonRow({ line, text, problem }: Line): ParsedRow {
  if (problem) return { line, problem };
  let row: unknown;
  try {
    row = JSON.parse(text);
  } catch (error) {
    return { line, problem: `not JSON: ${(error as Error).message}` };
  }
  const wrong = problemOfFields(row);
  return wrong ? { line, problem: wrong } : { line, row: row as Fields, text };
}
