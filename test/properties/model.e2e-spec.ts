import type { Type } from '@nestjs/common';
import fc from 'fast-check';
import { AddItems } from '../../src/batches/commands/add-items.command.js';
import { CancelBatch } from '../../src/batches/commands/cancel-batch.command.js';
import { DeleteBatch } from '../../src/batches/commands/delete-batch.command.js';
import { PauseBatch } from '../../src/batches/commands/pause-batch.command.js';
import { ResumeBatch } from '../../src/batches/commands/resume-batch.command.js';
import { RetryItems } from '../../src/batches/commands/retry-items.command.js';
import { SealBatch } from '../../src/batches/commands/seal-batch.command.js';
import { StartBatch } from '../../src/batches/commands/start-batch.command.js';
import { CHUNK_STATE } from '../../src/batches/entities/chunk.entity.js';
import { OUTCOME_STATUS } from '../../src/batches/entities/outcome.entity.js';
import { itemsFromArray } from '../../src/batches/item-source.js';
import type { ClaimedChunk } from '../../src/batches/store/claim-chunks.js';
import { claimDueRetries } from '../../src/batches/store/claim-due-retries.js';
import { deleteBatches } from '../../src/batches/store/delete-batches.js';
import type { Flush } from '../../src/batches/store/record-outcomes.js';
import { surrenderLane } from '../../src/batches/store/surrender-lane.js';
import type { Procedure } from '../../src/common/procedure.js';
import { Engine, FAST_RETRY, keys } from '../support/engine.js';
import { claimLane, endRun, flushLane, outcomeOf, renewLeases } from '../support/lanes.js';
import { assertInvariants } from '../support/invariants.js';
import { BatchModel, MAX_RETRIES, type ModelWorker } from './model.js';

/** More of them, and longer ones, find more: MODEL_RUNS=20000. */
const RUNS = Number(process.env.MODEL_RUNS ?? 30);
const MAX_COMMANDS = 40;
const LEASE_MS = 3_600_000;

/** Without a worker: the commands play the workers, statement by statement. */
let engine: Engine;

beforeAll(async () => (engine = await Engine.start({ ROLE: 'api' })));
afterAll(() => engine.close());

const pool = () => engine.database.pool;

interface Held {
  chunk: string;
  seq: number;
}

/** The real batch, and which chunk each worker thinks it holds. */
class RealBatch {
  /** Of each run. */
  readonly runIds: string[] = [];
  readonly held = new Map<ModelWorker, Held[]>();

  constructor(readonly id: string) {}

  async look(): Promise<void> {
    const [row] = await engine.sql<{ run_id: string }>('SELECT run_id FROM batch WHERE id = $1', [this.id]);
    if (row && !this.runIds.includes(row.run_id)) this.runIds.push(row.run_id);
  }

  get runId(): string {
    return this.runIds.at(-1)!;
  }

  fenceOf({ run, lane, fence }: ModelWorker) {
    return { runId: this.runIds[run - 1]!, no: lane, fence };
  }

  flush(worker: ModelWorker, parts: Partial<Flush>) {
    return flushLane(pool(), this.fenceOf(worker), parts);
  }

  take(worker: ModelWorker, chunk: Pick<ClaimedChunk, 'no' | 'items'>): number {
    const [item] = JSON.parse(chunk.items) as { seq?: number }[];
    const seq = item!.seq ?? Number(chunk.no);
    this.held.set(worker, [...(this.held.get(worker) ?? []), { chunk: chunk.no, seq }]);
    return seq;
  }
}

type Step = fc.AsyncCommand<BatchModel, RealBatch>;
type Run = (model: BatchModel, real: RealBatch) => Promise<void>;

/** After each step the real batch is what the model says, and every law holds. */
function step(name: string, run: Run, check: (model: BatchModel) => boolean = () => true): Step {
  return {
    check,
    toString: () => name,
    run: async (model, real) => {
      await run(model, real);
      await compare(model, real);
    },
  };
}

async function compare(model: BatchModel, { id }: RealBatch): Promise<void> {
  await assertInvariants(engine.database);
  const [row] = await engine.sql<Record<string, unknown>>(
    `SELECT r.status, r.sealed, r.no AS run, (SELECT json_agg(json_build_object('fence', fence, 'lease',
         CASE WHEN lease_until = '-infinity' THEN 'free' WHEN lease_until < now() THEN 'expired' ELSE 'held' END) ORDER BY no)
       FROM lane WHERE run_id = r.id) AS lanes,
       (SELECT count(*)::int FROM retry WHERE run_id = r.id) AS waiting, (SELECT count(*)::int FROM chunk WHERE run_id = r.id AND state = 1) AS held
     FROM batch b JOIN run r ON r.id = b.run_id WHERE b.id = $1`,
    [id],
  );
  if (model.status === undefined) return expect(row).toBeUndefined();
  const { status, run, lanes } = model;
  const isOver = model.isTerminal;
  const expected = { status, run, lanes, waiting: isOver ? row!.waiting : model.count('waiting'), held: isOver ? 0 : model.count('held') };
  expect(row).toMatchObject({ ...expected, sealed: isOver ? true : model.sealed });
  const { counts } = await engine.get(id);
  const undone = model.items.length - model.count('succeeded') - model.count('failed');
  expect(counts).toMatchObject({ total: model.items.length, succeeded: model.count('succeeded'), failed: model.count('failed') });
  expect(isOver ? counts.cancelled : counts.pending + counts.running + counts.cancelled).toBe(undone);
}

