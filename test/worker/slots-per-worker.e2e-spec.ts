import { Module } from '@nestjs/common';
import { CancelBatch } from '../../src/batches/commands/cancel-batch.command.js';
import { GetBatch } from '../../src/batches/queries/get-batch.query.js';
import { ItemHandler, type ItemHandlerClass } from '../../src/operations/item-handler.js';
import { Engine, FAST_RETRY, type ItemScript, keys } from '../support/engine.js';
import { eventually, Gate } from '../support/eventually.js';
import { assertInvariants } from '../support/invariants.js';
import { startTestService } from '../support/service.js';

const LONG_MS = 30_000;

let engine: Engine;

beforeAll(async () => (engine = await Engine.start()));
afterEach(() => assertInvariants(engine.database));
afterAll(() => engine.close());

const breath = () => new Promise(setImmediate);

/** Counts how many items run, and lets none end before `open`. */
class Crowd {
  now = 0;
  most = 0;
  readonly gate = new Gate();

  readonly script: ItemScript = async () => {
    this.most = Math.max(this.most, (this.now += 1));
    await this.gate.opened;
    await breath();
    this.now -= 1;
  };
}

/** Takes the only slot, runs `prepare`, and gives it free. */
async function whileTaken(prepare: () => Promise<unknown>): Promise<void> {
  const [taken, gate] = [new Gate(), new Gate()];
  const first = await engine.run(
    async () => {
      taken.open();
      await gate.opened;
    },
    { operation: 'scripted-slot', items: ['first'] },
  );
  await taken.opened;
  await prepare().finally(gate.open);
  await engine.ended(first, LONG_MS);
}

describe('the slots of an operation', () => {
  test('are all used and never exceeded, over five batches', async () => {
    const crowd = new Crowd();
    const batches = [];
    for (let n = 0; n < 5; n += 1) {
      batches.push(await engine.run(crowd.script, { operation: 'scripted-slots', items: keys(4), options: { concurrency: 2 + n } }));
    }
    await eventually(() => crowd.now === 3, Boolean, LONG_MS).finally(crowd.gate.open);
    for (const batch of batches) expect((await engine.ended(batch, LONG_MS)).counts.succeeded).toBe(4);
    expect(crowd.most).toBe(3);
  });

  test('are those of one process: two of them have twice as many', async () => {
    const other = await Engine.start({ DATABASE_URL: engine.service.databaseUrl });
    const crowd = new Crowd();
    try {
      const batch = await engine.run(crowd.script, { operation: 'scripted-slots', items: keys(20), options: { concurrency: 10 } });
      await eventually(() => crowd.now === 6, Boolean, LONG_MS).finally(crowd.gate.open);
      expect((await engine.ended(batch, LONG_MS)).counts.succeeded).toBe(20);
      expect(crowd.most).toBe(6);
    } finally {
      await other.close();
    }
  });

  test("do not widen a batch's own concurrency", async () => {
    const crowd = new Crowd();
    const batch = await engine.run(crowd.script, { operation: 'scripted-slots', items: keys(6), options: { concurrency: 2 } });
    await eventually(() => crowd.now === 2, Boolean, LONG_MS).finally(crowd.gate.open);
    expect((await engine.ended(batch, LONG_MS)).counts.succeeded).toBe(6);
    expect(crowd.most).toBe(2);
  });

  test('leave batches of other operations alone while they are full', async () => {
    const crowd = new Crowd();
    const full = await engine.run(crowd.script, {
      operation: 'scripted-slots',
      items: keys(9),
      options: { concurrency: 9, priority: 'critical' },
    });
    await eventually(() => crowd.now === 3, Boolean, LONG_MS);
    const other = await engine.run(() => undefined, { items: keys(500), options: { batchSize: 10, priority: 'low' } });
    expect((await engine.ended(other, LONG_MS).finally(crowd.gate.open)).counts.succeeded).toBe(500);
    expect((await engine.ended(full, LONG_MS)).counts.succeeded).toBe(9);
  });

  test('share the only lane of a process with other operations', async () => {
    const own = await Engine.start({ WORKER_LANES: '1' });
    try {
      const script: ItemScript = breath;
      const slotted = await own.run(script, { operation: 'scripted-slots', items: keys(30), options: { concurrency: 3 } });
      const other = await own.run(script, { items: keys(200), options: { batchSize: 10 } });
      expect((await own.ended(slotted, LONG_MS)).counts.succeeded).toBe(30);
      expect((await own.ended(other, LONG_MS)).counts.succeeded).toBe(200);
      await assertInvariants(own.database);
    } finally {
      await own.close();
    }
  });

  test('go to items one at a time, whatever the chunk size: its chunks hold one', async () => {
    const batch = await engine.run(() => undefined, { operation: 'scripted-slots', items: keys(3), options: { batchSize: 100 } });
    expect(batch.options.batchSize).toBe(1);
    await engine.ended(batch, LONG_MS);
    expect(await engine.sql('SELECT size FROM chunk c JOIN run r ON r.id = c.run_id WHERE r.batch_id = $1', [batch.id])).toEqual([
      { size: 1 },
      { size: 1 },
      { size: 1 },
    ]);
  });
});

