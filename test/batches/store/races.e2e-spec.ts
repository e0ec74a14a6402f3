import { CancelBatch } from '../../../src/batches/commands/cancel-batch.command.js';
import { CreateBatch } from '../../../src/batches/commands/create-batch.command.js';
import { PauseBatch } from '../../../src/batches/commands/pause-batch.command.js';
import { RecordExternalResult } from '../../../src/batches/commands/record-external-result.command.js';
import { CHUNK_STATE } from '../../../src/batches/entities/chunk.entity.js';
import type { ClaimedLane } from '../../../src/batches/store/claim-lane.js';
import { findUnendedRuns, timeOutRuns } from '../../../src/batches/store/find-work.js';
import type { Flush } from '../../../src/batches/store/record-outcomes.js';
import { renewLeases as renewHeldLeases } from '../../../src/batches/store/renew-leases.js';
import { surrenderLane } from '../../../src/batches/store/surrender-lane.js';
import { Engine, keys } from '../../support/engine.js';
import { eventually } from '../../support/eventually.js';
import { claimLane, endRun, fenceOf, flushLane, outcomeOf, renewLeases } from '../../support/lanes.js';
import { assertInvariants } from '../../support/invariants.js';
import { Race } from '../../support/race.js';
import { Holder } from '../../support/records.js';

/** Without a worker: the test itself plays the workers, statement by statement. */
let engine: Engine;

beforeAll(async () => (engine = await Engine.start({ ROLE: 'api', DATABASE_POOL_SIZE: '12' })));
afterEach(() => assertInvariants(engine.database));
afterAll(() => engine.close());

const LEASE_MS = 60_000;
const pool = () => engine.database.pool;
const flush = (lane: ClaimedLane, parts: Partial<Flush> = {}) => flushLane(pool(), fenceOf(lane), { leaseMs: LEASE_MS, ...parts });
/** The flush of a worker that has done all items of a chunk. */
const doneChunk = (no: number, size: number): Partial<Flush> => ({
  counts: { succeeded: size, failed: 0, skipped: 0 },
  outcomes: Array.from({ length: size }, (_, index) => outcomeOf(no + index)),
  moved: [{ no: String(no), state: CHUNK_STATE.done, settled: [] }],
});

async function newRun(items: number, options: object = {}): Promise<{ id: string; runId: string }> {
  const { id } = await engine.create({ items: keys(items), options });
  const [row] = await engine.sql<{ run_id: string }>('SELECT run_id FROM batch WHERE id = $1', [id]);
  return { id, runId: row!.run_id };
}

/** Claims a lane and its chunks, as a worker does first. */
async function claim(runId: string, chunks = 1, leaseMs = LEASE_MS): Promise<ClaimedLane> {
  const lane = await claimLane(pool(), runId, leaseMs);
  if (!lane) throw new Error('no lane was free');
  await flush(lane, { claim: chunks, leaseMs });
  return lane;
}

const letLeasesEnd = (runId: string) =>
  engine.sql(`UPDATE lane SET lease_until = clock_timestamp() - interval '1 ms' WHERE run_id = $1`, [runId]);

const snapshot = async (runId: string) =>
  engine.sql(
    `SELECT (SELECT json_agg(l ORDER BY no) FROM (SELECT no, fence, succeeded, failed, skipped FROM lane WHERE run_id = $1) l) AS lanes,
       (SELECT json_agg(c ORDER BY no) FROM (SELECT no, state, lane, settled, crashes FROM chunk WHERE run_id = $1) c) AS chunks,
       (SELECT count(*) FROM outcome WHERE run_id = $1) AS outcomes, (SELECT count(*) FROM retry WHERE run_id = $1) AS retries`,
    [runId],
  );

const expectBothOrders = ({ wins }: Race): void => {
  expect(wins.first).toBeGreaterThan(0);
  expect(wins.second).toBeGreaterThan(0);
};

/** Rounds of a race, a few at a time. */
async function rounds(count: number, race: (round: number) => Promise<void>, sideBySide = 4): Promise<void> {
  let next = 0;
  const stream = async (): Promise<void> => {
    while (next < count) await race((next += 1));
  };
  await Promise.all(Array.from({ length: sideBySide }, stream));
}

