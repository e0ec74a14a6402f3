import { AddItems } from '../../src/batches/commands/add-items.command.js';
import { CancelBatch } from '../../src/batches/commands/cancel-batch.command.js';
import { RecordExternalResult } from '../../src/batches/commands/record-external-result.command.js';
import { CHUNK_STATE } from '../../src/batches/entities/chunk.entity.js';
import { OUTCOME_STATUS } from '../../src/batches/entities/outcome.entity.js';
import { itemsFromArray } from '../../src/batches/item-source.js';
import type { ClaimedLane } from '../../src/batches/store/claim-lane.js';
import { demandRollback } from '../../src/batches/store/demand-rollback.js';
import type { MovedChunk, RecordedOutcome } from '../../src/batches/store/record-outcomes.js';
import { settleRun } from '../../src/batches/store/settle-run.js';
import type { Copy } from './copies.js';
import { type Engine, keys } from './engine.js';
import { claimLane, fenceOf, flushLane, outcomeOf } from './lanes.js';

const LEASE_MS = 600_000;

/** A lane that a worker holds, with the items in it. */
export interface HeldWork {
  lane: ClaimedLane;
  chunks: { no: string; seqs: number[] }[];
}

/** A batch that is raced for, and the worker's part in it. */
export type Racer = Copy & { held?: HeldWork };

export type State = 'pending' | 'running' | 'paused' | 'stopping' | 'outside' | 'ended';

/** Where a race begins. */
export interface Scene {
  /** What decides which moves mean something; `outside`: it runs, and its results come from outside. */
  state: State;
  /** What all batches of the scene are copies of. */
  original: (engine: Engine) => Promise<{ id: string }>;
  prepare?: (engine: Engine, racer: Racer) => Promise<unknown>;
}

/** Claims a lane and so many chunks, as a worker does. */
export async function hold(engine: Engine, racer: Racer, chunks = 1): Promise<HeldWork | undefined> {
  const lane = await claimLane(engine.database.pool, racer.runId, LEASE_MS);
  if (!lane) return undefined;
  const work = await flushLane(engine.database.pool, fenceOf(lane), { leaseMs: LEASE_MS, claim: chunks });
  const held = work.chunks.map(({ no, size, items }) => {
    const packed = JSON.parse(items) as { seq?: number }[];
    return { no, seqs: Array.from({ length: size }, (_, index) => packed[index]!.seq ?? Number(no) + index) };
  });
  return { lane, chunks: held };
}

/** Records all that is held and gives the lane back. @returns whether the lane was still this worker's */
export async function recordAll(engine: Engine, { lane, chunks }: HeldWork, outcome: Partial<RecordedOutcome> = {}): Promise<boolean> {
  const outcomes = chunks.flatMap(({ seqs }) => seqs.map((seq) => outcomeOf(seq, outcome)));
  const failed = outcome.status === OUTCOME_STATUS.failed ? outcomes.length : 0;
  const moved = chunks.map(({ no }): MovedChunk => ({ no, state: CHUNK_STATE.done, settled: [] }));
  const counts = { succeeded: outcomes.length - failed, failed, skipped: 0 };
  return (await flushLane(engine.database.pool, fenceOf(lane), { release: true, counts, outcomes, moved })).held;
}

const OPTIONS = { batchSize: 1, retryDelay: 0, retryJitter: false, backupStrategy: 'auto' as const };
const FAILED = { status: OUTCOME_STATUS.failed, errorKind: 'permanent', error: 'x' };

const make =
  (items: number, options: object = {}) =>
  (engine: Engine) =>
    engine.create({ items: keys(items), options: { ...OPTIONS, ...options } });

const holding =
  (chunks = 1, columns?: string) =>
  async (engine: Engine, racer: Racer) => {
    racer.held = await hold(engine, racer, chunks);
    if (columns) await engine.sql(`UPDATE run SET ${columns} WHERE id = $1`, [racer.runId]);
  };

const ended = (outcome: Partial<RecordedOutcome>) => async (engine: Engine) => {
  const batch = await make(2)(engine);
  const [row] = await engine.sql<{ run_id: string }>('SELECT run_id FROM batch WHERE id = $1', [batch.id]);
  const racer: Racer = { id: batch.id, runId: row!.run_id, caller: { tenant: 'acme' } };
  await recordAll(engine, (await hold(engine, racer, 2))!, outcome);
  await settleRun(engine.database, racer.runId);
  return batch;
};

/** States that a batch can be in, and how the worker stands to it. */
export const SCENES: Record<string, Scene> = {
  'waits to be started': {
    state: 'pending',
    original: (engine) => engine.create({ items: keys(2), options: OPTIONS, start: false }),
  },
  'waits to be filled and started': { state: 'pending', original: (engine) => engine.create({ open: true, options: OPTIONS }) },
  'runs, with all of its items waiting': { state: 'running', original: make(2) },
  'runs, with its last item in flight': { state: 'running', original: make(1), prepare: holding() },
  'runs, with its last item in one lane, and another lane empty': {
    state: 'running',
    original: make(1, { concurrency: 60, rateLimitPerMinute: 100_000 }),
    prepare: async (engine, racer) => {
      await holding()(engine, racer);
      await hold(engine, racer);
    },
  },
  'runs, open, with all of its items in flight': {
    state: 'running',
    original: (engine) => engine.create({ open: true, start: true, options: OPTIONS }),
    prepare: async (engine, racer) => {
      await engine.call(AddItems, { batchId: racer.id, source: itemsFromArray(['a']) }, racer.caller);
      await holding()(engine, racer);
    },
  },
  'runs, and the next failure is one too many': {
    state: 'running',
    original: make(2, { failureThreshold: { count: 1 } }),
    prepare: holding(2),
  },
  'runs its canary': { state: 'running', original: make(2, { canary: { items: 1, then: 'confirm' } }), prepare: holding() },
  'is past its time': {
    state: 'running',
    original: make(1, { rollbackOnFailure: true }),
    prepare: holding(1, 'deadline_at = clock_timestamp()'),
  },
  'is paused, with its last item in flight': { state: 'paused', original: make(1), prepare: holding(1, `status = 'paused'`) },
  'stops, and its worker is silent': {
    state: 'stopping',
    original: make(2),
    prepare: async (engine, racer) => {
      await holding(1, `status = 'stopping', ends_as = 'cancelled'`)(engine, racer);
      await engine.sql(`UPDATE lane SET lease_until = clock_timestamp() - interval '1 s' WHERE run_id = $1`, [racer.runId]);
    },
  },
  'waits for its last result from outside': {
    state: 'outside',
    original: (engine) => engine.create({ operation: 'elsewhere', external: true, totalItems: 2 }),
    prepare: (engine, { id: batchId, caller }) => engine.call(RecordExternalResult, { batchId, key: 'z', success: true }, caller),
  },
  'has ended, with failed items': { state: 'ended', original: ended(FAILED) },
  'has ended well': { state: 'ended', original: ended({}) },
  'was cancelled before anything was worked': {
    state: 'ended',
    original: async (engine) => {
      const batch = await make(2)(engine);
      await engine.call(CancelBatch, { batchId: batch.id });
      return batch;
    },
  },
  'is to be rolled back': {
    state: 'ended',
    original: ended(FAILED),
    prepare: ({ database }, { id }) => demandRollback(database.pool, id),
  },
};
