const STEP_MS = 0.5;

/**
 * Two that run at the same moment, again and again. Who has won waits a little longer before the next start, so that both orders come to
 * pass on any machine, and most rounds are close.
 */
export class Race {
  readonly wins = { first: 0, second: 0 };

  run<First, Second>(first: () => Promise<First>, second: () => Promise<Second>): Promise<[First, Second]> {
    const handicapMs = (this.wins.first - this.wins.second) * STEP_MS;
    return Promise.all([after(handicapMs, first), after(-handicapMs, second)]);
  }

  won(winner: 'first' | 'second'): void {
    this.wins[winner] += 1;
  }
}

async function after<T>(ms: number, start: () => Promise<T>): Promise<T> {
  if (ms >= 1) await new Promise((resolve) => setTimeout(resolve, ms));
  return start();
}