describe('a lane', () => {
  test('that two workers want goes to one of them, 500 times', async () => {
    const { runId } = await newRun(1);
    for (let round = 0; round < 500; round += 1) {
      const claims = await Promise.all([claimLane(pool(), runId, LEASE_MS), claimLane(pool(), runId, LEASE_MS)]);
      const winners = claims.filter((lane) => lane !== undefined);
      expect(winners).toHaveLength(1);
      expect(winners[0]!.fence).toBe(round + 1);
      await surrenderLane(engine.database, fenceOf(winners[0]!));
    }
  });

  test('that is surrendered while its last flush is still under way gives back what that flush claimed, 50 times', async () => {
    for (let round = 0; round < 50; round += 1) {
      const { runId } = await newRun(4, { batchSize: 2 });
      const lane = await claimLane(pool(), runId, LEASE_MS);
      const slow = await pool().connect();
      await slow.query('BEGIN');
      await flushLane(slow, fenceOf(lane!), { claim: 2 });
      const surrendered = surrenderLane(engine.database, fenceOf(lane!));
      await eventually(async () => {
        const waiting = await engine.sql(`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`);
        return waiting.length;
      }, Boolean);
      await slow.query('COMMIT');
      slow.release();
      await surrendered;
      const chunks = await engine.sql(`SELECT DISTINCT state, lane FROM chunk WHERE run_id = $1`, [runId]);
      expect(chunks).toEqual([{ state: CHUNK_STATE.pending, lane: null }]);
    }
  });

  test('that died is taken over by one of many, with its crash counted once, 100 times', async () => {
    const { runId } = await newRun(1);
    await claim(runId);
    for (let round = 1; round <= 100; round += 1) {
      await letLeasesEnd(runId);
      const winners = (await Promise.all(Array.from({ length: 5 }, () => claimLane(pool(), runId, LEASE_MS)))).filter(Boolean);
      expect(winners).toHaveLength(1);
      expect(winners[0]!.reclaimed).toBe(1);
      const { chunks } = await flush(winners[0]!, { claim: 1 });
      expect(chunks[0]!.crashes).toBe(round);
    }
  });

  test('keeps what was recorded when it is taken over, and the crash is counted at its open chunks', async () => {
    const { runId } = await newRun(6, { batchSize: 3 });
    const dead = await claim(runId, 2);
    await flush(dead, {
      counts: { succeeded: 4, failed: 0, skipped: 0 },
      outcomes: [0, 1, 2, 4].map((seq) => outcomeOf(seq)),
      moved: [
        { no: '0', state: CHUNK_STATE.done, settled: [] },
        { no: '3', state: CHUNK_STATE.claimed, settled: [1] },
      ],
    });
    await letLeasesEnd(runId);
    const lane = (await claimLane(pool(), runId, LEASE_MS))!;
    expect(lane).toMatchObject({ fence: dead.fence + 1, succeeded: 4, reclaimed: 1 });
    const { chunks } = await flush(lane, { claim: 5 });
    expect(chunks).toMatchObject([
      {
        no: '3',
        size: 3,
        settled: [1],
        crashes: 1,
        suspects: [],
        items: expect.any(String),
      },
    ]);
    await flush(lane, {
      release: true,
      counts: { succeeded: 2, failed: 0, skipped: 0 },
      outcomes: [3, 5].map((seq) => outcomeOf(seq)),
      moved: [{ no: '3', state: CHUNK_STATE.done, settled: [] }],
    });
    expect(await endRun(engine.database, runId)).toMatchObject({ type: 'batch.completed', data: { counts: { succeeded: 6 } } });
  });
});

