import type { BatchMessage } from '../realtime/batch-messages.js';

const BAR = 30;
/** Without a terminal, a line each so many percent. */
const PLAIN_STEP = 25;

/** Shows how far a batch is: one line that redraws itself on a terminal, a few plain lines elsewhere. */
export class ProgressLine {
  private readonly startedAt = performance.now();
  private shown = -1;

  constructor(
    private readonly title: string,
    private readonly output: NodeJS.WriteStream = process.stdout,
  ) {}

  show(message: Pick<BatchMessage, 'progress' | 'counts'>): void {
    if (this.output.isTTY) {
      this.output.write(`\r\x1b[2K${this.lineOf(message)}`);
    } else if (message.progress === 100 || message.progress >= this.shown + PLAIN_STEP) {
      this.shown = message.progress;
      this.output.write(`${this.lineOf(message)}\n`);
    }
  }

  end(): void {
    if (this.output.isTTY) this.output.write('\n');
  }

  private lineOf({ progress, counts }: Pick<BatchMessage, 'progress' | 'counts'>): string {
    const done = counts.succeeded + counts.failed + counts.skipped;
    const seconds = (performance.now() - this.startedAt) / 1_000;
    const rate = done / seconds;
    const left = (counts.total - done) / rate;
    const eta = done === 0 ? '' : progress === 100 ? `in ${seconds.toFixed(1)} s` : `${left.toFixed(left < 10 ? 1 : 0)} s left`;
    return (
      `  ${this.title.padEnd(10)} ${bar(progress / 100, BAR)} ${String(progress).padStart(3)} %  ` +
      `${String(done).padStart(String(counts.total).length)}/${counts.total}  ${Math.round(rate)}/s  ${eta}`
    );
  }
}

/** A bar of so many characters, filled to the given share. */
export function bar(share: number, width: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * width);
  return '█'.repeat(filled) + '░'.repeat(width - filled);
}
