import { randomUUID } from 'node:crypto';
import type { Type } from '@nestjs/common';
import type { Redis } from 'ioredis';
import { CreationLimit } from '../../../src/access/creation-limit.js';
import { CancelBatch } from '../../../src/batches/commands/cancel-batch.command.js';
import { AddItems } from '../../../src/batches/commands/add-items.command.js';
import { CleanUpBatches } from '../../../src/batches/commands/clean-up-batches.command.js';
import { DeleteBatch } from '../../../src/batches/commands/delete-batch.command.js';
import { PauseBatch } from '../../../src/batches/commands/pause-batch.command.js';
import { RecordExternalResult } from '../../../src/batches/commands/record-external-result.command.js';
import { RetryItems } from '../../../src/batches/commands/retry-items.command.js';
import { SealBatch } from '../../../src/batches/commands/seal-batch.command.js';
import { StartBatch } from '../../../src/batches/commands/start-batch.command.js';
import { UpdateBatch } from '../../../src/batches/commands/update-batch.command.js';
import { CHUNK_STATE } from '../../../src/batches/entities/chunk.entity.js';
import { OUTCOME_STATUS } from '../../../src/batches/entities/outcome.entity.js';
import { ListItems } from '../../../src/batches/queries/list-items.query.js';
import type { ClaimedLane } from '../../../src/batches/store/claim-lane.js';
import { deleteBatches } from '../../../src/batches/store/delete-batches.js';
import type { Flush } from '../../../src/batches/store/record-outcomes.js';
import { Config } from '../../../src/config.js';
import type { Procedure } from '../../../src/common/procedure.js';
import { itemsFromArray } from '../../../src/batches/item-source.js';
import { type Copy, copyBatch } from '../../support/copies.js';
import { Engine, keys } from '../../support/engine.js';
import { eventually } from '../../support/eventually.js';
import { claimLane, endRun, fenceOf, flushLane, outcomeOf, renewLeases } from '../../support/lanes.js';
import { assertInvariants } from '../../support/invariants.js';
import { PAIRS, Race, RaceReport } from '../../support/race.js';

/** Without a worker: the test itself plays the workers, statement by statement. */
let engine: Engine;

beforeAll(async () => (engine = await Engine.start({ ROLE: 'api', DATABASE_POOL_SIZE: '24' })));
afterAll(() => engine.close());

const LEASE_MS = 600_000;
const BLOCK = 250;
const SIDE_BY_SIDE = 8;

type Outcome = 'first' | 'second' | 'both';
/** A batch and, if the kind wants one, the lane that a worker holds. */
type Runner = Copy & { lane?: ClaimedLane };

interface Kind {
  /** What all batches of the race are copies of. */
  original: () => Promise<{ id: string }>;
  prepare?: (copy: Runner) => Promise<unknown>;
  first: (copy: Runner) => Promise<unknown>;
  second: (copy: Runner) => Promise<unknown>;
  /** Which of the two came first if both went through. */
  both?: 'first' | 'second';
  /** Looks at what became of it. @throws when that must not be */
  judge: (copy: Runner, answers: [unknown, unknown]) => Promise<Outcome> | Outcome;
}

const REFUSED = 'refused';
const call = <P extends Procedure>(type: Type<P>, { id: batchId, caller }: Copy, input: object = {}): Promise<unknown> =>
  engine.call(type, { batchId, ...input } as never, caller).catch((error: { code?: string }) => {
    if (error.code === 'CONFLICT' || error.code === 'NOT_FOUND') return REFUSED;
    throw error;
  });

const pool = () => engine.database.pool;
const flush = ({ lane }: Runner, parts: Partial<Flush>) => flushLane(pool(), fenceOf(lane!), { leaseMs: LEASE_MS, ...parts });
const claim = async (copy: Runner): Promise<void> => {
  copy.lane = (await claimLane(pool(), copy.runId, LEASE_MS))!;
  await flush(copy, { claim: 1 });
};
/** A worker records the only item and gives its lane back. */
const finish = async (copy: Runner) => {
  const flushed = await flush(copy, {
    release: true,
    counts: { succeeded: 1, failed: 0, skipped: 0 },
    outcomes: [outcomeOf(0)],
    moved: [{ no: '0', state: CHUNK_STATE.done, settled: [] }],
  });
  return { held: flushed.held, ended: await endRun(engine.database, copy.runId) };
};
const letLeaseEnd = ({ runId }: Copy) =>
  engine.sql(`UPDATE lane SET lease_until = clock_timestamp() - interval '1 s' WHERE run_id = $1`, [runId]);