describe('a flush', () => {
  test('that claims tells whether chunks were left', async () => {
    const lane = await claim((await newRun(5, { batchSize: 1 })).runId, 0);
    expect(await flush(lane, { claim: 2 })).toMatchObject({ chunks: [{ no: '0' }, { no: '1' }], more: true });
    expect(await flush(lane)).toMatchObject({ chunks: [], more: false });
    expect(await flush(lane, { claim: 3 })).toMatchObject({ chunks: [{ no: '2' }, { no: '3' }, { no: '4' }], more: false });
    expect(await flush(lane, { claim: 2 })).toMatchObject({ chunks: [], more: false });
  });

  test('that claims does not count chunks that wait for a canary', async () => {
    const lane = await claim((await newRun(5, { batchSize: 1, canary: { items: 2 } })).runId, 0);
    expect(await flush(lane, { claim: 1 })).toMatchObject({ chunks: [{ no: '0' }], more: true });
    expect(await flush(lane, { claim: 1 })).toMatchObject({ chunks: [{ no: '1' }], more: false });
  });

  test('with an old fence changes nothing', async () => {
    const { runId } = await newRun(4, { batchSize: 2 });
    const old = await claim(runId);
    await letLeasesEnd(runId);
    await claim(runId);
    const before = await snapshot(runId);
    for (const release of [false, true]) {
      const late = await flush(old, {
        ...doneChunk(0, 2),
        release,
        claim: 2,
        deferred: [JSON.stringify({ seq: 0, delay_ms: 0, attempt: 2, key: '1', payload: null, error_kind: 'retryable', error: 'x' })],
      });
      expect(late).toMatchObject({ held: false, chunks: [] });
    }
    expect(await snapshot(runId)).toEqual(before);
  });

  test('for a lane that was given back changes nothing', async () => {
    const { runId } = await newRun(2);
    const lane = await claim(runId);
    await surrenderLane(engine.database, fenceOf(lane));
    const before = await snapshot(runId);
    expect(await flush(lane, doneChunk(0, 2))).toMatchObject({ held: false });
    expect(await snapshot(runId)).toEqual(before);
  });

  test('that comes twice is refused as a whole', async () => {
    const { runId } = await newRun(2);
    const lane = await claim(runId);
    const partly: Partial<Flush> = {
      counts: { succeeded: 1, failed: 0, skipped: 0 },
      outcomes: [outcomeOf(0)],
      moved: [{ no: '0', state: CHUNK_STATE.claimed, settled: [0] }],
    };
    await flush(lane, partly);
    const before = await snapshot(runId);
    await expect(flush(lane, partly)).rejects.toMatchObject({ code: '23505' });
    await expect(flush(lane, doneChunk(0, 2))).rejects.toMatchObject({ code: '23505' });
    expect(await snapshot(runId)).toEqual(before);
  });

  test('of a worker that was presumed dead changes nothing once its run has ended', async () => {
    const { id, runId } = await newRun(2);
    const lane = await claim(runId);
    await letLeasesEnd(runId);
    await engine.call(CancelBatch, { batchId: id });
    expect(await engine.get(id)).toMatchObject({ status: 'cancelled', stopping: false, counts: { cancelled: 2 } });
    expect(await flush(lane, doneChunk(0, 2))).toMatchObject({ held: false });
    expect((await engine.outcomes({ id })).length).toBe(0);
    await assertInvariants(engine.database);
  });

  test('and the end of a stopping run, at the same moment, agree on what was recorded, 200 times', async () => {
    const race = new Race();
    await rounds(200, async () => {
      const { id, runId } = await newRun(1);
      const lane = await claim(runId);
      await letLeasesEnd(runId);
      await engine.sql(`UPDATE run SET status = 'stopping', ends_as = 'cancelled' WHERE id = $1`, [runId]);
      const [late, ended] = await race.run(
        () => flush(lane, { ...doneChunk(0, 1), release: true }),
        () => endRun(engine.database, runId),
      );
      const event = ended ?? (await endRun(engine.database, runId));
      expect(event!.data.counts).toMatchObject(late.held ? { succeeded: 1, cancelled: 0 } : { succeeded: 0, cancelled: 1 });
      expect(await engine.outcomes({ id })).toHaveLength(late.held ? 1 : 0);
      race.won(late.held ? 'first' : 'second');
    });
    expectBothOrders(race);
  });
});

