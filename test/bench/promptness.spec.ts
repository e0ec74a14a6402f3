import { benchQuickly, PATIENCE_MS, rowsOf } from './run-bench.js';

describe('the benchmark of a batch of one item', () => {
  interface Figures {
    recorded: object;
    samples: Record<string, Record<string, number[]>>;
  }

  it(
    'times batches and jobs in turns, alone and with others beside',
    async () => {
      const { stdout, result } = await benchQuickly<Figures>('latency');

      const timed = Object.entries(result.samples).map(([when, times]) => [
        when,
        ...Object.entries(times).map(([what, { length }]) => [what, length]),
      ]);
      const each = [['answer', 10], ['event', 10], ['bull', 10]]; // prettier-ignore
      expect(timed).toEqual([
        ['alone', ...each],
        ['beside', ...each],
      ]);
      expect(result.recorded).toEqual({ outcomes: 20, jobs: 20 });
      expect(rowsOf(stdout)).toEqual([...Array<string>(3).fill('alone'), ...Array<string>(3).fill('4 batches beside')]);
    },
    PATIENCE_MS,
  );
});

describe('the benchmark of items that wait', () => {
  interface Figures {
    figures: { name: string; batches: number; items: number; results: number }[];
  }

  it(
    'sees a result of every item',
    async () => {
      const { stdout, result } = await benchQuickly<Figures>('waiting');

      expect(result.figures.map(({ name, batches, items, results }) => ({ name, batches, items, results }))).toEqual([
        { name: 'one batch', batches: 1, items: 400, results: 400 },
        { name: 'many at once', batches: 5, items: 20, results: 100 },
      ]);
      expect(rowsOf(stdout)).toHaveLength(2);
    },
    PATIENCE_MS,
  );
});

describe('the benchmark of what is read', () => {
  it(
    'asks for everything',
    async () => {
      const { stdout, result } = await benchQuickly<{ figures: { name: string; path: string; bytes: number }[] }>('reads');

      expect(result.figures).toHaveLength(56);
      for (const { name, path, bytes } of result.figures) expect({ name, path, empty: bytes === 0 }).toEqual({ name, path, empty: false });
      expect(rowsOf(stdout)).toEqual(result.figures.map(({ name }) => name));
    },
    PATIENCE_MS,
  );
});

describe('the benchmark of those who watch', () => {
  it(
    'has every socket hear of every end',
    async () => {
      const { stdout, result } = await benchQuickly<{ delays: { completed: object } }>('watching');

      expect(result).toMatchObject({ sockets: 10, complete: 10, batches: 4, delays: { completed: { count: 40 } } });
      expect(rowsOf(stdout)).toContain('sockets that heard of every end');
    },
    PATIENCE_MS,
  );
});

describe('the benchmark of many tenants', () => {
  interface Figures {
    rows: { what: string }[];
    samples: { alone: object[]; beside: object[] };
  }

  it(
    'times a batch of each quiet tenant, alone and beside the noise',
    async () => {
      const { stdout, result } = await benchQuickly<Figures>('noisy-tenant');

      expect([result.samples.alone.length, result.samples.beside.length]).toEqual([9, 9]);
      expect(rowsOf(stdout)).toEqual(['start', 'end']);
    },
    PATIENCE_MS,
  );
});

describe('the benchmark of long items', () => {
  it(
    'counts the small batches that end beside them',
    async () => {
      const { stdout, result } = await benchQuickly<{ rows: { batches: number; ended: number; times: number[] }[] }>('long-items');

      expect(result.rows.map(({ batches, ended, times }) => [batches, ended, times.length])).toEqual([[10, 10, 10]]);
      expect(rowsOf(stdout)).toEqual(['one long, ten others']);
    },
    PATIENCE_MS,
  );
});
