import { UpdateBatch } from '../../src/batches/commands/update-batch.command.js';
import type { BatchView } from '../../src/batches/batch.view.js';
import type { ThreadLimits } from '../../src/batches/resource-limits.options.js';
import { Engine, FAST_RETRY } from '../support/engine.js';
import { ThreadedModule } from '../support/threaded.js';

describe('what a batch may use of a process', () => {
  let engine: Engine;

  beforeAll(async () => {
    engine = await Engine.start({ WORKER_THREADS: '2' }, [ThreadedModule]);
  });

  afterAll(() => engine.close());

  const worked = async (payloads: object[], resourceLimits: ThreadLimits, timeout = 30_000): Promise<BatchView> => {
    const options = { ...FAST_RETRY, retryAttempts: 0, resourceLimits, timeout };
    const items = payloads.map((payload) => ({ payload }));
    return engine.ended(await engine.create({ operation: 'threaded', items, options }), 120_000);
  };

  const outputs = async <T>(batch: BatchView): Promise<T[]> => (await engine.outcomes(batch)).map(({ output }) => output as T);

  test('its processor time is held to its share', async () => {
    const batch = await worked(Array(8).fill({ do: 'burn', ms: 100 }), { maxCpuPercent: 20 });
    const busy = (await outputs<{ busyMs: number }>(batch)).map(({ busyMs }) => busyMs);
    expect(busy).toHaveLength(8);
    const elapsedMs = Date.parse(batch.endedAt!) - Date.parse(batch.startedAt!);
    // Two threads may begin together, and what the last two did is paid for after the end.
    const paidMs = busy.reduce((sum, ms) => sum + ms, 0) - 2 * Math.max(...busy);
    expect(paidMs / elapsedMs).toBeLessThanOrEqual(0.21);
    expect(paidMs).toBeGreaterThan(300);
  }, 150_000);

  test('an item that never stops ends with its share of its time limit', async () => {
    const batch = await worked([{ do: 'spin', ms: 600_000 }, { do: 'nothing' }], { maxCpuPercent: 5 }, 10_000);
    expect(batch.counts).toMatchObject({ succeeded: 1, failed: 1 });
    expect((await engine.outcomes(batch))[0]).toMatchObject({
      error: { kind: 'resource-limit', message: expect.stringMatching(/busy for \d+ ms; 500 ms are its share .*maxCpuPercent/) },
    });
  }, 60_000);

  test('an item has no more memory than its batch', async () => {
    const batch = await worked([{ do: 'objects' }, { do: 'nothing' }], { maxMemoryMb: 32 });
    expect(batch.counts).toMatchObject({ succeeded: 1, failed: 1 });
    expect((await engine.outcomes(batch))[0]).toMatchObject({
      error: { kind: 'resource-limit', message: expect.stringContaining('32 MB') },
    });
  }, 60_000);

  test.each([
    [100, 1],
    [128, 2],
  ])(
    'with %i MB, threads of 64 MB are %i at a time',
    async (maxMemoryMb, most) => {
      const batch = await worked(Array(6).fill({ do: 'wait', ms: 200 }), { maxMemoryMb });
      const spans = await outputs<{ from: number; to: number }>(batch);
      const together = spans.map(({ from }) => spans.filter((other) => other.from <= from && from < other.to).length);
      expect(Math.max(...together)).toBe(most);
    },
    60_000,
  );

  test('the least memory that can be asked for is enough to work in', async () => {
    const batch = await worked([{ do: 'nothing' }], { maxMemoryMb: 16 });
    expect(batch.counts.succeeded).toBe(1);
  });

  test.each([{ operation: 'noop' }, { operation: 'threaded', external: true }])(
    'cannot be limited where its items work in the main thread, or outside: a warning for each limit, and none is shown: %j',
    async (input) => {
      const resourceLimits = { maxMemoryMb: 100, maxCpuPercent: 50 };
      const batch = await engine.create({ ...input, items: ['a'], options: { resourceLimits } });
      const why = input.external ? 'its results come from outside' : 'the operation noop works in the main thread';
      const warnings = Object.keys(resourceLimits).map((name) => `options.resourceLimits.${name} has no effect: ${why}`);
      expect(batch.warnings).toEqual(warnings.map((warning) => expect.stringContaining(warning)));
      expect(batch.options.resourceLimits).toBeNull();
    },
  );

  test('whose settings are changed to limits that cannot be kept is refused', async () => {
    const { id } = await engine.create({ operation: 'noop', items: ['a'], start: false });
    const change = engine.call(UpdateBatch, { batchId: id, options: { resourceLimits: { maxCpuPercent: 50 } } });
    const errors = [{ path: 'options.resourceLimits.maxCpuPercent' }];
    await expect(change).rejects.toMatchObject({ code: 'UNPROCESSABLE', details: { errors } });
  });
});
