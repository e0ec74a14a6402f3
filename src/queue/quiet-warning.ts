import type { Logger } from '@nestjs/common';

const QUIET_MS = 30_000;

/** Says a warning that may come hundreds of times a second, as while Redis is away, once in half a minute with their number. */
export class QuietWarning {
  private saidAt = -Infinity;
  private unsaid = 0;

  constructor(
    private readonly logger: Logger,
    private readonly message: string,
  ) {}

  warn(error: unknown): void {
    const now = performance.now();
    this.unsaid += 1;
    if (now - this.saidAt < QUIET_MS) return;
    this.logger.warn({ err: error, times: this.unsaid }, this.message);
    this.saidAt = now;
    this.unsaid = 0;
  }
}
