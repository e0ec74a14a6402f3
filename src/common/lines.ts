/** A line of a text stream, or what is wrong with it. Lines count from 1. */
export interface Line {
  line: number;
  text: string;
  problem?: string;
}

const MAX_LINE_BYTES = 1_048_576;
const NEWLINE = 0x0a;

/**
 * Cuts a byte stream into lines, in slices of what one read brought. Blank lines are passed over, a byte order mark and
 * carriage returns are dropped. A line that is longer than 1 MB or not UTF-8 comes out as a problem; the rest goes on.
 */
export async function* linesOf(stream: AsyncIterable<Buffer | string>): AsyncGenerator<Line[]> {
  const cutter = new LineCutter();
  for await (const chunk of stream) {
    const lines = cutter.cut(typeof chunk === 'string' ? Buffer.from(chunk) : chunk);
    if (lines.length > 0) yield lines;
  }
  const last = cutter.end();
  if (last.length > 0) yield last;
}

class LineCutter {
  private readonly decoder = new TextDecoder('utf-8', { fatal: true });
  private rest: Buffer[] = [];
  private restBytes = 0;
  private number = 0;

  cut(chunk: Buffer): Line[] {
    const lines: Line[] = [];
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at !== -1; at = chunk.indexOf(NEWLINE, from)) {
      this.keep(chunk.subarray(from, at));
      this.emit(lines);
      from = at + 1;
    }
    this.keep(chunk.subarray(from));
    return lines;
  }

  end(): Line[] {
    const lines: Line[] = [];
    if (this.restBytes > 0) this.emit(lines);
    return lines;
  }

  /** Of a line that is too long only its length is kept, so that memory stays bounded. */
  private keep(part: Buffer): void {
    if (part.length === 0) return;
    this.restBytes += part.length;
    if (this.restBytes > MAX_LINE_BYTES) this.rest = [];
    else this.rest.push(part);
  }

  private emit(lines: Line[]): void {
    this.number += 1;
    const line = this.number;
    const bytes = this.rest.length === 1 ? this.rest[0]! : Buffer.concat(this.rest);
    const tooLong = this.restBytes > MAX_LINE_BYTES;
    this.rest = [];
    this.restBytes = 0;
    if (tooLong) {
      lines.push({ line, text: '', problem: `longer than ${MAX_LINE_BYTES} bytes` });
      return;
    }
    try {
      const text = this.decoder.decode(bytes).trim();
      if (text !== '') lines.push({ line, text });
    } catch {
      lines.push({ line, text: '', problem: 'not valid UTF-8' });
    }
  }
}
