/** Of a supervisor, of Ctrl-C, of a terminal that is closed. */
const SIGNALS = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
/** npm hands Ctrl-C on to what it has started, which the terminal has told already. */
const SAME_WISH_MS = 1_000;

export interface EndOptions {
  /** Drains the work and closes everything. */
  close: () => Promise<void>;
  /** After so long the process ends in any case. */
  graceMs: number;
  /** When a signal has ended it in order. Default 0. */
  exitCode?: number;
  /** Told what happens. */
  tell: (message: string) => void;
}

/** Ends this process in order, once. */
export interface ProcessEnd {
  readonly isUnderWay: boolean;
  /** For another reason than a signal. */
  begin(reason: string, exitCode: number): void;
}

/**
 * From now on the first signal closes in order and then ends the process. Another within a second is the same wish; a later one, or the end
 * of the grace time, ends the process at once, and leases bring its work back.
 */
export function endOnSignals({ close, graceMs, exitCode = 0, tell }: EndOptions): ProcessEnd {
  let begunAt: number | undefined;
  const begin = (reason: string, code: number): void => {
    if (begunAt !== undefined) return;
    begunAt = performance.now();
    tell(`${reason}: finishing items in flight (up to ${graceMs} ms)`);
    setTimeout(() => {
      tell(`not closed within ${graceMs} ms: ends at once; what it still holds is taken over by others`);
      process.exit(code || 1);
    }, graceMs).unref();
    close().then(
      () => process.exit(code),
      (error: unknown) => {
        tell(error instanceof Error ? (error.stack ?? error.message) : String(error));
        process.exit(1);
      },
    );
  };
  const hear = (signal: string): void => {
    if (begunAt === undefined) begin(signal, exitCode);
    else if (performance.now() - begunAt > SAME_WISH_MS) process.exit(1);
  };
  for (const signal of SIGNALS) process.on(signal, hear);
  return {
    get isUnderWay() {
      return begunAt !== undefined;
    },
    begin,
  };
}