/** Through the front door: done when the model allows it, and refused, with nothing changed, when it does not. */
function command<P extends Procedure>(
  type: Type<P>,
  allows: (model: BatchModel) => boolean,
  then: (model: BatchModel) => unknown,
  input = () => ({}),
): Step {
  return step(type.name, async (model, { id }) => {
    const answer = await engine.call(type, { batchId: id, ...input() } as never).then(
      () => 'done',
      ({ code }: { code?: string }) => code,
    );
    if (model.status === undefined) return expect(answer).toBe('NOT_FOUND');
    const isAllowed = allows(model);
    expect(answer).toBe(isAllowed ? 'done' : 'CONFLICT');
    if (isAllowed) then(model);
  });
}

const claim = step('claim a lane and a chunk', async (model, real) => {
  await real.look();
  const lane = await claimLane(pool(), real.runId, LEASE_MS);
  const worker = model.claim();
  expect(lane && { lane: lane.no, fence: lane.fence }).toEqual(worker && { lane: worker.lane, fence: worker.fence });
  if (worker) await claimChunk(model, real, worker);
});

async function claimChunk(model: BatchModel, real: RealBatch, worker: ModelWorker): Promise<void> {
  const { held, chunks } = await real.flush(worker, { claim: 1 });
  expect(held).toBe(model.holds(worker));
  const gets = held && model.status === 'running' && model.count('pending') > 0;
  expect(chunks).toHaveLength(gets ? 1 : 0);
  if (held) model.lanes[worker.lane]!.lease = 'held';
  if (!gets) return;
  const item = model.items[real.take(worker, chunks[0]!)]!;
  expect(item.state).toBe('pending');
  Object.assign(item, { state: 'held', lane: worker.lane });
}

/** A step of one of the workers, chosen by a number. */
function work(name: string, run: (model: BatchModel, real: RealBatch, worker: ModelWorker) => Promise<void>): fc.Arbitrary<Step> {
  return fc.nat(7).map((n) =>
    step(
      `${name} (worker ${n})`,
      (model, real) => run(model, real, model.workers[n % model.workers.length]!),
      (model) => model.workers.length > 0,
    ),
  );
}

const more = work('claim another chunk', claimChunk);

const record = (ok: boolean) =>
  work(ok ? 'record a success' : 'record a failure', async (model, real, worker) => {
    const [first, ...rest] = real.held.get(worker) ?? [];
    if (!first) return;
    real.held.set(worker, rest);
    const { seq, chunk } = first;
    const holds = model.holds(worker);
    const { attempt } = model.items[seq]!;
    const isAgain = !ok && attempt <= MAX_RETRIES;
    const failure = { status: OUTCOME_STATUS.failed, errorKind: 'retryable', error: 'x' };
    const deferred = {
      seq,
      delay_ms: 3_600_000,
      attempt: attempt + 1,
      key: String(seq + 1),
      payload: null,
      error_kind: 'retryable',
      error: 'x',
    };
    const flushed = await real.flush(worker, {
      counts: { succeeded: ok ? 1 : 0, failed: ok || isAgain ? 0 : 1, skipped: 0 },
      outcomes: isAgain ? [] : [outcomeOf(seq, { attempts: attempt, ...(ok ? {} : failure) })],
      deferred: isAgain ? [JSON.stringify(deferred)] : [],
      moved: [{ no: chunk, state: CHUNK_STATE.done, settled: [] }],
    });
    expect(flushed.held).toBe(holds);
    if (!holds) return;
    model.lanes[worker.lane]!.lease = 'held';
    if (ok) Object.assign(model.items[seq]!, { state: 'succeeded', lane: undefined });
    else model.fail(seq);
  });

const giveBack = work('give the lane back', async (model, real, worker) => {
  const holds = model.holds(worker);
  await surrenderLane(engine.database, real.fenceOf(worker));
  real.held.delete(worker);
  if (!holds) return;
  model.giveBack(worker.lane);
  model.lanes[worker.lane]!.lease = 'free';
});

const renew = work('renew the lease', async (model, real, worker) => {
  const renewed = await renewLeases(pool(), [real.fenceOf(worker)], LEASE_MS);
  expect(renewed).toHaveLength(model.holds(worker) ? 1 : 0);
  if (model.holds(worker)) model.lanes[worker.lane]!.lease = 'held';
});

