import type { Type } from '@nestjs/common';
import { AddItems } from '../../src/batches/commands/add-items.command.js';
import { CancelBatch } from '../../src/batches/commands/cancel-batch.command.js';
import { CleanUpBatches } from '../../src/batches/commands/clean-up-batches.command.js';
import { DeleteBatch } from '../../src/batches/commands/delete-batch.command.js';
import { PauseBatch } from '../../src/batches/commands/pause-batch.command.js';
import { RecordExternalResult } from '../../src/batches/commands/record-external-result.command.js';
import { ResumeBatch } from '../../src/batches/commands/resume-batch.command.js';
import { RetryItems } from '../../src/batches/commands/retry-items.command.js';
import { StartBatch } from '../../src/batches/commands/start-batch.command.js';
import { UpdateBatch } from '../../src/batches/commands/update-batch.command.js';
import { itemsFromArray } from '../../src/batches/item-source.js';
import { GetBatchAnalytics } from '../../src/batches/queries/get-batch-analytics.query.js';
import { GetBatchStats } from '../../src/batches/queries/get-batch-stats.query.js';
import { GetBatch } from '../../src/batches/queries/get-batch.query.js';
import { ListBatches } from '../../src/batches/queries/list-batches.query.js';
import { ListEvents } from '../../src/batches/queries/list-events.query.js';
import { ListItems } from '../../src/batches/queries/list-items.query.js';
import { ListOutcomes } from '../../src/batches/queries/list-outcomes.query.js';
import type { Caller, Procedure } from '../../src/common/procedure.js';
import { Engine, FAST_RETRY, type ItemScript, keys } from '../support/engine.js';
import { eventually, Gate } from '../support/eventually.js';
import { assertInvariants } from '../support/invariants.js';

let engine: Engine;
const holds: Gate[] = [];
/** No item runs out of time while the other tests take theirs. */
const HOUR_MS = 3_600_000;

beforeAll(async () => (engine = await Engine.start()));
afterEach(() => assertInvariants(engine.database));
afterAll(async () => {
  holds.forEach((hold) => hold.open());
  await engine.close();
});

/** A batch in each state: how it gets there. */
const STATES: Record<string, () => Promise<string>> = {
  pending: async () => (await engine.create({ items: ['a'], start: false })).id,
  running: () => running(),
  paused: async () => {
    const id = await running();
    await engine.call(PauseBatch, { batchId: id });
    return id;
  },
  stopping: async () => {
    const id = await running();
    await engine.call(CancelBatch, { batchId: id });
    return id;
  },
  completed: () => ended(() => undefined),
  failed: () => ended(() => Promise.reject(new Error('no'))),
  cancelled: async () => {
    const { id } = await engine.create({ items: ['a'], start: false });
    await engine.call(CancelBatch, { batchId: id });
    return id;
  },
  timed_out: async () => {
    const { id } = await engine.run((_item, { signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())), {
      items: ['a'],
      options: { batchTimeout: 1 },
    });
    await engine.ended({ id });
    return id;
  },
};

async function running(): Promise<string> {
  const hold = new Gate();
  holds.push(hold);
  const { id } = await engine.run(() => hold.opened, { items: keys(3), options: { concurrency: 1, timeout: HOUR_MS } });
  await eventually(
    () => engine.get(id),
    ({ counts }) => counts.running === 1,
  );
  return id;
}

async function ended(script: ItemScript): Promise<string> {
  const { id } = await engine.run(script, { items: ['a'], options: { ...FAST_RETRY, retryAttempts: 0 } });
  await engine.ended({ id });
  return id;
}

const MOVES: Record<string, { type: Type<Procedure>; allowed: string[]; becomes?: string }> = {
  start: { type: StartBatch, allowed: ['pending'], becomes: 'running' },
  pause: { type: PauseBatch, allowed: ['running'], becomes: 'paused' },
  resume: { type: ResumeBatch, allowed: ['paused'], becomes: 'running' },
  cancel: { type: CancelBatch, allowed: ['pending', 'running', 'paused'], becomes: 'cancelled' },
  delete: { type: DeleteBatch, allowed: ['pending', 'completed', 'failed', 'cancelled', 'timed_out'] },
};

describe.each(Object.keys(MOVES))('%s', (move) => {
  test.each(Object.keys(STATES))(
    'of a batch that is %s is done, or refused with what would be allowed and nothing changed',
    async (state) => {
      const { type, allowed, becomes } = MOVES[move]!;
      const batchId = await STATES[state]!();
      const before = await engine.events({ id: batchId });
      const answer: unknown = await engine.call(type, { batchId } as never).catch((error: unknown) => error);
      if (allowed.includes(state)) {
        if (becomes) expect(answer).toMatchObject({ id: batchId, status: becomes });
        else await expect(engine.get(batchId)).rejects.toMatchObject({ code: 'NOT_FOUND' });
      } else {
        expect(answer).toMatchObject({ code: 'CONFLICT', message: expect.stringContaining(`batch ${batchId} is ${state}`) });
        for (const from of allowed) expect((answer as Error).message).toContain(from);
        expect(await engine.get(batchId)).toMatchObject({ status: state === 'stopping' ? 'cancelled' : state });
        expect((await engine.events({ id: batchId })).filter(({ type: event }) => event !== 'batch.progress')).toEqual(
          before.filter(({ type: event }) => event !== 'batch.progress'),
        );
      }
    },
  );
});