describe('the slots that one tenant fills', () => {
  const GLOBEX = { tenant: 'globex' };
  const ended = ({ id }: { id: string }) =>
    eventually(
      () => engine.call(GetBatch, { batchId: id }, GLOBEX),
      (batch) => batch.status === 'completed',
      LONG_MS,
    );

  test('leave one more for a tenant that has none, though hundreds of files wait, and it has a higher priority', async () => {
    const crowd = new Crowd();
    const options = { concurrency: 9, priority: 'critical' } as const;
    const batches = [
      await engine.run(crowd.script, { operation: 'scripted-slots', items: keys(9), options }),
      await engine.run(crowd.script, { operation: 'scripted-slots', items: keys(9), options }),
    ];
    await eventually(() => crowd.now === 3, Boolean, LONG_MS);
    const other = await engine.run(() => undefined, { operation: 'scripted-slots', items: keys(3), options: { priority: 'low' } }, GLOBEX);
    await ended(other).finally(crowd.gate.open);
    for (const batch of batches) expect((await engine.ended(batch, LONG_MS)).counts.succeeded).toBe(9);
    expect(crowd.most).toBe(3);
  });

  test('go to each tenant in turn', async () => {
    const order: string[] = [];
    let acme: { id: string } | undefined;
    const note =
      (tenant: string): ItemScript =>
      async () => {
        order.push(tenant);
        await breath();
      };
    await whileTaken(async () => {
      acme = await engine.run(note('acme'), { operation: 'scripted-slot', items: keys(20), options: { priority: 'critical' } });
      for (const name of ['globex', 'initech']) {
        await engine.run(note(name), { operation: 'scripted-slot', items: keys(2), options: { priority: 'low' } }, { tenant: name });
      }
    });
    await engine.ended(acme!, LONG_MS);
    const last = Math.max(order.lastIndexOf('globex'), order.lastIndexOf('initech'));
    expect(order.filter((tenant) => tenant !== 'acme')).toHaveLength(4);
    // Of the first items each tenant has as many as it has, give or take one for the spare slot.
    expect(last).toBeLessThan(9);
  });
});

describe('a free slot', () => {
  test('is given by priority and then by age', async () => {
    const order: string[] = [];
    const batches: { id: string }[] = [];
    await whileTaken(async () => {
      const priorities = ['low', 'normal', 'high', 'normal', 'critical', 'low', 'high'] as const;
      for (const [age, priority] of priorities.entries()) {
        const script: ItemScript = ({ key }) => void order.push(`${priority} ${age}: ${key}`);
        batches.push(await engine.run(script, { operation: 'scripted-slot', items: keys(2), options: { concurrency: 2, priority } }));
      }
    });
    for (const batch of batches) await engine.ended(batch, LONG_MS);
    const both = (batch: string) => [`${batch}: 1`, `${batch}: 2`];
    expect(order).toEqual(['critical 4', 'high 2', 'high 6', 'normal 1', 'normal 3', 'low 0', 'low 5'].flatMap(both));
  });

  test('goes to a more urgent batch before the rest of one that runs', async () => {
    const order: string[] = [];
    const [begun, gate] = [new Gate(), new Gate()];
    const low = await engine.run(
      async ({ key }) => {
        order.push(`low ${key}`);
        if (key === '2') {
          begun.open();
          await gate.opened;
        }
      },
      { operation: 'scripted-slot', items: keys(4), options: { priority: 'low' } },
    );
    await begun.opened;
    const high = await engine
      .run(({ key }) => void order.push(`high ${key}`), { operation: 'scripted-slot', items: keys(2), options: { priority: 'high' } })
      .finally(gate.open);
    await engine.ended(high, LONG_MS);
    await engine.ended(low, LONG_MS);
    expect(order).toEqual(['low 1', 'low 2', 'high 1', 'high 2', 'low 3', 'low 4']);
  });

  test('is not waited for by a batch that is cancelled', async () => {
    await whileTaken(async () => {
      const started: string[] = [];
      const batch = await engine.run(({ key }) => void started.push(key), { operation: 'scripted-slot', items: keys(3) });
      await engine.call(CancelBatch, { batchId: batch.id });
      expect(await engine.get(batch.id)).toMatchObject({ status: 'cancelled', stopping: false, counts: { cancelled: 3 } });
      expect(started).toEqual([]);
    });
  });

  test('comes back after an item that failed, ran out of time or is tried again', async () => {
    let tries = 0;
    const batch = await engine.run(
      async ({ key, attempt }, { signal }) => {
        tries += 1;
        if (key === '1' && attempt === 1) throw new Error('once more');
        if (key === '2') await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
        if (key === '3') throw new Error('never');
      },
      { operation: 'scripted-slot', items: keys(4), options: { ...FAST_RETRY, retryAttempts: 1, retryTimeouts: false, timeout: 200 } },
    );
    expect((await engine.ended(batch, LONG_MS)).counts).toMatchObject({ succeeded: 2, failed: 2 });
    expect(tries).toBe(6);
    expect((await engine.outcomes(batch)).map(({ attempts }) => attempts)).toEqual([2, 1, 2, 1]);
  });

  test('is taken under the rate limit too', async () => {
    const started: string[] = [];
    const batch = await engine.run(({ key }) => void started.push(key), {
      operation: 'scripted-slots',
      items: keys(5),
      options: { concurrency: 3, rateLimitPerMinute: 2 },
    });
    const look = `SELECT 1 FROM run WHERE batch_id = $1 AND held_until > clock_timestamp()`;
    await eventually(
      () => engine.sql(look, [batch.id]),
      (rows) => rows.length === 1,
      LONG_MS,
    );
    expect(started).toHaveLength(2);
    await engine.call(CancelBatch, { batchId: batch.id });
    await engine.ended(batch, LONG_MS);
  });
});

test('a number of slots that is none stops the start', async () => {
  @ItemHandler('no-slots')
  class NoSlots implements ItemHandlerClass {
    readonly slotsPerWorker = 0;
    run(): Promise<void> {
      return Promise.resolve();
    }
  }

  @Module({ providers: [NoSlots] })
  class NoSlotsModule {}

  await expect(startTestService({}, { modules: [NoSlotsModule] })).rejects.toThrow(
    'item handler NoSlots of operation "no-slots" has slotsPerWorker 0; it must be a whole number from 1',
  );
});
