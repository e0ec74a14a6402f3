import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { Config } from '../config.js';

/** Of a process that ended to be started anew: "try again" (EX_TEMPFAIL). Supervisors restart on any code but 0. */
export const RECYCLE_EXIT_CODE = 75;

/**
 * Faults of this process that only a new one is free of. While there is one the process is not ready; one that stays for
 * `RECYCLE_AFTER_MS` makes the process due to drain and end, which is up to whoever runs it.
 */
@Injectable()
export class ProcessRecycler implements OnModuleDestroy {
  private readonly logger = new Logger(ProcessRecycler.name);
  private readonly faults = new Map<string, { message: string; timer: NodeJS.Timeout }>();
  private decide!: (reason: string) => void;
  /** Fulfilled, with the reason, when the process should end. Never rejects. */
  readonly due = new Promise<string>((resolve) => (this.decide = resolve));

  constructor(private readonly config: Config) {}

  /** Why the process is not ready, if it is not. */
  get fault(): string | undefined {
    return this.faults.values().next().value?.message;
  }

  /** @param cause names the fault; saying it again, in other words too, does not begin the wait anew */
  report(cause: string, message: string): void {
    const known = this.faults.get(cause);
    if (known) {
      known.message = message;
      return;
    }
    this.logger.error(`${message}; this process ends for a new one if that lasts ${this.config.recycleAfterMs} ms`);
    const timer = setTimeout(() => this.decide(this.faults.get(cause)!.message), this.config.recycleAfterMs).unref();
    this.faults.set(cause, { message, timer });
  }

  /** The fault is gone by itself. */
  withdraw(cause: string): void {
    clearTimeout(this.faults.get(cause)?.timer);
    this.faults.delete(cause);
  }

  onModuleDestroy(): void {
    for (const cause of [...this.faults.keys()]) this.withdraw(cause);
  }
}
