import fc from 'fast-check';
import { deleteIdleBuckets, takeTokens } from '../../src/batches/store/take-tokens.js';
import { Engine } from '../support/engine.js';

const RUNS = Number(process.env.PROPERTY_RUNS ?? 25);

let engine: Engine;

beforeAll(async () => (engine = await Engine.start({ ROLE: 'api' })));
afterAll(() => engine.close());

interface Grant {
  /** Seconds on the bucket's clock. */
  at: number;
  tokens: number;
}

/** Takers that ask at the same moment, and then the time that passes. */
interface Round {
  wants: number[];
  seconds: number;
}

const rounds: fc.Arbitrary<Round[]> = fc.array(
  fc.record({
    wants: fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 4 }),
    seconds: fc.oneof(fc.double({ min: 0, max: 20, noNaN: true }), fc.constantFrom(0, 59, 60, 61, 4_000)),
  }),
  { minLength: 2, maxLength: 12 },
);

/** Time passes for a bucket when it was refilled earlier. */
const letPass = (tenant: string, seconds: number) =>
  engine.sql(`UPDATE rate_bucket SET refilled_at = refilled_at - $2 * interval '1 second' WHERE tenant = $1`, [tenant, seconds]);

async function play(tenant: string, perMinute: number, script: Round[]): Promise<Grant[]> {
  const grants: Grant[] = [];
  const startedAt = performance.now();
  let passed = 0;
  const now = () => passed + (performance.now() - startedAt) / 1_000;
  for (const { wants, seconds } of script) {
    const bucket = { scope: 'pool' as const, name: 'p', perMinute };
    const taken = await Promise.all(wants.map((want) => takeTokens(engine.database.pool, { tenant, buckets: [bucket], want, unused: 0 })));
    const at = now();
    for (const { granted } of taken) grants.push({ at, tokens: granted });
    await letPass(tenant, seconds);
    passed += seconds;
    // Removes the bucket when it was idle for long enough to be full again.
    await deleteIdleBuckets(engine.database.pool);
  }
  return grants;
}

test.each([10, 500])(
  '%i a minute: no window gets more than a bucketful and what is refilled in it, however many take at once',
  async (perMinute) => {
    let tenant = 0;
    await fc.assert(
      fc.asyncProperty(rounds, async (script) => {
        const grants = await play(`p${perMinute}-${(tenant += 1)}`, perMinute, script);
        for (const from of grants) {
          for (const to of grants.filter(({ at }) => at >= from.at)) {
            const within = grants.filter(({ at }) => at >= from.at && at <= to.at).reduce((sum, { tokens }) => sum + tokens, 0);
            // A take is stamped after it; what is refilled while one is under way belongs to the window before it.
            const seconds = to.at - from.at + 1;
            expect(within).toBeLessThanOrEqual(perMinute + (perMinute / 60) * seconds);
          }
        }
      }),
      { numRuns: RUNS },
    );
  },
  120_000,
);

test('a bucket that was idle for an hour and went is full when it comes back, not fuller', async () => {
  const grants = await play('idle', 10, [
    { wants: [10], seconds: 4_000 },
    { wants: [8, 8, 8], seconds: 0 },
  ]);
  expect(grants.slice(1).reduce((sum, { tokens }) => sum + tokens, 0)).toBe(10);
});
