const POLL_MS = 20;

interface Patience {
  withinMs: number;
  /** Between two reads. */
  pollMs: number;
}

/**
 * Reads until `holds` says yes and gives back what was read; fails with the last value after `withinMs`. A read that throws (an
 * expectation, say) counts as "not yet".
 */
export async function eventually<T>(
  read: () => Promise<T> | T,
  holds: (value: T) => boolean = () => true,
  patience: number | Patience = 15_000,
): Promise<T> {
  const { withinMs, pollMs } = typeof patience === 'number' ? { withinMs: patience, pollMs: POLL_MS } : patience;
  const deadline = performance.now() + withinMs;
  for (;;) {
    let last: unknown;
    try {
      const value = await read();
      if (holds(value)) return value;
      last = value;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) {
      if (last instanceof Error) throw last;
      throw new Error(`did not come true within ${withinMs} ms; last seen: ${JSON.stringify(last, null, 1)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

/** Something that one side opens and the other waits at, instead of a sleep. */
export class Gate {
  open!: () => void;
  readonly opened = new Promise<void>((resolve) => (this.open = resolve));
}
