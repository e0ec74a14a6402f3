import { RecordExternalResult } from '../../src/batches/commands/record-external-result.command.js';
import { RecordExternalResults } from '../../src/batches/commands/record-external-results.command.js';
import type { InputOf } from '../../src/common/procedure.js';
import { Engine, keys } from '../support/engine.js';
import { assertInvariants } from '../support/invariants.js';

let engine: Engine;

beforeAll(async () => (engine = await Engine.start()));
afterEach(() => assertInvariants(engine.database));
afterAll(() => engine.close());

type Results = InputOf<RecordExternalResults>['results'];

const record = (batchId: string, results: Results, last?: boolean) => engine.call(RecordExternalResults, { batchId, results, last });
const succeeded = (names: string[]): Results => names.map((key) => ({ key, success: true, output: { key } }));
const outside = (items: string[]) => engine.create({ operation: 'review', external: true, items });

test('a thousand results in a request are each recorded at their item, and the last ones end the batch', async () => {
  const names = keys(1_500);
  const { id } = await outside(names);
  const shuffled = names.toReversed();
  expect(await record(id, succeeded(shuffled.slice(0, 1_000)))).toMatchObject({
    recorded: 1_000,
    unchanged: [],
    batch: { status: 'running', counts: { succeeded: 1_000, pending: 500 } },
  });
  const rest = shuffled
    .slice(1_000)
    .map((key, n) => (n % 2 === 0 ? { key, success: true, output: { key } } : { key, success: false, error: `no ${key}` }));
  expect(await record(id, rest)).toMatchObject({
    recorded: 500,
    batch: { status: 'completed', counts: { succeeded: 1_250, failed: 250 } },
  });
  const outcomes = await engine.outcomes({ id });
  expect(outcomes.map(({ key }) => key)).toEqual(names);
  for (const { key, status, output, error } of outcomes) {
    if (status === 'succeeded') expect(output).toEqual({ key });
    else expect(error).toEqual({ kind: 'external', message: `no ${key}` });
  }
});

test('results of a batch that names no items take their places in the order in which they come', async () => {
  const { id } = await engine.create({ operation: 'review', external: true });
  await record(id, succeeded(['c', 'a']));
  const { batch } = await record(id, [{ key: 'b', success: true, retries: 2, durationMs: 12.5, quality: 0.5 }], true);
  expect(batch).toMatchObject({ status: 'completed', counts: { total: 3, succeeded: 3 } });
  expect((await engine.outcomes({ id })).map(({ seq, key }) => [seq, key])).toEqual([[0, 'c'], [1, 'a'], [2, 'b']]); // prettier-ignore
  expect((await engine.outcomes({ id }))[2]).toMatchObject({ attempts: 3, durationMs: 12.5, quality: 0.5 });
});

test('keys that have a result keep it, and are told as unchanged', async () => {
  const { id } = await outside(['a', 'b', 'c']);
  await engine.call(RecordExternalResult, { batchId: id, key: 'a', success: true, output: 1 });
  expect(await record(id, [{ key: 'a', success: false, error: 'late' }, { key: 'b', success: true }])).toMatchObject({ recorded: 1, unchanged: ['a'] }); // prettier-ignore
  expect(await record(id, succeeded(['a', 'b']))).toMatchObject({
    recorded: 0,
    unchanged: ['a', 'b'],
    batch: { counts: { succeeded: 2, pending: 1 } },
  });
  expect((await engine.outcomes({ id }))[0]).toMatchObject({ status: 'succeeded', output: 1 });
});

describe('refused as a whole, with nothing changed:', () => {
  const large = 'x'.repeat(262_144);

  test.each<[string, Results, string, string[]]>([
    ['keys that no item has', succeeded(['a', 'x', 'b', 'y']), 'NOT_FOUND', ['results.1.key', 'results.3.key']],
    ['a key that is there twice', succeeded(['a', 'b', 'a']), 'INVALID_INPUT', ['results.0.key']],
    ['a wrong field of one', [...succeeded(['a']), { key: 'b', success: true, quality: 2 }], 'INVALID_INPUT', ['results.1.quality']],
    [
      'an unknown field of one',
      [...succeeded(['a']), { key: 'b', success: true, colour: 'red' } as never],
      'INVALID_INPUT',
      ['results.1.colour'],
    ],
    ['an output that is not JSON', [...succeeded(['a']), { key: 'b', success: true, output: 1n }], 'INVALID_INPUT', ['results.1.output']],
    ['no results', [], 'INVALID_INPUT', ['results']],
    ['more than a thousand', succeeded(keys(1_001)), 'INVALID_INPUT', ['results']],
  ])('%s', async (_, results, code, paths) => {
    const { id } = await outside(['a', 'b', 'c']);
    const before = await engine.rowCounts();
    const refusal = (await record(id, results).catch((error: unknown) => error)) as {
      code: string;
      details: { errors: { path: string }[] };
    };
    expect({ code: refusal.code, paths: refusal.details.errors.map(({ path }) => path) }).toEqual({ code, paths });
    expect(await engine.rowCounts()).toEqual(before);
  });

  test('an output that is too large, and more results than are waited for', async () => {
    const { id } = await engine.create({ operation: 'review', external: true, totalItems: 2 });
    const before = await engine.rowCounts();
    await expect(record(id, [{ key: 'a', success: true, output: large }])).rejects.toMatchObject({
      code: 'TOO_LARGE',
      message: expect.stringMatching(/^results\.0\.output/) as string,
    });
    await expect(record(id, succeeded(['a', 'b', 'c']))).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringMatching(/waits for 2 of its 2 results, and 3 more were sent/) as string,
    });
    expect(await engine.rowCounts()).toEqual(before);
    expect(await engine.get(id)).toMatchObject({ status: 'pending' });
  });
});

test('many requests with the same results at once record each of them once', async () => {
  const names = keys(400);
  const { id } = await outside(names);
  const answers = await Promise.allSettled(
    Array.from({ length: 8 }, (_, n) => record(id, succeeded(n % 2 === 0 ? names : names.toReversed()))),
  );
  const recorded = answers.map((answer) => (answer.status === 'fulfilled' ? answer.value.recorded : 0));
  expect(recorded.reduce((sum, count) => sum + count, 0)).toBe(400);
  for (const answer of answers) if (answer.status === 'rejected') expect(answer.reason).toMatchObject({ code: 'CONFLICT' });
  expect(await engine.get(id)).toMatchObject({ status: 'completed', counts: { succeeded: 400 } });
  expect(await engine.outcomes({ id })).toHaveLength(400);
});
