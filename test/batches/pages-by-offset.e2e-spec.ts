import { setTimeout as delay } from 'node:timers/promises';
import { AddItems } from '../../src/batches/commands/add-items.command.js';
import { CancelBatch } from '../../src/batches/commands/cancel-batch.command.js';
import { RetryItems } from '../../src/batches/commands/retry-items.command.js';
import { itemsFromArray } from '../../src/batches/item-source.js';
import { ListItems } from '../../src/batches/queries/list-items.query.js';
import { ListOutcomes } from '../../src/batches/queries/list-outcomes.query.js';
import { Engine, FAST_RETRY, type ItemScript, keys } from '../support/engine.js';
import { eventually, Gate } from '../support/eventually.js';

let engine: Engine;

beforeAll(async () => (engine = await Engine.start()));
afterAll(() => engine.close());

const OPTIONS = { ...FAST_RETRY, retryAttempts: 0, batchSize: 70, concurrency: 20 };
const items = (count: number, prefix = '') => keys(count).map((key) => ({ key: `${prefix}${key}`, payload: { n: Number(key) } }));
const succeed: ItemScript = () => undefined;

const COUNTING = `
  SELECT o.seq FROM outcome o JOIN run r ON r.id = o.run_id WHERE r.batch_id = $1 AND repeated_in IS NULL AND ($2::smallint IS NULL OR o.status = $2)
  ORDER BY o.seq, o.run_id`;
const LISTED = `
  SELECT generate_series(c.no, c.no + c.size - 1)::int AS seq FROM run r JOIN chunk c ON c.run_id = r.id AND c.no >= 0 AND c.state <> 3
  WHERE r.batch_id = $1 AND r.no = 1 ORDER BY 1`;

/** Every page that begins near an offset where something may change is what the rows at that place are, in order. */
async function expectPages(id: string): Promise<number[]> {
  const counting = await seqsOf(COUNTING, [id, null]);
  const listed = await seqsOf(LISTED, [id]);
  const succeeded = await seqsOf(COUNTING, [id, 1]);
  for (const offset of offsetsOf(counting)) {
    const page = (rows: { seq: number }[]): string => `from ${offset}: ${rows.map(({ seq }) => seq).join(' ')}`;
    const expected = (seqs: number[]): string => page(seqs.slice(offset, offset + 7).map((seq) => ({ seq })));
    const at = { batchId: id, offset, limit: 7 };
    expect(page((await engine.call(ListOutcomes, at)).rows)).toBe(expected(counting));
    expect(page((await engine.call(ListOutcomes, { ...at, status: 'succeeded' })).rows)).toBe(expected(succeeded));
    expect(page((await engine.call(ListItems, at)).rows)).toBe(expected(listed));
  }
  return counting;
}

async function seqsOf(text: string, values: unknown[]): Promise<number[]> {
  return (await engine.sql<{ seq: number }>(text, values)).map(({ seq }) => seq);
}

function offsetsOf(seqs: number[]): number[] {
  const jumps = seqs.flatMap((seq, index) => (seq - (seqs[index - 1] ?? -1) > 1 ? [index] : []));
  const near = jumps.filter((_, index) => index < 5 || index > jumps.length - 6).flatMap((index) => [index - 3, index, index + 4]);
  const { length } = seqs;
  return [0, 3, 999, 1_000, 1_050, 1_337, 1_400, ...near, length - 7, length - 1, length, length + 50].filter((offset) => offset >= 0);
}

/** Whether any two positions with outcomes have some between them that have none. */
const hasHoles = (seqs: number[]): boolean => seqs.at(-1)! >= seqs.length;

describe('pages by offset are those that counting would find', () => {
  test('of a batch that has ended', async () => {
    const { id } = await engine.run(({ key }) => (Number(key) % 7 === 0 ? { skipped: 'seventh' } : undefined), {
      items: items(2_000),
      options: OPTIONS,
    });
    await engine.ended({ id });

    expect(hasHoles(await expectPages(id))).toBe(false);
  });

  test('behind positions that a refused request had reserved', async () => {
    const { id } = await engine.run(succeed, { open: true, start: true, options: OPTIONS });
    const add = (values: unknown[], seal = false) => engine.call(AddItems, { batchId: id, source: itemsFromArray(values), seal });
    await add(items(1_200, 'a'));
    await expect(add([...items(5_500), 'wrong', { wrong: true }])).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await add(items(1_200, 'b'), true);
    await engine.ended({ id });

    expect(hasHoles(await expectPages(id))).toBe(true);
  });

  test.each([
    ['wait for another try', 600_000, 'retry'],
    ['are tried again', 1, 'chunk WHERE no < 0 AND state = 1'],
  ])('while the last items are worked, and some before them %s', async (_, retryDelay, place) => {
    const gate = new Gate();
    const { id } = await engine.run(
      async ({ key }, { attempt }) => {
        if (Number(key) > 2_500 || attempt > 1) await gate.opened;
        if (Number(key) % 97 === 0 && attempt === 1) throw new Error('not yet');
      },
      { items: items(3_000), options: { ...OPTIONS, retryAttempts: 3, retryDelay } },
    );
    await eventually(
      () => engine.get(id),
      ({ counts }) => counts.succeeded === 2_500 - 25,
    );
    expect(await seqsOf(`SELECT 1 AS seq FROM ${place}`, [])).not.toEqual([]);
    expect(hasHoles(await expectPages(id))).toBe(true);
    await engine.call(CancelBatch, { batchId: id });
    gate.open();
    await engine.ended({ id });
    await expectPages(id);
  });

  test('of a cancelled batch, while its items are repeated, and when they were', async () => {
    let gate = new Gate();
    let failing = true;
    const { id } = await engine.run(
      async ({ key }) => {
        if (Number(key) > 1_900) await gate.opened.then(() => delay(20));
        if (failing && Number(key) % 9 === 0) throw new Error('no');
      },
      { items: items(2_500), options: OPTIONS },
    );
    const untilGate = () =>
      eventually(
        () => seqsOf(COUNTING, [id, null]),
        (seqs) => seqs.filter((seq) => seq < 1_900).length === 1_900,
      );
    await untilGate();
    await engine.call(CancelBatch, { batchId: id });
    gate.open();
    const { counts } = await engine.ended({ id });
    await expectPages(id);

    failing = false;
    gate = new Gate();
    await engine.call(RetryItems, { batchId: id, statuses: ['failed', 'cancelled'] });
    await untilGate();
    expect(hasHoles(await expectPages(id))).toBe(true);
    gate.open();
    await engine.ended({ id });
    expect(counts.cancelled).toBeGreaterThan(0);
    expect(await expectPages(id)).toHaveLength(2_500);
  });
});
