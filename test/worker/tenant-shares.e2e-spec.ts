import { GetBatch } from '../../src/batches/queries/get-batch.query.js';
import { GetWaiting } from '../../src/waiting/queries/get-waiting.query.js';
import { Engine, keys, TERMINAL } from '../support/engine.js';
import { eventually, Gate } from '../support/eventually.js';
import { assertInvariants } from '../support/invariants.js';

const PATIENCE_MS = 60_000;
const LANES = 16;
/** Of sixteen lanes, what one tenant may hold while it is alone. */
const SHARE = 12;

let engine: Engine;
let hold: Gate;
/** Items of long batches that run, by tenant. */
let running: Map<string, number>;

beforeEach(async () => {
  hold = new Gate();
  running = new Map();
  engine = await Engine.start({ WORKER_LANES: String(LANES), PRIORITY_AGE_MS: '86400000' });
});
afterEach(async () => {
  hold.open();
  await assertInvariants(engine.database);
  await engine.close();
});

const count = (tenant: string): number => running.get(tenant) ?? 0;

/** A batch of one item that runs until the test lets it go. */
const long = (tenant: string) =>
  engine.run(
    async () => {
      running.set(tenant, count(tenant) + 1);
      await hold.opened;
      running.set(tenant, count(tenant) - 1);
    },
    { items: keys(1), options: { timeout: 600_000 } },
    { tenant },
  );
const short = (tenant: string, through = engine) => through.create({ items: keys(3) }, { tenant });
const ended = (tenant: string, batchId: string) =>
  eventually(
    () => engine.call(GetBatch, { batchId }, { tenant }),
    ({ status }) => TERMINAL.includes(status),
    PATIENCE_MS,
  );

/** Makes long batches, more than there are lanes. @returns when the tenant holds so many */
async function fill(tenant: string, lanes: number, batches = 2 * LANES): Promise<void> {
  for (let n = 0; n < batches; n += 1) await long(tenant);
  await eventually(() => count(tenant), (now) => now >= lanes, PATIENCE_MS); // prettier-ignore
}

test(
  'beside a tenant whose items take for ever, every batch of the others ends, however many of one tenant come at once',
  async () => {
    await fill('noisy', SHARE);
    const batches = await Promise.all(
      Array.from({ length: 60 }, async (_, n) => {
        const tenant = n % 2 === 0 ? 'other' : `tenant-${n}`;
        return { tenant, ...(await short(tenant)) };
      }),
    );
    for (const { tenant, id } of batches) expect((await ended(tenant, id)).status).toBe('completed');
    expect(count('noisy')).toBeGreaterThanOrEqual(SHARE);
    expect(count('noisy')).toBeLessThan(LANES);
  },
  PATIENCE_MS,
);

test(
  'a small batch of the same tenant does not wait for its long ones',
  async () => {
    await fill('noisy', SHARE, SHARE);
    const { id } = await short('noisy');
    expect((await ended('noisy', id)).status).toBe('completed');
  },
  PATIENCE_MS,
);

test(
  'a second one with long items takes a part of what is left, and a third still gets a lane',
  async () => {
    await fill('first', SHARE);
    await fill('second', 2);
    const { id } = await short('third');
    expect((await ended('third', id)).status).toBe('completed');
    expect(count('first') + count('second')).toBeLessThan(LANES);
  },
  PATIENCE_MS,
);

test(
  'what a batch of a full tenant waits for is told',
  async () => {
    await fill('noisy', SHARE);
    const last = await long('noisy');
    const { gates } = await eventually(
      () => engine.call(GetWaiting, { batchId: last.id }, { tenant: 'noisy' }),
      ({ gates: shut }) => shut.length > 0,
      PATIENCE_MS,
    );
    expect(gates).toMatchObject([{ gate: 'workers-busy', message: expect.stringContaining("the tenant's share of them") as string }]);
  },
  PATIENCE_MS,
);

test(
  'a batch whose bells were lost is found, although a full tenant has more runs that wait than one look sees',
  async () => {
    await fill('noisy', SHARE);
    // Its bells go nowhere: without Redis they stay in the process that took the batch.
    const door = await Engine.start({ ROLE: 'api', DATABASE_URL: engine.service.databaseUrl });
    try {
      const { id } = await short('quiet', door);
      expect((await ended('quiet', id)).status).toBe('completed');
    } finally {
      await door.close();
    }
  },
  PATIENCE_MS,
);