const takeRetry = work('claim a retry that is due', async (model, real, worker) => {
  await engine.sql(`UPDATE retry SET due_at = now() WHERE run_id = $1`, [real.fenceOf(worker).runId]);
  const chunk = await claimDueRetries(pool(), real.fenceOf(worker), 1);
  const gets = model.holds(worker) && model.status === 'running' && model.count('waiting') > 0;
  expect(chunk !== undefined).toBe(gets);
  if (chunk) Object.assign(model.items[real.take(worker, chunk)]!, { state: 'held', lane: worker.lane });
});

/** Its worker crashed, or the clock moved on: to the database that is the same. */
const expire = fc.nat(1).map((no) =>
  step(`the lease of lane ${no} ends`, async (model, real) => {
    await real.look();
    await engine.sql(`UPDATE lane SET lease_until = now() - interval '1 second' WHERE run_id = $1 AND no = $2 AND lease_until > now()`, [
      real.runId,
      no,
    ]);
    if (model.status !== undefined && model.lanes[no]!.lease === 'held') model.lanes[no]!.lease = 'expired';
  }),
);

const sweep = step('sweep', async (model, real) => {
  await real.look();
  await endRun(engine.database, real.runId);
  model.end();
});

const COMMANDS = [
  fc.constant(claim),
  more,
  record(true),
  record(true),
  record(false),
  giveBack,
  renew,
  takeRetry,
  expire,
  fc.constant(sweep),
  fc.constant(
    command(
      StartBatch,
      ({ status }) => status === 'pending',
      (model) => Object.assign(model, { status: 'running', sealed: true }),
    ),
  ),
  fc.constant(
    command(
      StartBatch,
      ({ status, sealed }) => status === 'pending' && !sealed,
      (model) => (model.status = 'running'),
      () => ({ open: true }),
    ),
  ),
  fc.constant(
    command(
      PauseBatch,
      ({ status }) => status === 'running',
      (model) => {
        model.status = 'paused';
        model.end();
      },
    ),
  ),
  fc.constant(
    command(
      ResumeBatch,
      ({ status }) => status === 'paused',
      (model) => {
        model.status = 'running';
        model.end();
      },
    ),
  ),
  fc.constant(
    command(
      CancelBatch,
      ({ isOpen }) => isOpen,
      (model) => {
        model.status = 'stopping';
        model.end();
      },
    ),
  ),
  fc.constant(
    command(
      SealBatch,
      ({ isOpen }) => isOpen,
      (model) => {
        model.sealed = true;
        model.end();
      },
    ),
  ),
  fc.constant(
    command(
      AddItems,
      ({ isOpen, sealed }) => isOpen && !sealed,
      (model) => model.addItem(),
      () => ({ source: itemsFromArray([{}]) }),
    ),
  ),
  fc.constant(
    command(
      RetryItems,
      (model) => model.isTerminal && model.count('failed') > 0,
      (model) => {
        model.retry();
        model.sealed = true;
      },
    ),
  ),
  fc.constant(
    command(
      DeleteBatch,
      (model) => model.status === 'pending' || model.isTerminal,
      (model) => (model.status = undefined),
    ),
  ),
];

interface Beginning {
  items: number;
  start: 'not yet' | 'open' | 'sealed';
}

const beginning: fc.Arbitrary<Beginning> = fc.record({
  items: fc.integer({ min: 0, max: 4 }),
  start: fc.constantFrom('not yet', 'open', 'sealed', 'sealed'),
});

async function begin({ items, start }: Beginning): Promise<{ model: BatchModel; real: RealBatch }> {
  const options = { ...FAST_RETRY, retryAttempts: MAX_RETRIES, batchSize: 1, concurrency: 100 };
  const { id } = await engine.create({ open: true, options });
  if (items > 0) await engine.call(AddItems, { batchId: id, source: itemsFromArray(keys(items).map(() => ({}))) });
  const [model, real] = [new BatchModel(items, 2), new RealBatch(id)];
  if (start !== 'not yet') {
    await engine.call(StartBatch, { batchId: id, open: start === 'open' });
    Object.assign(model, { status: 'running', sealed: start === 'sealed' });
  }
  await real.look();
  return { model, real };
}

test(
  'whatever workers, sweepers and callers do, in whatever order, the batch is what a list of its items says',
  async () => {
    const commands = fc.commands(COMMANDS, { maxCommands: MAX_COMMANDS, size: 'max' });
    await fc.assert(
      fc.asyncProperty(beginning, commands, async (from, steps) => {
        const made = await begin(from);
        try {
          await fc.asyncModelRun(() => made, steps);
        } finally {
          await deleteBatches(pool(), [made.real.id]);
        }
      }),
      { numRuns: RUNS },
    );
  },
  RUNS * 5_000 + 60_000,
);
