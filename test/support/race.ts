import { appendFileSync } from 'node:fs';

const STEP_MS = 0.5;
/** More would be a sequence, not a race. */
const MAX_HANDICAP_MS = 20;

/**
 * Two that run at the same moment, again and again. Who has won waits a little longer before the next start, so that both orders come to
 * pass on any machine, and most rounds are close.
 */
export class Race {
  readonly wins = { first: 0, second: 0 };

  run<First, Second>(first: () => Promise<First>, second: () => Promise<Second>): Promise<[First, Second]> {
    const lead = (this.wins.first - this.wins.second) * STEP_MS;
    const handicapMs = Math.max(-MAX_HANDICAP_MS, Math.min(MAX_HANDICAP_MS, lead));
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

/** Pairs of each kind, for `npm run test:races`; a few dozen see that the kinds themselves work. */
export const PAIRS = Number(process.env.RACE_PAIRS ?? 12);

export type Winner = 'first' | 'second' | 'both';

/** What came of the pairs of one kind; a line of the file that RACE_REPORT names. */
export class RaceReport {
  readonly wins = { first: 0, second: 0, both: 0 };
  readonly violations: string[] = [];

  constructor(private readonly kind: string) {}

  /**
   * Plays one pair and counts who won; what it throws is a violation.
   * @param name which pair it is, for whoever reads of a violation
   */
  async play(name: string, pair: () => Promise<Winner>): Promise<void> {
    try {
      this.wins[await pair()] += 1;
    } catch (error) {
      this.violations.push(`${name}: ${(error as Error).message}`);
    }
  }

  /** @throws Error with the first broken rule */
  close(): void {
    const { kind, wins, violations } = this;
    const pairs = wins.first + wins.second + wins.both + violations.length;
    const file = process.env.RACE_REPORT;
    if (file) appendFileSync(file, `${JSON.stringify({ kind, pairs, ...wins, violations: violations.length, example: violations[0] })}\n`);
    if (violations.length > 0) throw new Error(`${violations.length} of ${pairs} pairs broke a rule; the first: ${violations[0]}`);
  }
}