interface State {
  status: string;
  total: number;
  succeeded: number;
  cancelled: number;
  runs: number;
  concurrency: number;
  lanes: number;
  ends: number;
}

/** Of the current run; undefined when the batch is gone. */
async function stateOf({ id }: Copy): Promise<State | undefined> {
  const [state] = await engine.sql<State>(
    `SELECT r.status, r.total, r.succeeded, r.cancelled, r.no AS runs, (b.options ->> 'concurrency')::int AS concurrency,
       (SELECT count(*)::int FROM lane WHERE run_id = r.id AND width > 0) AS lanes,
       (SELECT count(*)::int FROM batch_event e WHERE e.run_id = r.id AND e.type IN ('batch.completed', 'batch.failed', 'batch.cancelled')) AS ends
     FROM batch b JOIN run r ON r.id = b.run_id WHERE b.id = $1`,
    [id],
  );
  return state;
}

const running = () => engine.create({ items: keys(1) });
const pending = () => engine.create({ items: keys(1), start: false });
/** Ended, with one failed item. */
const failed = async () => {
  const batch = await engine.create({ operation: 'noop', items: keys(1) });
  const copy: Runner = {
    id: batch.id,
    runId: (await engine.sql<{ run_id: string }>('SELECT run_id FROM batch WHERE id = $1', [batch.id]))[0]!.run_id,
    caller: { tenant: 'acme' },
  };
  await claim(copy);
  await flush(copy, {
    release: true,
    counts: { succeeded: 0, failed: 1, skipped: 0 },
    outcomes: [outcomeOf(0, { status: OUTCOME_STATUS.failed, errorKind: 'permanent', error: 'x' })],
    moved: [{ no: '0', state: CHUNK_STATE.done, settled: [] }],
  });
  await endRun(engine.database, copy.runId);
  return batch;
};

const isRefused = (answer: unknown): boolean => answer === REFUSED;
/** Just one of the two was let through. */
function onlyOne([first, second]: [unknown, unknown]): Outcome {
  expect([isRefused(first), isRefused(second)].filter(Boolean)).toHaveLength(1);
  return isRefused(first) ? 'second' : 'first';
}

