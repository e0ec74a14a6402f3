import type { BatchEventRecord } from '../batches/events/batch.events.js';

/** Events kept for a reader who is behind. What comes on top of them is read from the log. */
const MAX_WAITING = 100;

/** What one subscriber has heard of a batch and not read yet. */
export class BatchFeed {
  private readonly waiting = new Map<number, BatchEventRecord>();
  private wake?: () => void;
  private over = false;

  constructor(private readonly forget: (feed: BatchFeed) => void) {}

  hear(record: BatchEventRecord): void {
    if (this.waiting.size < MAX_WAITING) this.waiting.set(record.seq, record);
    this.wake?.();
  }

  /** No more will be heard: the service is shutting down. */
  end(): void {
    this.over = true;
    this.wake?.();
  }

  get ended(): boolean {
    return this.over;
  }

  /**
   * Waits for the event with this number.
   * @returns undefined when a later one was heard instead, when nothing was for `waitMs`, at the end, and when the signal is aborted
   */
  async next(seq: number, waitMs: number, signal?: AbortSignal): Promise<BatchEventRecord | undefined> {
    this.dropUntil(seq);
    if (this.waiting.size === 0 && !this.over && !signal?.aborted) await this.news(waitMs, signal);
    this.dropUntil(seq);
    return this.waiting.get(seq);
  }

  close(): void {
    this.forget(this);
  }

  private dropUntil(seq: number): void {
    for (const old of this.waiting.keys()) if (old < seq) this.waiting.delete(old);
  }

  private async news(waitMs: number, signal?: AbortSignal): Promise<void> {
    let timer: NodeJS.Timeout;
    await new Promise<void>((resolve) => {
      this.wake = resolve;
      timer = setTimeout(resolve, waitMs);
      signal?.addEventListener('abort', this.wake);
    }).finally(() => {
      clearTimeout(timer);
      if (this.wake) signal?.removeEventListener('abort', this.wake);
      this.wake = undefined;
    });
  }
}