describe('a heartbeat', () => {
  test('of the old holder renews nothing after a takeover, and says so', async () => {
    const { runId } = await newRun(2);
    const old = await claim(runId);
    await letLeasesEnd(runId);
    const fresh = await claim(runId);
    expect(await renewLeases(pool(), [fenceOf(old)], LEASE_MS)).toEqual([]);
    expect(await renewLeases(pool(), [fenceOf(fresh)], LEASE_MS)).toMatchObject([{ fence: fresh.fence, status: 'running' }]);
  });

  test('renews the other lanes while somebody has locked one, and does not take that one for lost', async () => {
    const { runId } = await newRun(2, { concurrency: 51, batchSize: 1 });
    const lanes = [await claim(runId), await claim(runId)].map(fenceOf);
    const holder = await pool().connect();
    try {
      await holder.query('BEGIN');
      await holder.query('SELECT FROM lane WHERE run_id = $1 AND no = $2 FOR UPDATE', [runId, lanes[0]!.no]);
      const held = await renewHeldLeases(
        pool(),
        lanes.map((lane) => ({ ...lane, revision: 0 })),
        LEASE_MS,
      );
      expect(held.map(({ no, renewed }) => ({ no, renewed })).sort((x, y) => x.no - y.no)).toEqual([
        { no: 0, renewed: false },
        { no: 1, renewed: true },
      ]);
    } finally {
      await holder.query('ROLLBACK');
      holder.release();
    }
    expect(await renewLeases(pool(), lanes, LEASE_MS)).toHaveLength(2);
  });

  test('and a takeover at the same moment leave one holder, 200 times', async () => {
    const race = new Race();
    await rounds(200, async () => {
      const { runId } = await newRun(1);
      const old = await claim(runId);
      await letLeasesEnd(runId);
      const [renewed, taken] = await race.run(
        () => renewLeases(pool(), [fenceOf(old)], LEASE_MS),
        () => claimLane(pool(), runId, LEASE_MS),
      );
      const still = await renewLeases(pool(), [fenceOf(old)], LEASE_MS);
      expect(still).toHaveLength(taken ? 0 : 1);
      if (!taken) expect(renewed).toHaveLength(1);
      race.won(taken ? 'second' : 'first');
    });
    expectBothOrders(race);
  });
});

describe('the end of a run', () => {
  test('comes once when two lanes finish at the same moment, 500 times', async () => {
    await rounds(500, async () => {
      const { id, runId } = await newRun(2, { concurrency: 51, batchSize: 1 });
      const lanes = [await claim(runId), await claim(runId)];
      const events = await Promise.all(
        lanes.map(async (lane, no) => {
          await flush(lane, { ...doneChunk(no, 1), release: true });
          return endRun(engine.database, runId);
        }),
      );
      expect(events.filter(Boolean)).toHaveLength(1);
      expect(events.find(Boolean)).toMatchObject({
        batchId: id,
        type: 'batch.completed',
        data: { counts: { succeeded: 2 }, progress: 100 },
      });
    });
  }, 90_000);

  test('waits for open chunks, waiting retries, held lanes and the seal', async () => {
    const { runId } = await newRun(2, { batchSize: 1 });
    const lane = await claim(runId, 2);
    expect(await endRun(engine.database, runId)).toBeUndefined();
    await flush(lane, doneChunk(0, 1));
    expect(await endRun(engine.database, runId)).toBeUndefined();
    await flush(lane, {
      deferred: [JSON.stringify({ seq: 1, delay_ms: 60_000, attempt: 2, key: '2', payload: null, error_kind: 'retryable', error: 'x' })],
      moved: [{ no: '1', state: CHUNK_STATE.done, settled: [] }],
    });
    expect(await endRun(engine.database, runId)).toBeUndefined();
    await engine.sql('UPDATE run SET sealed = false WHERE id = $1', [runId]);
    await engine.sql('DELETE FROM retry WHERE run_id = $1', [runId]);
    await engine.sql(`INSERT INTO outcome (run_id, seq, status, attempts, key) VALUES ($1, 1, 1, 1, '2')`, [runId]);
    await engine.sql('UPDATE lane SET succeeded = 2 WHERE run_id = $1', [runId]);
    expect(await endRun(engine.database, runId)).toBeUndefined();
    expect(await findUnendedRuns(pool())).not.toContain(runId);
    await engine.sql('UPDATE run SET sealed = true WHERE id = $1', [runId]);
    expect(await findUnendedRuns(pool())).toContain(runId);
    expect(await endRun(engine.database, runId)).toMatchObject({ type: 'batch.completed' });
    expect(await endRun(engine.database, runId)).toBeUndefined();
    expect(await findUnendedRuns(pool())).not.toContain(runId);
  });

  test('waits for a lane whose lease ends while other lanes are taken away; the next look takes it away, and nothing is recorded afterwards', async () => {
    const { id, runId } = await newRun(2, { concurrency: 51, batchSize: 1 });
    const [late, dead] = [await claim(runId), await claim(runId)];
    await engine.sql(`UPDATE run SET status = 'stopping', ends_as = 'cancelled' WHERE id = $1`, [runId]);
    const letLeaseEnd = ({ no }: ClaimedLane) =>
      engine.sql(`UPDATE lane SET lease_until = clock_timestamp() - interval '1 ms' WHERE run_id = $1 AND no = $2`, [runId, no]);
    await letLeaseEnd(dead);
    const somebody = await Holder.of(engine.service.databaseUrl, 'SELECT FROM lane WHERE run_id = $1 AND no = $2 FOR UPDATE', [
      runId,
      dead.no,
    ]);
    const ended = endRun(engine.database, runId);
    await somebody.isWaitedFor();
    await letLeaseEnd(late);
    await somebody.letGo();
    expect(await ended).toBeUndefined();
    expect(await findUnendedRuns(pool())).toContain(runId);
    expect(await endRun(engine.database, runId)).toMatchObject({ type: 'batch.cancelled' });
    expect(await flush(late, doneChunk(0, 1))).toMatchObject({ held: false });
    expect(await engine.outcomes({ id })).toEqual([]);
  });
});

