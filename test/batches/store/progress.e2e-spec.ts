import { CancelBatch } from '../../../src/batches/commands/cancel-batch.command.js';
import { recordProgress } from '../../../src/batches/store/record-progress.js';
import { Engine, keys } from '../../support/engine.js';
import { fenceOf, claimLane, flushLane, outcomeOf } from '../../support/lanes.js';
import { assertInvariants } from '../../support/invariants.js';

/** Without a worker: the test plays it. */
let engine: Engine;

beforeAll(async () => (engine = await Engine.start({ ROLE: 'api' })));
afterEach(() => assertInvariants(engine.database));
afterAll(() => engine.close());

async function newRun(): Promise<{ id: string; runId: string }> {
  const { id } = await engine.create({ items: keys(5), options: { batchSize: 1 } });
  const [row] = await engine.sql<{ run_id: string }>('SELECT run_id FROM batch WHERE id = $1', [id]);
  return { id, runId: row!.run_id };
}

const tell = (...runs: { runId: string }[]) =>
  engine.database.transaction((connection) =>
    recordProgress(
      connection,
      runs.map(({ runId }) => runId),
    ),
  );
const letTimePass = () => engine.sql(`UPDATE run SET progress_at = '-infinity' WHERE status = 'running'`);

describe('progress of several runs', () => {
  test('is told in one go: an event for each, with its own number and counts, and not again at once', async () => {
    const [one, two, cancelled] = [await newRun(), await newRun(), await newRun()];
    await engine.call(CancelBatch, { batchId: cancelled.id });
    const lane = (await claimLane(engine.database.pool, two.runId, 60_000))!;
    await flushLane(engine.database.pool, fenceOf(lane), { claim: 2 });
    const done = { counts: { succeeded: 2, failed: 0, skipped: 0 }, outcomes: [outcomeOf(0), outcomeOf(1)] };
    const moved = [0, 1].map((no) => ({ no: String(no), state: 2, settled: [] }));
    await flushLane(engine.database.pool, fenceOf(lane), { ...done, moved });
    const events = await tell(one, two, cancelled);
    expect(events.sort((a, b) => a.data.counts.succeeded - b.data.counts.succeeded)).toMatchObject([
      { batchId: one.id, seq: 3, type: 'batch.progress', data: { counts: { succeeded: 0, total: 5 }, progress: 0 } },
      { batchId: two.id, seq: 3, type: 'batch.progress', data: { counts: { succeeded: 2, total: 5 }, progress: 40 } },
    ]);
    for (const { batchId, seq, at, data } of events) {
      const logged = (await engine.events({ id: batchId })).find((event) => event.seq === seq);
      expect(logged).toMatchObject({ at, data });
    }
    expect(await tell(one, two)).toEqual([]);
  });

  test('leaves out a run that somebody is moving, instead of waiting', async () => {
    const [busy, free] = [await newRun(), await newRun()];
    await engine.database.transaction(async (connection) => {
      await connection.query('SELECT FROM run WHERE id = $1 FOR UPDATE', [busy.runId]);
      expect(await tell(busy, free)).toMatchObject([{ batchId: free.id }]);
    });
    await letTimePass();
    expect(await tell(busy, free)).toHaveLength(2);
  });

  test('told by two processes at the same moment is told once', async () => {
    const runs = [await newRun(), await newRun(), await newRun(), await newRun()];
    for (let round = 1; round <= 50; round += 1) {
      const told = await Promise.all([tell(...runs), tell(...runs.toReversed())]);
      expect(
        told
          .flat()
          .map(({ batchId }) => batchId)
          .sort(),
      ).toEqual(runs.map(({ id }) => id).sort());
      await letTimePass();
    }
  });
});
