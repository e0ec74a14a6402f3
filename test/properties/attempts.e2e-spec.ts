import fc from 'fast-check';
import { Engine, FAST_RETRY, keys } from '../support/engine.js';
import { assertInvariants } from '../support/invariants.js';

let engine: Engine;

beforeAll(async () => (engine = await Engine.start({ SWEEP_MS: '100' })));
afterAll(() => engine.close());

test('an item is tried once, and once more for each retry that it needs and has', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 4 }),
      fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 12 }),
      async (retryAttempts, failures) => {
        const calls = new Map<string, number[]>();
        const items = keys(failures.length).map((key) => ({ key, payload: { n: failures[Number(key) - 1]! } }));
        const batch = await engine.run(
          ({ key, payload }, { attempt }) => {
            calls.set(key, [...(calls.get(key) ?? []), attempt]);
            if (attempt <= payload.n) throw new Error('not yet');
          },
          { items, options: { ...FAST_RETRY, retryAttempts, batchSize: 2 } },
        );
        await engine.ended(batch);
        for (const { key, attempts, status } of await engine.outcomes(batch)) {
          const needed = failures[Number(key) - 1]!;
          const expected = 1 + Math.min(needed, retryAttempts);
          expect({ attempts, status }).toEqual({ attempts: expected, status: needed > retryAttempts ? 'failed' : 'succeeded' });
          expect(calls.get(key)).toEqual(Array.from({ length: expected }, (_, index) => index + 1));
        }
        await assertInvariants(engine.database);
      },
    ),
    { numRuns: Number(process.env.PROPERTY_RUNS ?? 12) },
  );
}, 90_000);
