import { CHUNK_STATE } from '../../../src/batches/entities/chunk.entity.js';
import type { ClaimedLane } from '../../../src/batches/store/claim-lane.js';
import { Engine, keys } from '../../support/engine.js';
import { claimLane, fenceOf, flushLane } from '../../support/lanes.js';
import { assertInvariants } from '../../support/invariants.js';

/** Without a worker: the test itself claims lanes, each with its first chunk. */
let engine: Engine;

beforeAll(async () => (engine = await Engine.start({ ROLE: 'api', DATABASE_POOL_SIZE: '12' })));
afterEach(() => assertInvariants(engine.database));
afterAll(() => engine.close());

const LEASE_MS = 60_000;
const LANES = 5;

/** One chunk an item, in five lanes of fifty. */
async function newRun(items: number, options: object = {}): Promise<string> {
  const { id } = await engine.create({ items: keys(items), options: { concurrency: LANES * 50, batchSize: 1, ...options } });
  const [row] = await engine.sql<{ run_id: string }>('SELECT run_id FROM batch WHERE id = $1', [id]);
  return row!.run_id;
}

const claim = (runId: string, chunks = 1) => claimLane(engine.database.pool, runId, LEASE_MS, chunks);
const chunkNumbers = (lane: ClaimedLane | undefined) => lane?.work?.chunks.map(({ no }) => Number(no));

describe('a claimed lane', () => {
  test('brings the first chunk that waits, with its items, and says whether there are more', async () => {
    const runId = await newRun(2);

    const first = (await claim(runId))!;
    const second = (await claim(runId))!;
    const third = (await claim(runId))!;

    expect(first.work).toMatchObject({ status: 'running', gate: null, more: true, nextRetryMs: null });
    expect(first.work!.chunks).toMatchObject([
      { no: '0', size: 1, settled: [], crashes: 0, items: expect.stringContaining('"key"') as string },
    ]);
    expect(second.work).toMatchObject({ more: false, chunks: [{ no: '1' }] });
    expect(third.work).toMatchObject({ more: false, chunks: [] });
  });

  test('has chunks that no other lane has, of five that are claimed at once, 100 times', async () => {
    for (let round = 0; round < 100; round += 1) {
      const runId = await newRun(4);

      const lanes = await Promise.all(Array.from({ length: LANES }, () => claim(runId)));

      const numbers = lanes.flatMap((lane) => chunkNumbers(lane) ?? []);
      expect(new Set(numbers).size).toBe(numbers.length);
      const held = await engine.sql<{ no: string; lane: number }>(
        'SELECT no, lane FROM chunk WHERE run_id = $1 AND state = $2 ORDER BY no',
        [runId, CHUNK_STATE.claimed],
      );
      const told = lanes.flatMap((lane) => lane?.work?.chunks.map(({ no }) => ({ no, lane: lane.no })) ?? []);
      expect(told.sort((a, b) => Number(a.no) - Number(b.no))).toEqual(held);
    }
  });

  test('whose worker died before it said a word is taken over with its chunk, which remembers the crash', async () => {
    const runId = await newRun(1);
    await claim(runId);
    await engine.sql(`UPDATE lane SET lease_until = clock_timestamp() - interval '1 ms' WHERE run_id = $1 AND fence > 0`, [runId]);

    const lane = (await claim(runId))!;

    expect(lane).toMatchObject({ reclaimed: 1, work: undefined });
    const { chunks } = await flushLane(engine.database.pool, fenceOf(lane), { claim: 1 });
    expect(chunks).toMatchObject([{ no: '0', crashes: 1 }]);
  });

  test('brings nothing that is behind the canary, nor says that there is more', async () => {
    const runId = await newRun(3, { canary: { items: 1 } });

    expect((await claim(runId))!.work).toMatchObject({ gate: 1, more: false, chunks: [{ no: '0' }] });
    expect((await claim(runId))!.work).toMatchObject({ more: false, chunks: [] });
  });

  test('brings nothing while the concurrency still grows: perhaps it may not start anything yet', async () => {
    const runId = await newRun(3, { rampUp: { overMs: 60_000 } });

    expect((await claim(runId))!.work).toBeUndefined();
    expect(await engine.sql('SELECT FROM chunk WHERE run_id = $1 AND state = $2', [runId, CHUNK_STATE.claimed])).toEqual([]);
  });

  test('tells of a retry that is due', async () => {
    const runId = await newRun(1);
    const lane = (await claim(runId))!;
    const deferred = [
      JSON.stringify({ seq: 0, delay_ms: 60_000, attempt: 2, key: '1', payload: null, error_kind: 'failed', error: 'not now' }),
    ];
    const moved = [{ no: '0', state: CHUNK_STATE.done, settled: [] }];
    await flushLane(engine.database.pool, fenceOf(lane), { deferred, moved, release: true });

    const { nextRetryMs } = (await claim(runId))!.work!;

    expect(nextRetryMs).toBeGreaterThan(0);
    expect(nextRetryMs).toBeLessThanOrEqual(60_000);
  });
});