test('a deleted batch is gone with everything that belonged to it', async () => {
  const before = await engine.rowCounts();
  const { id } = await engine.run(({ key }) => (Number(key) > 5 ? Promise.reject(new Error('x')) : {}), {
    items: keys(50),
    options: { ...FAST_RETRY, retryAttempts: 1, batchSize: 3, concurrency: 60 },
  });
  await engine.ended({ id });
  expect(await engine.call(DeleteBatch, { batchId: id })).toEqual({ deleted: true });
  await eventually(
    () => engine.rowCounts(),
    (counts) => counts.outcome === before.outcome && counts.chunk === before.chunk,
  );
  expect(await engine.rowCounts()).toEqual(before);
});

describe('another tenant', () => {
  const globex: Caller = { tenant: 'globex' };
  const PROCEDURES: [string, Type<Procedure>, object][] = [
    ['GetBatch', GetBatch, {}],
    ['StartBatch', StartBatch, {}],
    ['PauseBatch', PauseBatch, {}],
    ['ResumeBatch', ResumeBatch, {}],
    ['CancelBatch', CancelBatch, {}],
    ['DeleteBatch', DeleteBatch, {}],
    ['RetryItems', RetryItems, {}],
    ['UpdateBatch', UpdateBatch, { name: 'theirs' }],
    ['AddItems', AddItems, { source: itemsFromArray(['a']) }],
    ['RecordExternalResult', RecordExternalResult, { key: 'a', success: true }],
    ['ListItems', ListItems, {}],
    ['ListOutcomes', ListOutcomes, {}],
    ['ListEvents', ListEvents, {}],
    ['GetBatchAnalytics', GetBatchAnalytics, {}],
  ];

  test.each(PROCEDURES)('is told by %s that there is no such batch, as for one that never was', async (_name, type, more) => {
    for (const state of ['pending', 'running', 'completed']) {
      const batchId = await STATES[state]!();
      const before = await engine.rowCounts();
      for (const id of [batchId, 'never-was']) {
        await expect(engine.call(type, { batchId: id, ...more } as never, globex)).rejects.toMatchObject({
          code: 'NOT_FOUND',
          message: `there is no batch ${id}`,
        });
      }
      expect(await engine.rowCounts()).toEqual(before);
    }
  });

  test('sees nothing in its lists and statistics, and cleans up nothing', async () => {
    await STATES.completed!();
    const before = await engine.rowCounts();
    expect(await engine.call(ListBatches, {}, globex)).toMatchObject({ rows: [], total: 0, hasMore: false });
    expect(await engine.call(GetBatchStats, {}, globex)).toMatchObject({ total: 0, byOperation: {} });
    expect(await engine.call(CleanUpBatches, { olderThanDays: 0 }, globex)).toEqual({ deleted: 0 });
    expect(await engine.rowCounts()).toEqual(before);
  });
});

describe('cleaning up', () => {
  test('deletes finished batches that ended long enough ago, of one dialect or of all, and leaves the rest', async () => {
    const caller: Caller = { tenant: 'cleaner' };
    const make = async (dialect: Caller['dialect'], daysAgo: number) => {
      const { id } = await engine.create({ items: [] }, { ...caller, dialect });
      await eventually(
        () => engine.call(GetBatch, { batchId: id }, caller),
        ({ status }) => status === 'completed',
      );
      await engine.sql('ALTER TABLE run DISABLE TRIGGER run_is_finished');
      await engine.sql(
        `UPDATE run SET started_at = started_at - $2 * interval '1 day', ended_at = ended_at - $2 * interval '1 day' WHERE batch_id = $1`,
        [id, daysAgo],
      );
      await engine.sql('ALTER TABLE run ENABLE TRIGGER run_is_finished');
      return id;
    };
    const old = await make('native', 11);
    const oldErp = await make('erp', 11);
    const young = await make('native', 9);
    const waiting = (await engine.create({ items: [], start: false }, caller)).id;
    const left = async () => (await engine.call(ListBatches, {}, caller)).rows.map(({ id }) => id).sort();
    // A batch that the service itself looks at in this moment is left for the next clean-up.
    const cleanUp = (which: object) =>
      eventually(
        () => engine.call(CleanUpBatches, { olderThanDays: 10, ...which }, caller),
        ({ deleted }) => deleted > 0,
      );
    expect(await cleanUp({ dialect: 'erp' })).toEqual({ deleted: 1 });
    expect(await left()).toEqual([old, young, waiting].sort());
    expect(oldErp).toBeDefined();
    expect(await cleanUp({})).toEqual({ deleted: 1 });
    expect(await engine.call(CleanUpBatches, { olderThanDays: 10 }, caller)).toEqual({ deleted: 0 });
    expect(await left()).toEqual([young, waiting].sort());
    for (const wrong of [{ olderThanDays: -1 }, { olderThanDays: '5' }, {}, { olderThanDays: 1, dialect: 'x' }]) {
      await expect(engine.call(CleanUpBatches, wrong as never, caller)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    }
  });
});
