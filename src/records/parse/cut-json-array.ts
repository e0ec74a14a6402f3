import { invalidField } from '../../common/app-error.js';
import { RowBuffer, type RowLine } from './line.js';

const BYTE = { newline: 0x0a, quote: 0x22, backslash: 0x5c, comma: 0x2c, open: 0x5b, close: 0x5d, openBrace: 0x7b, closeBrace: 0x7d };
const WHITESPACE = new Set([0x20, 0x09, 0x0a, 0x0d]);

/**
 * Cuts the elements out of a stream that is one JSON array, without reading them: only depth and strings are followed. An element
 * that is no JSON comes out as it is. Yields what each chunk completed, so no more than a chunk and an element are held.
 * @throws AppError INVALID_INPUT when the stream is no array
 */
export async function* cutJsonArray(source: AsyncIterable<Buffer>): AsyncGenerator<RowLine[]> {
  const cutter = new ArrayCutter();
  for await (const chunk of source) {
    const lines = cutter.push(chunk);
    if (lines.length > 0) yield lines;
  }
  const rest = cutter.end();
  if (rest.length > 0) yield rest;
}

class ArrayCutter {
  private readonly element = new RowBuffer();
  /** 0 outside the array, 1 between elements and in plain ones, more inside a nested one. */
  private depth = 0;
  private inString = false;
  private isEscaped = false;
  private isClosed = false;
  /** Only whitespace since the last comma. */
  private isEmpty = true;
  private elements = 0;
  private line = 1;
  private elementLine = 1;
  /** Where the element before began. */
  private earlierLine = 0;
  private lines: RowLine[] = [];

  push(chunk: Buffer): RowLine[] {
    let from = 0;
    for (let at = 0; at < chunk.length; at += 1) {
      const byte = chunk[at]!;
      if (byte === BYTE.newline) this.line += 1;
      if (this.inString) this.readInString(byte);
      else if (this.depth > 0) from = this.readInArray(byte, chunk, from, at);
      else {
        this.readOutside(byte);
        from = at + 1;
      }
    }
    if (this.depth > 0) this.element.add(chunk.subarray(from));
    const lines = this.lines;
    this.lines = [];
    return lines;
  }

  end(): RowLine[] {
    if (this.isClosed) return [];
    if (this.depth === 0) throw notAnArray(this.line);
    if (!this.isEmpty) this.element.take(this.elementLine);
    const where = this.isEmpty ? '' : `; the element that begins at line ${this.elementLine} is not complete`;
    return [{ line: this.line, text: '', problem: `the file ends before the array's closing ]${where}` }];
  }

  private readInString(byte: number): void {
    if (this.isEscaped) this.isEscaped = false;
    else if (byte === BYTE.backslash) this.isEscaped = true;
    else if (byte === BYTE.quote) this.inString = false;
  }

  /** @returns where the element's bytes in this chunk begin, seen from the next byte */
  private readInArray(byte: number, chunk: Buffer, from: number, at: number): number {
    if (this.depth === 1 && (byte === BYTE.comma || byte === BYTE.close)) {
      this.element.add(chunk.subarray(from, at));
      this.takeElement(byte === BYTE.close);
      return at + 1;
    }
    if (this.isEmpty) {
      if (WHITESPACE.has(byte)) return at + 1;
      this.isEmpty = false;
      this.elementLine = this.line;
    }
    if (byte === BYTE.quote) this.inString = true;
    else if (byte === BYTE.open || byte === BYTE.openBrace) this.depth += 1;
    else if ((byte === BYTE.close || byte === BYTE.closeBrace) && this.depth > 1) this.depth -= 1;
    return from;
  }

  private takeElement(isLast: boolean): void {
    const wasEmpty = this.isEmpty;
    const cut = this.element.take(wasEmpty ? this.line : this.elementLine);
    const isEmptyArray = wasEmpty && isLast && this.elements === 0;
    this.elements += 1;
    if (wasEmpty && !isEmptyArray)
      this.lines.push({ line: this.line, text: '', problem: 'an element is missing before this comma or bracket' });
    else if (!wasEmpty) this.lines.push({ ...cut, row: this.elementLine === this.earlierLine ? this.elements : undefined });
    this.earlierLine = this.elementLine;
    this.isEmpty = true;
    if (isLast) {
      this.isClosed = true;
      this.depth = 0;
    }
  }

  private readOutside(byte: number): void {
    if (WHITESPACE.has(byte)) return;
    if (this.isClosed) throw invalidField('source', `line ${this.line}: nothing may follow the array's closing ]`);
    if (byte !== BYTE.open) throw notAnArray(this.line);
    this.depth = 1;
  }
}

function notAnArray(line: number): Error {
  return invalidField(
    'source',
    `line ${line}: the JSON must be an array of objects; send one object a line as application/x-ndjson instead`,
  );
}
