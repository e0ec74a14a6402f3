const MAX_LINES = 5;

/** Counts lines of which the same is to be told, and keeps the first of them. */
export class LineNotes {
  count = 0;
  private readonly lines: number[] = [];

  add(line: number): void {
    this.count += 1;
    if (this.lines.length < MAX_LINES) this.lines.push(line);
  }

  /** "3 rows (lines 4, 7, 9)". */
  get text(): string {
    const more = this.count > this.lines.length ? ', …' : '';
    return `${this.count} ${this.count === 1 ? 'row' : 'rows'} (${this.lines.length === 1 ? 'line' : 'lines'} ${this.lines.join(', ')}${more})`;
  }
}

const MAX_SHOWN = 60;

/** A text from a file inside a sentence, cut where it is long; control characters are written as JSON writes them. */
export function shown(text: string): string {
  const line = JSON.stringify(text.replace(/\s+/g, ' ')).slice(1, -1);
  return `"${line.length > MAX_SHOWN ? `${line.slice(0, MAX_SHOWN)}…` : line}"`;
}
