import fc from 'fast-check';
import { isTerminal, RUN_STATUSES } from '../../src/batches/batch.state.js';
import { RecordExternalResult } from '../../src/batches/commands/record-external-result.command.js';
import { ListBatches } from '../../src/batches/queries/list-batches.query.js';
import { ListEvents } from '../../src/batches/queries/list-events.query.js';
import { type BatchRow, toBatchView } from '../../src/batches/store/select-batches.js';
import { Engine, keys } from '../support/engine.js';

const HUGE = 2_000_000_000;
const count = fc.oneof(fc.constantFrom(0, 1), fc.integer({ min: 0, max: 1_000 }), fc.integer({ min: 0, max: HUGE / 8 }));

/** Of a batch in any state, with counts that add up. */
const rows: fc.Arbitrary<BatchRow> = fc
  .record({
    status: fc.constantFrom(...RUN_STATUSES),
    succeeded: count,
    failed: count,
    skipped: count,
    cancelled: count,
    running: count,
    pending: count,
    startedMsAgo: fc.integer({ min: 0, max: 1_000_000_000 }),
    perMinute: fc.option(fc.integer({ min: 1, max: 1_000_000 })),
  })
  .map(({ startedMsAgo, perMinute, pending, ...row }) => {
    const over = isTerminal(row.status);
    const counts = { ...row, running: over ? 0 : row.running, cancelled: row.status === 'completed' ? 0 : row.cancelled };
    const total = counts.succeeded + counts.failed + counts.skipped + counts.cancelled + counts.running + (over ? 0 : pending);
    const started_at = row.status === 'pending' ? null : new Date(Date.now() - startedMsAgo);
    const options = perMinute === null ? {} : { rateLimitPerMinute: perMinute };
    return {
      ...counts,
      total,
      started_at,
      ends_as: 'cancelled',
      warnings: [],
      processed_before: 0,
      options,
      created_at: new Date(),
    } as unknown as BatchRow;
  });

test('progress is a whole number from 0 to 100, and below 100 until the end; the time that remains is unknown or a number', () => {
  fc.assert(
    fc.property(rows, (row) => {
      const { progress, etaMs, counts } = toBatchView(row);
      expect(Number.isInteger(progress)).toBe(true);
      expect(progress).toBeGreaterThanOrEqual(0);
      expect(progress).toBeLessThanOrEqual(isTerminal(row.status) ? 100 : 99);
      if (etaMs !== null) {
        expect(Number.isFinite(etaMs)).toBe(true);
        expect(etaMs).toBeGreaterThanOrEqual(0);
      }
      const { total, ...parts } = counts;
      expect(Object.values(parts).reduce((sum, part) => sum + part, 0)).toBe(total);
    }),
    { numRuns: 2_000 },
  );
});

describe('pages', () => {
  let engine: Engine;

  beforeAll(async () => (engine = await Engine.start({ ROLE: 'api', CREATE_LIMIT_PER_MINUTE: '100000' })));
  afterAll(() => engine.close());

  /** To the microsecond: a JavaScript date would leave out what was created in its millisecond. */
  async function databaseTime(): Promise<string> {
    const text = `SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS now`;
    return (await engine.sql<{ now: string }>(text))[0]!.now;
  }

  /** A page's size, and how many rows are added after it was read. */
  const reading = fc.array(fc.record({ limit: fc.integer({ min: 1, max: 7 }), added: fc.integer({ min: 0, max: 3 }) }), {
    minLength: 1,
    maxLength: 8,
  });
  const RUNS = { numRuns: 10 };
  let tenants = 0;

  test('of batches created before a moment miss none and repeat none while others are created', async () => {
    await fc.assert(
      fc.asyncProperty(reading, fc.integer({ min: 0, max: 12 }), async (steps, existing) => {
        const caller = { tenant: `reader-${(tenants += 1)}` };
        const create = () => engine.create({ items: ['a'], start: false }, caller);
        const expected: string[] = [];
        for (let n = 0; n < existing; n += 1) expected.unshift((await create()).id);
        const createdBefore = await databaseTime();
        const read: string[] = [];
        for (let page = 0; ; page += 1) {
          const { limit, added } = steps[page % steps.length]!;
          const { rows: found, hasMore } = await engine.call(ListBatches, { createdBefore, limit, offset: read.length }, caller);
          read.push(...found.map(({ id }) => id));
          if (!hasMore) break;
          for (let n = 0; n < added; n += 1) await create();
        }
        expect(read).toEqual(expected);
      }),
      RUNS,
    );
  }, 60_000);

  test('of events after the last one read miss none and repeat none while more come', async () => {
    await fc.assert(
      fc.asyncProperty(reading, async (steps) => {
        const { id } = await engine.create({ operation: 'export', external: true, totalItems: 100 });
        const names = keys(100);
        const add = () => engine.call(RecordExternalResult, { batchId: id, key: names.pop()!, success: true });
        const read: number[] = [];
        for (const { limit, added } of steps) {
          for (let n = 0; n < added; n += 1) await add();
          read.push(...(await engine.call(ListEvents, { batchId: id, afterSeq: read.at(-1) ?? 0, limit })).map(({ seq }) => seq));
        }
        expect(read).toEqual(read.map((_, index) => index + 1));
      }),
      RUNS,
    );
  }, 60_000);
});
