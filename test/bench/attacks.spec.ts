import { benchQuickly, PATIENCE_MS, rowsOf } from './run-bench.js';

describe('the benchmark of attackers', () => {
  interface Figures {
    senders: { answers: object };
    slow: { closed: number };
    subscriptions: { open: number };
    ends: { what: string; code: number }[];
  }

  it(
    'measures a reader beside each of them, and the end of a process with each kind of connection',
    async () => {
      const { stdout, result } = await benchQuickly<Figures>('attack');

      expect(result).toMatchObject({
        senders: { answers: { 401: expect.any(Number) as number } },
        slow: { closed: 8 },
        subscriptions: { open: 20 },
      });
      expect(result.ends.map(({ code }) => code)).toEqual([0, 0, 0, 0, 0]);
      expect(rowsOf(stdout)).toHaveLength(10);
    },
    PATIENCE_MS,
  );
});

describe('the benchmark of memory', () => {
  interface Figures {
    runs: { figures: { what: string; worked: number; keptMb: number }[] }[];
  }

  it(
    'has every hostile file read, and work done before and after',
    async () => {
      const { stdout, result } = await benchQuickly<Figures>('memory');

      const [tuned, usual] = result.runs.map(({ figures }) => figures.map(({ what, worked }) => [what, worked]));
      expect(tuned).toEqual([
        ['the first rounds of mixed work', 1],
        ...tuned!.slice(1, -1).map(([what]) => [what, 2]),
        ['the time of mixed work', 1],
      ]);
      expect(tuned!.length).toBeGreaterThan(8);
      expect(usual).toEqual(tuned);
      expect(rowsOf(stdout)).toEqual(tuned!.map(([what]) => what));
    },
    PATIENCE_MS,
  );
});
