import { isUtf8 } from 'node:buffer';
import { parseJson, sentenceOf, tooDeep } from '../../common/json-text.js';
import type { Line } from '../../common/lines.js';
import { type Fields, problemOfFields } from '../record-fields.js';
import { LargeNumberCount, type LargeNumbers, quoteLargeNumbers } from './large-numbers.js';

/** What is wrong with the row that begins at a line. Lines count from 1. */
export interface Problem {
  line: number;
  problem: string;
}

/** A row and its JSON text, or what is wrong with it, or something to know of all of them. */
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

/** The text of a row, whose number says which one it is when several begin in one line. */
export interface RowLine extends Line {
  row?: number;
}

/** Reads lines as JSON objects that can be stored. */
export class JsonRows {
  private readonly count = new LargeNumberCount();

  constructor(private readonly largeNumbers: LargeNumbers) {}

  /** What is to be said of all rows that were read. */
  get warning(): string | undefined {
    return this.count.warning;
  }

  read(given: RowLine): ParsedRow {
    if (given.problem) return wrong(given, given.problem);
    if (this.largeNumbers === 'text' && !tooDeep(given.text)) return this.readQuoted(given);
    return toRow(given, given.text);
  }

  private readQuoted(given: RowLine): ParsedRow {
    const quoted = quoteLargeNumbers(given.text);
    const read = toRow(given, quoted.text);
    if ('row' in read) this.count.add(quoted);
    return read;
  }
}

function toRow(given: RowLine, text: string): ParsedRow {
  const parsed = parseJson(text);
  if ('errors' in parsed) {
    const remedy = parsed.isInexact ? ', or import with largeNumbers=text' : '';
    return wrong(given, sentenceOf(parsed.errors) + remedy);
  }
  const problem = problemOfFields(parsed.value);
  return problem ? wrong(given, problem) : { line: given.line, row: parsed.value as Fields, text };
}

function wrong({ line, row }: RowLine, problem: string): Problem {
  return { line, problem: row === undefined ? problem : `${problem} (row ${row})` };
}