const KINDS: Record<string, Kind> = {
  'two cancels': {
    original: running,
    first: (copy) => call(CancelBatch, copy),
    second: (copy) => call(CancelBatch, copy),
    judge: async (copy, answers) => {
      expect(await stateOf(copy)).toMatchObject({ status: 'cancelled', cancelled: 1, ends: 1 });
      return onlyOne(answers);
    },
  },
  'cancel and the last item': {
    original: running,
    prepare: claim,
    first: (copy) => call(CancelBatch, copy),
    second: finish,
    judge: async (copy, [cancelled]) => {
      await endRun(engine.database, copy.runId);
      const wins = isRefused(cancelled) ? 'second' : 'first';
      expect(await stateOf(copy)).toMatchObject({
        status: wins === 'first' ? 'cancelled' : 'completed',
        succeeded: 1,
        cancelled: 0,
        ends: 1,
      });
      return wins;
    },
  },
  'cancel and pause': {
    original: running,
    both: 'second',
    first: (copy) => call(CancelBatch, copy),
    second: (copy) => call(PauseBatch, copy),
    judge: async (copy, [cancelled, paused]) => {
      expect(isRefused(cancelled)).toBe(false);
      expect(await stateOf(copy)).toMatchObject({ status: 'cancelled', cancelled: 1, ends: 1 });
      return isRefused(paused) ? 'first' : 'both';
    },
  },
  'pause and the last item': {
    original: running,
    prepare: claim,
    first: (copy) => call(PauseBatch, copy),
    second: finish,
    judge: async (copy, [paused]) => {
      // Nothing is left that a resume could set going.
      expect(await stateOf(copy)).toMatchObject({ status: 'completed', succeeded: 1, ends: 1 });
      return isRefused(paused) ? 'second' : 'first';
    },
  },
  'retry and clean-up': {
    original: failed,
    first: (copy) => call(RetryItems, copy),
    second: ({ caller }) => engine.call(CleanUpBatches, { olderThanDays: 0 }, caller),
    judge: async (copy, [retried, cleaned]) => {
      const state = await stateOf(copy);
      if ((cleaned as { deleted: number }).deleted === 1) {
        expect([isRefused(retried), state]).toEqual([true, undefined]);
        return 'second';
      }
      expect(isRefused(retried)).toBe(false);
      expect(state).toMatchObject({ status: 'running', runs: 2, ends: 0 });
      return 'first';
    },
  },
  'delete and start': {
    original: pending,
    first: (copy) => call(DeleteBatch, copy),
    second: (copy) => call(StartBatch, copy),
    judge: async (copy, answers) => {
      const wins = onlyOne(answers);
      expect((await stateOf(copy))?.status).toBe(wins === 'first' ? undefined : 'running');
      return wins;
    },
  },
  'clean-up and reading': {
    original: failed,
    first: ({ caller }) => engine.call(CleanUpBatches, { olderThanDays: 0 }, caller),
    second: (copy) => call(ListItems, copy),
    judge: (_copy, [cleaned, read]) => {
      expect(cleaned).toEqual({ deleted: 1 });
      if (isRefused(read)) return 'first';
      // Each statement sees one moment: the batch was there, and its items may have gone since.
      expect([0, 1]).toContain((read as { rows: unknown[] }).rows.length);
      return 'second';
    },
  },
  'two workers and one lane': {
    original: running,
    first: ({ runId }) => claimLane(pool(), runId, LEASE_MS),
    second: ({ runId }) => claimLane(pool(), runId, LEASE_MS),
    judge: (_copy, [first, second]) => {
      expect([first, second].filter(Boolean)).toEqual([expect.objectContaining({ fence: 1 })]);
      return first ? 'first' : 'second';
    },
  },
  'a heartbeat and a take-over': {
    original: running,
    prepare: async (copy) => {
      await claim(copy);
      await letLeaseEnd(copy);
    },
    first: (copy) => renewLeases(pool(), [fenceOf(copy.lane!)], LEASE_MS),
    second: ({ runId }) => claimLane(pool(), runId, LEASE_MS),
    judge: async (copy, [, taken]) => {
      expect(await renewLeases(pool(), [fenceOf(copy.lane!)], LEASE_MS)).toHaveLength(taken ? 0 : 1);
      const [chunk] = await engine.sql('SELECT state, crashes FROM chunk WHERE run_id = $1', [copy.runId]);
      expect(chunk).toEqual(taken ? { state: CHUNK_STATE.pending, crashes: 1 } : { state: CHUNK_STATE.claimed, crashes: 0 });
      return taken ? 'second' : 'first';
    },
  },
  'a late result and a take-over': {
    original: running,
    prepare: async (copy) => {
      await claim(copy);
      await letLeaseEnd(copy);
    },
    first: finish,
    second: ({ runId }) => claimLane(pool(), runId, LEASE_MS),
    judge: async (copy, [finished, taken]) => {
      const { held } = finished as { held: boolean };
      expect(await stateOf(copy)).toMatchObject({ status: held ? 'completed' : 'running' });
      if (!held) expect(taken).toMatchObject({ reclaimed: 1 });
      return held ? 'first' : 'second';
    },
  },
  'start and cancel': {
    original: pending,
    both: 'first',
    first: (copy) => call(StartBatch, copy),
    second: (copy) => call(CancelBatch, copy),
    judge: async (copy, [started, cancelled]) => {
      expect(isRefused(cancelled)).toBe(false);
      expect(await stateOf(copy)).toMatchObject({ status: 'cancelled', cancelled: 1, ends: 1 });
      return isRefused(started) ? 'second' : 'both';
    },
  },
  'a seal and new items': {
    original: () => engine.create({ open: true }),
    both: 'second',
    first: (copy) => call(SealBatch, copy),
    second: (copy) => call(AddItems, copy, { source: itemsFromArray([{ key: 'a' }]) }),
    judge: async (copy, [sealed, added]) => {
      expect(isRefused(sealed)).toBe(false);
      expect(await stateOf(copy)).toMatchObject({ total: isRefused(added) ? 0 : 1 });
      return isRefused(added) ? 'first' : 'both';
    },
  },
  'one result recorded twice': {
    original: () => engine.create({ operation: 'export', external: true, totalItems: 1 }),
    first: (copy) => call(RecordExternalResult, copy, { key: 'a', success: true }),
    second: (copy) => call(RecordExternalResult, copy, { key: 'a', success: false }),
    judge: async (copy, answers) => {
      const state = await stateOf(copy);
      expect(state).toMatchObject({ total: 1, ends: 1 });
      expect(await engine.sql('SELECT FROM outcome WHERE run_id = $1', [copy.runId])).toHaveLength(1);
      const wins = onlyOne(answers);
      expect(state!.status).toBe(wins === 'first' ? 'completed' : 'failed');
      return wins;
    },
  },
  'two sweepers and the end of a run': {
    original: running,
    prepare: async (copy) => {
      await claim(copy);
      await letLeaseEnd(copy);
      await engine.sql(`UPDATE run SET status = 'stopping', ends_as = 'cancelled' WHERE id = $1`, [copy.runId]);
    },
    first: ({ runId }) => endRun(engine.database, runId),
    second: ({ runId }) => endRun(engine.database, runId),
    judge: async (copy, [first, second]) => {
      expect([first, second].filter(Boolean)).toHaveLength(1);
      expect(await stateOf(copy)).toMatchObject({ status: 'cancelled', ends: 1 });
      return first ? 'first' : 'second';
    },
  },
  'new settings and start': {
    original: pending,
    first: (copy) => call(UpdateBatch, copy, { options: { concurrency: 120 } }),
    second: (copy) => call(StartBatch, copy),
    judge: async (copy, [changed, started]) => {
      expect(isRefused(started)).toBe(false);
      const state = await stateOf(copy);
      // Settings and lanes go together, whichever came first.
      expect(state).toMatchObject({ status: 'running', lanes: Math.ceil(state!.concurrency / 50) });
      expect(isRefused(changed)).toBe(false);
      expect(state!.concurrency).toBe(120);
      const audit = await engine.sql<{ action: string }>('SELECT action FROM audit_entry WHERE batch_id = $1 ORDER BY id', [copy.id]);
      return audit[0]!.action === 'update' ? 'first' : 'second';
    },
  },
};

