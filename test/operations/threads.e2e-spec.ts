import { CancelBatch } from '../../src/batches/commands/cancel-batch.command.js';
import type { OutcomeView } from '../../src/batches/item.view.js';
import { Engine, FAST_RETRY } from '../support/engine.js';
import { eventually } from '../support/eventually.js';
import { ThreadedModule } from '../support/threaded.js';

const ONCE = { ...FAST_RETRY, retryAttempts: 0 };

const threadsOf = (outcomes: OutcomeView[]): number[] => outcomes.map(({ output }) => (output as { threadId: number }).threadId);

describe('an item that is worked in a thread', () => {
  let engine: Engine;

  beforeAll(async () => {
    engine = await Engine.start({ WORKER_THREADS: '2' }, [ThreadedModule]);
  });

  afterAll(() => engine.close());

  const run = (payloads: object[], options: object = {}) =>
    engine.create({ operation: 'threaded', items: payloads.map((payload) => ({ payload })), options: { ...ONCE, ...options } });

  const worked = async (payloads: object[], options: object = {}) => {
    const batch = await engine.ended(await run(payloads, options));
    return engine.outcomes(batch);
  };

  test('gets plain data, and gives its output and quality', async () => {
    const batch = await engine.create({
      operation: 'threaded',
      parameters: { word: 'so' },
      items: [{ key: 'a', payload: { do: 'say', text: 'hi' } }],
    });
    await engine.ended(batch);
    expect(await engine.outcomes(batch)).toMatchObject([
      {
        status: 'succeeded',
        quality: 0.5,
        output: {
          text: 'hi',
          key: 'a',
          attempt: 1,
          operation: 'threaded',
          parameters: { word: 'so' },
          idempotencyKey: expect.stringContaining(batch.id),
        },
      },
    ]);
    expect(threadsOf(await engine.outcomes(batch))[0]).toBeGreaterThan(0);
  });

  test('that returns nothing has succeeded', async () => {
    expect(await worked([{ do: 'nothing' }])).toMatchObject([{ status: 'succeeded', output: null }]);
  });

  test('that gives what JSON would lose fails for good, by the name of the field', async () => {
    const [outcome] = await worked([{ do: 'notJson' }], { retryAttempts: 2 });
    expect(outcome).toMatchObject({
      status: 'failed',
      attempts: 1,
      error: { kind: 'invalid-result', message: expect.stringContaining('output.ids.0: is a BigInt') },
    });
  });

  test.each([
    [{ do: 'permanent' }, 'permanent', 'no such thing'],
    [{ do: 'plain' }, 'retryable', 'out of range'],
    [{ do: 'nothingReadable' }, 'retryable', 'undefined'],
    [{ do: 'throwLater' }, 'retryable', 'thrown in a timer'],
    [{ do: 'exit' }, 'retryable', 'its thread ended with code 3 in the midst of it'],
    [{ do: 'circular' }, 'invalid-result', 'circular'],
    [{ do: 'large', characters: 300_000 }, 'invalid-result', 'at most 262144 are kept'],
    [{ do: 'large', characters: 2_000_000 }, 'invalid-result', 'cannot be recorded'],
    [{ do: 'objects' }, 'resource-limit', 'it needs more than 64 MB of memory'],
    [{ do: 'buffers' }, 'resource-limit', 'at most 64 MB are allowed'],
  ])('%j fails alone, as %s', async (payload, kind, message) => {
    const outcomes = await worked([{ do: 'say', text: 'before' }, payload, { do: 'say', text: 'after' }], { concurrency: 1 });
    expect(outcomes).toMatchObject([
      { status: 'succeeded' },
      { status: 'failed', error: { kind, message: expect.stringContaining(message) } },
      { status: 'succeeded' },
    ]);
  });

  test('fails with the stack of what its own code threw', async () => {
    const batch = await engine.ended(await run([{ do: 'plain' }]));
    const [row] = await engine.sql<{ error_stack: string }>(
      'SELECT error_stack FROM outcome JOIN run ON run.id = outcome.run_id WHERE run.batch_id = $1',
      [batch.id],
    );
    expect(row!.error_stack).toMatch(/out of range[^]*scripted\.mjs/);
  });

  test('is not tried again when it took too much memory', async () => {
    expect(await worked([{ do: 'objects' }], { retryAttempts: 3 })).toMatchObject([{ error: { kind: 'resource-limit' }, attempts: 1 }]);
  });

  test('that asks to be tried later is', async () => {
    expect(await worked([{ do: 'later', times: 1 }], { concurrency: 1 })).toMatchObject([
      { status: 'succeeded', output: 'then', attempts: 1 },
    ]);
  });

  test('takes no harm from what an earlier one left behind in its thread', async () => {
    const spins = Array.from({ length: 4 }, () => ({ do: 'wait', ms: 100 }));
    const outcomes = await worked([{ do: 'leaveBomb', ms: 50 }, ...spins], { concurrency: 1 });
    expect(outcomes.map(({ status }) => status)).toEqual(Array(5).fill('succeeded'));
  });

  test('that does not listen is ended at its time limit, and its siblings go on', async () => {
    const outcomes = await worked(
      [
        { do: 'spin', ms: 600_000 },
        { do: 'say', text: 'sibling' },
        { do: 'say', text: 'later' },
      ],
      { timeout: 300 },
    );
    expect(outcomes).toMatchObject([{ status: 'failed', error: { kind: 'timeout' } }, { status: 'succeeded' }, { status: 'succeeded' }]);
  });

  test('is told of its time limit, and that its batch was stopped', async () => {
    expect(await worked([{ do: 'untilAborted' }], { timeout: 200 })).toMatchObject([{ error: { kind: 'timeout' } }]);
    const batch = await run([{ do: 'untilAborted' }]);
    await eventually(
      () => engine.get(batch.id),
      ({ counts }) => counts.running === 1,
    );
    await engine.call(CancelBatch, { batchId: batch.id });
    await engine.ended(batch);
    expect(await engine.outcomes(batch)).toMatchObject([{ status: 'succeeded', output: { reason: 'BatchStoppedError' } }]);
  });

  test('that does not listen is ended when its batch is cancelled', async () => {
    const batch = await run([{ do: 'spin', ms: 600_000 }], { timeout: 600_000 });
    await eventually(
      () => engine.get(batch.id),
      ({ counts }) => counts.running === 1,
    );
    await engine.call(CancelBatch, { batchId: batch.id });
    expect(await engine.ended(batch)).toMatchObject({ status: 'cancelled', counts: { cancelled: 1, running: 0 } });
  });

  test('tells how far it is', async () => {
    const batch = await run([{ do: 'progress', steps: [20, 40, 60] }], { timeout: 600_000 });
    await eventually(
      () => engine.items(batch),
      ([item]) => (item as { progress?: number }).progress === 60,
    );
    await engine.call(CancelBatch, { batchId: batch.id });
    await engine.ended(batch);
  });

  test('waits for a thread outside of its time limit, in turns with other batches', async () => {
    const long = await run(
      Array.from({ length: 8 }, () => ({ do: 'wait', ms: 400 })),
      { timeout: 1_000, concurrency: 8 },
    );
    await eventually(
      () => engine.get(long.id),
      ({ counts }) => counts.running > 0,
    );
    const short = await engine.ended(await run([{ do: 'say', text: 'short' }]));
    expect(short.counts.succeeded).toBe(1);
    expect((await engine.get(long.id)).counts.succeeded).toBeLessThan(8);
    const outcomes = await engine.outcomes(await engine.ended(long));
    expect(outcomes.map(({ status }) => status)).toEqual(Array(8).fill('succeeded'));
    expect(new Set(threadsOf(outcomes)).size).toBeLessThanOrEqual(2);
    // Waiting is not work: an item that waited for three others took no longer than they.
    for (const { durationMs } of outcomes) expect(durationMs).toBeLessThan(1_000);
  });

  test('whose module is not there says so', async () => {
    const batch = await engine.ended(await engine.create({ operation: 'threaded-lost', items: ['a'], options: ONCE }));
    expect(await engine.outcomes(batch)).toMatchObject([{ status: 'failed', error: { message: expect.stringContaining('nowhere.mjs') } }]);
  });
});