describe('commands at the same moment', () => {
  const conflictIsFine = (error: unknown): undefined => {
    expect(error).toMatchObject({ code: 'CONFLICT' });
    return undefined;
  };

  test('two cancels make one move and one event, 200 times', async () => {
    await rounds(200, async () => {
      const { id } = await newRun(1);
      const answers = await Promise.all([1, 2].map(() => engine.call(CancelBatch, { batchId: id }).catch(conflictIsFine)));
      expect(answers.filter(Boolean)).toHaveLength(1);
      expect((await engine.events({ id })).filter(({ type }) => type === 'batch.cancelled')).toHaveLength(1);
    });
  });

  test('cancel and the last item: one of them ends it, 200 times', async () => {
    const race = new Race();
    await rounds(200, async () => {
      const { id, runId } = await newRun(1);
      const lane = await claim(runId);
      await race.run(
        () => engine.call(CancelBatch, { batchId: id }).catch(conflictIsFine),
        () => flush(lane, { ...doneChunk(0, 1), release: true }).then(() => endRun(engine.database, runId)),
      );
      await endRun(engine.database, runId);
      const batch = await engine.get(id);
      expect(['cancelled', 'completed']).toContain(batch.status);
      expect(batch).toMatchObject({ stopping: false, counts: { succeeded: 1, cancelled: 0 } });
      race.won(batch.status === 'cancelled' ? 'first' : 'second');
    });
    expectBothOrders(race);
  });

  test('pause and the last item: it completes, whoever comes first, 200 times', async () => {
    const race = new Race();
    await rounds(200, async () => {
      const { id, runId } = await newRun(1);
      const lane = await claim(runId);
      const [paused] = await race.run(
        () =>
          engine.call(PauseBatch, { batchId: id }).then(
            () => true,
            (error: unknown) => conflictIsFine(error) && false,
          ),
        () => flush(lane, { ...doneChunk(0, 1), release: true }).then(() => endRun(engine.database, runId)),
      );
      expect(await engine.get(id)).toMatchObject({ status: 'completed', progress: 100 });
      expect((await engine.events({ id })).at(-1)).toMatchObject({ type: 'batch.completed' });
      race.won(paused ? 'first' : 'second');
    });
    expectBothOrders(race);
  });

  test('pause and cancel: it is cancelled once, whoever comes first, 200 times', async () => {
    await rounds(200, async () => {
      const { id } = await newRun(1);
      await Promise.all([engine.call(PauseBatch, { batchId: id }).catch(conflictIsFine), engine.call(CancelBatch, { batchId: id })]);
      expect(await engine.get(id)).toMatchObject({ status: 'cancelled', stopping: false });
    });
  });

  test('the same external result twice is recorded once, and the last two end the batch once, 200 times', async () => {
    await rounds(200, async () => {
      const { id } = await engine.call(CreateBatch, { operation: 'export', external: true, totalItems: 2 });
      const record = (key: string) => engine.call(RecordExternalResult, { batchId: id, key, success: true }).catch(conflictIsFine);
      await Promise.all([record('a'), record('a'), record('b'), record('b')]);
      expect(await engine.get(id)).toMatchObject({ status: 'completed', counts: { total: 2, succeeded: 2 } });
      expect(await engine.outcomes({ id })).toHaveLength(2);
    });
  });
});

