import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { BENCH, bench, benchQuickly, interrupt, PATIENCE_MS, rowsOf } from './run-bench.js';

describe('the benchmark of throughput', () => {
  interface Figures {
    systems: { name: string; title: string }[];
    runs: { system: string; items: number; recorded: number; itemsPerSecond: number }[];
  }
  const ITEMS = 500;
  /** The usual design gets a share of the items. */
  const USUAL_ITEMS = 100;

  it(
    'has every system work its items, finds all of their results, and prints them side by side',
    async () => {
      const { stdout, result } = await benchQuickly<Figures>('throughput');

      const { systems, runs } = result;
      const files = readdirSync(join(BENCH, 'systems')).map((file) => basename(file, '.mjs'));
      expect(systems.map(({ name }) => name).sort()).toEqual(files.sort());
      expect(runs.map(({ system }) => system).sort()).toEqual(files);
      for (const { system, items, recorded, itemsPerSecond } of runs) {
        const given = system === 'usual-nestjs' ? USUAL_ITEMS : ITEMS;
        expect({ system, items, recorded }).toEqual({ system, items: given, recorded: given });
        expect(itemsPerSecond).toBeGreaterThan(0);
      }
      const rows = rowsOf(stdout);
      for (const { title } of systems) expect(rows).toContain(title);
    },
    PATIENCE_MS,
  );

  it('names the systems it knows when it is asked for another one', async () => {
    await expect(bench('throughput', '--only', 'bull,cron')).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/does not know cron; it knows batchwise, .*bull/) as string,
    });
  });
});

describe('the benchmark of scale', () => {
  interface Figures {
    results: { name: string; items: number; runs: { recorded: number }[] }[];
  }

  it(
    'finds an outcome of every item of small and large, few and many batches',
    async () => {
      const { stdout, result } = await benchQuickly<Figures>('scale');

      const recorded = result.results.map(({ name, items, runs }) => [name, items, ...runs.map((run) => run.recorded)]);
      expect(recorded).toEqual([
        ['1 × 1,000', 1_000, 1_000],
        ['2 × 1,000', 2_000, 2_000],
        ['10 × 10', 100, 100],
        ['2 × 1,000 at once', 2_000, 2_000],
      ]);
      expect(rowsOf(stdout)).toEqual(recorded.map(([name]) => name));
    },
    PATIENCE_MS,
  );
});

describe('the benchmark of items that compute', () => {
  it(
    'has the threads of the service and of a bare pool do the same',
    async () => {
      const { stdout, result } = await benchQuickly<{ items: number; recorded: number; runs: object[] }>('computing');

      expect(result).toMatchObject({ items: 20, recorded: 20, runs: [{ pool: {}, service: {} }] });
      expect(rowsOf(stdout)).toEqual(['bare pool', 'the service']);
    },
    PATIENCE_MS,
  );
});

describe('a benchmark that is interrupted', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    'ends at a %s without a word, with its servers and their files',
    async (signal, code) => {
      const ended = await interrupt(signal, 'throughput', '--quick', '--rounds', '1000', '--only', 'copy,insert-select');

      expect(ended).toEqual({ code, stderr: '', left: [] });
    },
    PATIENCE_MS,
  );
});
