import { RetryItems } from '../../src/batches/commands/retry-items.command.js';
import { Engine, FAST_RETRY, keys } from '../support/engine.js';
import { assertInvariants } from '../support/invariants.js';

let engine: Engine;

beforeAll(async () => (engine = await Engine.start()));
afterEach(() => assertInvariants(engine.database));
afterAll(() => engine.close());

test('failed items of a completed batch are worked again in a new run', async () => {
  let broken = true;
  const { id } = await engine.run(
    ({ key }) => {
      if (broken && Number(key) % 10 === 0) throw new Error('no');
      return { output: key };
    },
    { items: keys(100).map((key) => ({ key, payload: { n: Number(key) } })), options: { ...FAST_RETRY, retryAttempts: 0, batchSize: 7 } },
  );
  expect(await engine.ended({ id })).toMatchObject({ counts: { succeeded: 90, failed: 10 } });
  broken = false;
  expect(await engine.call(RetryItems, { batchId: id })).toMatchObject({
    status: 'running',
    run: 2,
    counts: { total: 100, succeeded: 90 },
  });
  expect(await engine.ended({ id })).toMatchObject({ status: 'completed', run: 2, progress: 100, counts: { total: 100, succeeded: 100 } });
});