describe('the last line of defence', () => {
  const endings: Record<string, (batchId: string) => Promise<unknown>> = {
    completed: (batchId) => engine.call(RecordExternalResult, { batchId, key: 'a', success: true }),
    failed: (batchId) => engine.call(RecordExternalResult, { batchId, key: 'a', success: false }),
    cancelled: (batchId) => engine.call(CancelBatch, { batchId }),
    timed_out: async (batchId) => {
      await engine.sql(`UPDATE run SET status = 'running', deadline_at = '-infinity' WHERE batch_id = $1`, [batchId]);
      for (const runId of await timeOutRuns(pool())) await endRun(engine.database, runId);
    },
  };

  test.each(Object.keys(endings))('a run that is %s cannot be changed by any statement', async (status) => {
    const { id } = await engine.create({ operation: 'export', external: true, totalItems: 1 });
    await endings[status]!(id);
    expect(await engine.get(id)).toMatchObject({ status, stopping: false });
    for (const change of [`status = 'running'`, 'succeeded = 5', `reason = 'other'`, 'total = total + 1']) {
      const refused = engine.sql(`UPDATE run SET ${change} WHERE batch_id = $1`, [id]);
      await expect(refused).rejects.toThrow(new RegExp(`is ${status}: a finished run never changes`));
    }
  });

  test('no event follows the terminal one, and there is no second one', async () => {
    const { id, runId } = await newRun(1);
    await engine.call(CancelBatch, { batchId: id });
    for (const type of ['batch.progress', 'batch.completed', 'batch.cancelled']) {
      const late = `INSERT INTO batch_event (batch_id, seq, run_id, type, data) VALUES ($1, 99, $2, $3, '{}')`;
      await expect(engine.sql(late, [id, runId, type])).rejects.toThrow(/has ended|batch_event_one_end/);
    }
  });

  test('of two terminal events that are written at the same moment one is refused', async () => {
    const { id, runId } = await newRun(1);
    const end = `INSERT INTO batch_event (batch_id, seq, run_id, type, data) VALUES ($1, $3, $2, $4, '{}')`;
    const [first, second] = await Promise.all([pool().connect(), pool().connect()]);
    try {
      await first.query('BEGIN');
      await first.query(end, [id, runId, 98, 'batch.completed']);
      // The trigger cannot see an event that is not committed; the index waits for it.
      const refused = expect(second.query(end, [id, runId, 99, 'batch.failed'])).rejects.toThrow(/batch_event_one_end/);
      await eventually(
        () => engine.sql(`SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO batch_event%'`),
        (waiting) => waiting.length === 1,
      );
      await first.query('COMMIT');
      await refused;
    } finally {
      for (const connection of [first, second]) connection.release();
      await engine.sql('DELETE FROM batch_event WHERE batch_id = $1 AND seq > 90', [id]);
    }
  });
});

test('a lane claimed by one worker is seen as free only when its lease ends by the clock of the database', async () => {
  const { runId } = await newRun(1);
  await claim(runId, 1, 300);
  expect(await claimLane(pool(), runId, LEASE_MS)).toBeUndefined();
  const taken = await eventually(() => claimLane(pool(), runId, LEASE_MS), Boolean, 5_000);
  expect(taken).toMatchObject({ fence: 2, reclaimed: 1 });
});