test.each(Object.keys(KINDS))(
  `of ${PAIRS} pairs of %s none breaks a rule`,
  async (name) => {
    const kind = KINDS[name]!;
    const [race, report] = [new Race(), new RaceReport(name)];
    const { id } = await kind.original();
    for (let left = PAIRS; left > 0; left -= BLOCK) {
      const copies: Runner[] = await copyBatch(engine, id, Math.min(left, BLOCK));
      const ids = copies.map((copy) => copy.id);
      await Promise.all(Array.from({ length: SIDE_BY_SIDE }, () => runPairs(kind, copies, race, report)));
      await assertInvariants(engine.database);
      await deleteBatches(pool(), ids);
    }
    report.close();
  },
  PAIRS * 200 + 30_000,
);

test('of 50 creations at once, by several processes, just as many are let through as the limit says', async () => {
  const report = new RaceReport('fifty creations against their limit');
  const redisUrl = process.env.TEST_REDIS_URL!;
  const config = Config.from({ NODE_ENV: 'test', REDIS_URL: redisUrl, CREATE_LIMIT_PER_MINUTE: '20' });
  const processes = [1, 2, 3].map(() => new CreationLimit(config));
  await eventually(() => processes.every((limit) => (limit as unknown as { redis: Redis }).redis.status === 'ready'), Boolean);
  for (let round = 0; round < PAIRS; round += 50) {
    const caller = { tenant: `races-${randomUUID()}` };
    const spent = await Promise.allSettled(Array.from({ length: 50 }, (_, n) => processes[n % 3]!.spend(caller)));
    const allowed = spent.filter(({ status }) => status === 'fulfilled').length;
    report.wins.first += allowed;
    report.wins.second += 50 - allowed;
    if (allowed !== 20) report.violations.push(`${allowed} of 50 were let through`);
  }
  for (const limit of processes) limit.onApplicationShutdown();
  report.close();
}, 120_000);

async function runPairs(kind: Kind, copies: Runner[], race: Race, report: RaceReport): Promise<void> {
  for (let copy = copies.pop(); copy; copy = copies.pop()) {
    const runner = copy;
    await report.play(runner.id, async () => {
      await kind.prepare?.(runner);
      const answers = await race.run(
        () => kind.first(runner),
        () => kind.second(runner),
      );
      const winner = await kind.judge(runner, answers);
      race.won(winner === 'both' ? kind.both! : winner);
      return winner;
    });
  }
}
